/** Forgetting ended tasks, a slice at a time; and finding positions that are nowhere, which must not happen. */
import type { Retention } from '../backend.js'
import type { Plan } from '../storage.js'
import type { Position } from '../task.js'
import { batchOf } from './batch.js'
import { DamagedError } from './damage.js'
import { Draft, leasedIn, type Place, type Step } from './ledger.js'
import { putOutcome, removeOutcome, sliceOutcome, stateAt } from './outcome.js'
import type { BatchMark, Block, Outcome } from './records.js'
import { inOrder, overlap, type Stretch, without } from './stretches.js'
import { asidesIn, LAST, range, remove } from './tables.js'

const DAY = 86_400_000
/** How long ended tasks are kept where nothing else is said. */
export const AGE = 7 * DAY
const COUNT = 100_000
/** What ended this recently stays, so that an appender's guess of the tail, 10 s old at most, finds its key taken. */
const SETTLED_FOR = 60_000
/** Blocks looked at in one slice. */
const SLICE = 32
/** Outcomes read for them. A block has at most 256, so there is always enough for one. */
const OUTCOMES = SLICE * 8

const NEVER = Number.POSITIVE_INFINITY

/** What came of a slice. */
export interface Pruned {
  /** There is more to do. False: a round through all lanes is over. */
  more: boolean
  /** It was the first of a round. */
  first: boolean
  /**
   * When the first of what it met and left may go, in ms since the epoch, if nothing happens until then. Infinity: none of it,
   * as things are. Over all slices of a round this tells when the next one is due.
   */
  next: number
}

/** A slice. */
export function* prune(o: Retention): Plan<Pruned> {
  const draft = new Draft()
  const batches = range('batch', [], [LAST])
  yield* draft.load({ ledgers: true }, [batches])
  const age = Math.max(o.age ?? AGE, SETTLED_FOR)
  const kept = new Map<string, BatchMark>()
  let next = NEVER
  for (const batch of batches.found) {
    if (batch.endedAt !== undefined && batch.endedAt < o.now - age) {
      draft.erase('batch', batch)
      draft.writes.push(remove('part', [batch.id], [batch.id, LAST]))
    } else {
      kept.set(batch.id, batch)
      next = Math.min(next, (batch.endedAt ?? NEVER) + age + 1)
    }
  }
  const lanes = [...draft.ledgers.values()].flatMap((ledger) => ledger.lanes.map((state) => ({ ledger, state })))
  const before = lanes.map(({ state }) => state.sweep)
  // A round goes through every lane once: one that is through waits at its end for the others.
  let more = false
  for (const { ledger, state } of lanes) {
    if (more || state.sweep === NEVER) continue
    const excess = endedOutside(draft, kept.values()) - (o.count ?? COUNT)
    const left = yield* pruneLane(draft, { ledger, state }, { now: o.now, age, kept, excess })
    more = left.more
    next = Math.min(next, left.next)
    if (!more) state.sweep = NEVER
  }
  lanes.forEach(({ ledger, state }, i) => {
    // The next round begins anew, with what was stepped over.
    if (!more) state.sweep = 0
    if (state.sweep !== before[i]) draft.changed(ledger)
  })
  return draft.finish({ more, first: before.every((sweep) => sweep === 0), next })
}

/** How many ended tasks, of all queues, belong to no batch that is kept. */
function endedOutside(draft: Draft, kept: Iterable<BatchMark>): number {
  let count = 0
  for (const { ended } of draft.ledgers.values()) count += ended.completed + ended.failed + ended.cancelled
  for (const batch of kept) {
    // Of a pipeline, every stage but a filter by a field has tasks of its own.
    const tasks = batch.stages?.filter((stage) => 'name' in stage) ?? [batch]
    for (const { completed, failed, cancelled, dropped } of tasks) count -= completed + failed + cancelled + dropped
  }
  return count
}

interface Slice {
  now: number
  age: number
  kept: ReadonlyMap<string, BatchMark>
  /** Tasks outside of batches beyond the number to be kept. */
  excess: number
}

/** One slice of a lane, from where the last one ended. */
function* pruneLane(draft: Draft, place: Place, o: Slice): Step<Omit<Pruned, 'first'>> {
  const { state, ledger } = place
  const { lane } = state
  const blocks = range('block', [lane, state.sweep], [lane, LAST], { limit: SLICE + 1 })
  const outcomes = range('outcome', [lane, state.sweep], [lane, LAST], { limit: OUTCOMES })
  yield [blocks, outcomes]
  let { excess } = o
  let pruned = 0
  let sweep = state.sweep
  let next = NEVER
  let young = false
  let short = false
  const gone: Block[] = []
  const end = blocks.found.at(-1)
  const seen = outcomes.found.length < OUTCOMES ? Number.POSITIVE_INFINITY : (outcomes.found.at(-1)?.to ?? 0)
  for (const block of blocks.found) {
    // One more than a slice was read, to tell the lane's last block from the others.
    if (block.from >= state.head || (block === end && blocks.found.length > SLICE)) break
    short = seen < block.to
    if (short) break
    if (block.from < sweep) continue
    sweep = block.to
    const covering = outcomes.found.filter((outcome) => overlap(outcome, block))
    const bare = without(block, covering)
    const batch = batchOf({ batches: o.kept }, block)
    if (bare.length > 0) yield* checkPlaces(place, block, bare)
    // The last block stays: it tells where the lane ends.
    else if (block === end) break
    // A batch that has not ended may wait for a position that is nowhere: all of it is looked at.
    else if (batch) sweep = batch.endedAt === undefined ? block.to : yield* endOfBatch(block, batch.id)
    else {
      const at = mayGoAt(block, covering, o, excess)
      if (at > o.now) {
        // What comes after it ended later, mostly.
        next = at
        young = true
        break
      }
      excess -= block.to - block.from
      pruned += block.to - block.from
      forget(draft, place, block, covering)
      gone.push(block)
    }
  }
  cut(draft, outcomes.found, gone)
  const ended = young || (blocks.found.length <= SLICE && !short) || sweep === state.sweep || sweep >= state.head
  ledger.pruned += pruned
  if (pruned > 0) draft.changed(ledger)
  state.sweep = sweep
  return { more: !ended, next }
}

/** A batch that is kept is stepped over as a whole. */
function* endOfBatch(block: Block, id: string): Step<Position> {
  const parts = range('part', [id], [id, LAST])
  yield [parts]
  let end = block.to
  const mine = parts.found.filter(({ lane }) => lane === block.lane).sort(inOrder)
  for (const { from, to } of mine) if (from <= end) end = Math.max(end, to)
  return end
}

/** Of a block whose tasks have ended. */
function mayGoAt(block: Block, covering: readonly Outcome[], o: Slice, excess: number): number {
  const newest = Math.max(...covering.map((outcome) => outcome.at))
  return block.batch === undefined && excess > 0 ? newest + SETTLED_FOR : newest + o.age + 1
}

/** Deletes a block, and counts what ended in it no more. */
function forget(draft: Draft, { ledger }: Place, block: Block, covering: readonly Outcome[]): void {
  draft.erase('block', block)
  for (const outcome of covering) {
    for (let p = Math.max(outcome.from, block.from); p < Math.min(outcome.to, block.to); p++) {
      ledger.ended[stateAt(outcome, p)]--
    }
  }
}

/** Takes what ended in deleted blocks out of the outcomes. What one covers beside them stays. */
function cut(draft: Draft, outcomes: readonly Outcome[], gone: readonly Block[]): void {
  for (const outcome of outcomes) {
    if (!gone.some((block) => overlap(block, outcome))) continue
    removeOutcome(draft, outcome)
    for (const { from, to } of without(outcome, gone)) putOutcome(draft, sliceOutcome(outcome, from, to))
  }
}

/** Positions below the head that no outcome covers are leased or aside; if one is neither, something went wrong. */
function* checkPlaces({ ledger, state }: Place, block: Block, bare: readonly Stretch[]): Step<void> {
  const [inside, beyond] = asidesIn(block)
  yield [inside, beyond]
  const held = leasedIn(ledger).filter(({ lane }) => lane === block.lane)
  const known = [...held, ...inside.found, ...beyond.found].sort(inOrder)
  for (const lost of bare.flatMap((gap) => without(gap, known))) {
    if (lost.from < state.head) throw new DamagedError('outcome', `task ${block.lane}/${lost.from} is nowhere`)
  }
}
