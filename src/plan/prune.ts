/** Forgetting ended tasks, a slice at a time; and finding positions that are nowhere, which must not happen. */
import type { Retention } from '../backend.js'
import type { Plan } from '../storage.js'
import type { Position } from '../task.js'
import { setAside } from './aside.js'
import { Draft, overlap, type Place, partsOf, type Step, without } from './ledger.js'
import { kindAt, putOutcome, removeOutcome, sliceOutcome } from './outcome.js'
import { type BatchMark, type Block, CANCELLED, COMPLETED, LAST, type Outcome, range, remove } from './records.js'

const DAY = 86_400_000
const AGE = 7 * DAY
const COUNT = 100_000
/** What ended this recently stays, so that an appender's guess of the tail, 10 s old at most, finds its key taken. */
const SETTLED_FOR = 60_000
/** Blocks looked at in one slice. */
const SLICE = 32

/** Resolves to true if there is more to do. */
export function* prune(o: Retention): Plan<boolean> {
  const draft = new Draft()
  const batches = range('batch', [], [LAST])
  yield* draft.load({ ledgers: true }, [batches])
  const age = Math.max(o.age ?? AGE, SETTLED_FOR)
  const kept = new Map<string, BatchMark>()
  for (const batch of batches.found) {
    if (batch.endedAt !== undefined && batch.endedAt < o.now - age) {
      draft.writes.push(remove('batch', batch.id), remove('part', [batch.id], [batch.id, LAST]))
    } else kept.set(batch.id, batch)
  }
  for (const ledger of draft.ledgers.values()) {
    for (const state of ledger.lanes) {
      const excess = endedOutside(draft, kept.values()) - (o.count ?? COUNT)
      const more = yield* pruneLane(draft, { ledger, state }, { now: o.now, age, kept, excess })
      if (more) return draft.finish(true)
    }
  }
  return draft.finish(false)
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

/** One slice of a lane, from where the last one ended. True: there is more of it. */
function* pruneLane(draft: Draft, place: Place, o: Slice): Step<boolean> {
  const { state, ledger } = place
  const { lane } = state
  const blocks = range('block', [lane, state.sweep], [lane, LAST], { limit: SLICE + 1 })
  const outcomes = range('outcome', [lane, state.sweep], [lane, LAST], { limit: SLICE * 8 })
  yield [blocks, outcomes]
  let { excess } = o
  let pruned = 0
  let sweep = state.sweep
  let young = false
  // The last block stays: it tells where the lane ends.
  for (const block of blocks.found.slice(0, -1)) {
    if (block.from >= state.head || (outcomes.found.at(-1)?.to ?? 0) < block.to) break
    if (block.from < sweep) continue
    sweep = block.to
    const covering = outcomes.found.filter((outcome) => overlap(outcome, block))
    const bare = without(block, covering)
    if (bare.length > 0) yield* restore(draft, place, block, bare)
    else if (block.batch !== undefined && o.kept.has(block.batch)) sweep = yield* endOfBatch(block, block.batch)
    else if (!mayGo(block, covering, o, excess)) {
      // What comes after it ended later, mostly.
      young = true
      break
    } else {
      excess -= block.to - block.from
      pruned += forget(draft, place, block, covering)
      for (const outcome of covering) outcome.from = Math.max(outcome.from, Math.min(block.to, outcome.to))
    }
  }
  const ended = young || blocks.found.length <= SLICE || sweep === state.sweep || sweep >= state.head
  // The next round begins anew, with what was stepped over.
  const next = ended ? 0 : sweep
  ledger.pruned += pruned
  if (pruned > 0 || next !== state.sweep) draft.changed(ledger)
  state.sweep = next
  return !ended
}

/** A batch that is kept is stepped over as a whole. */
function* endOfBatch(block: Block, id: string): Step<Position> {
  const parts = range('part', [id], [id, LAST])
  yield [parts]
  let end = block.to
  const mine = parts.found.filter(({ lane }) => lane === block.lane).sort((x, y) => x.from - y.from)
  for (const { from, to } of mine) if (from <= end) end = Math.max(end, to)
  return end
}

function mayGo(block: Block, covering: readonly Outcome[], o: Slice, excess: number): boolean {
  const newest = Math.max(...covering.map((outcome) => outcome.at))
  if (newest > o.now - SETTLED_FOR) return false
  return newest < o.now - o.age || (block.batch === undefined && excess > 0)
}

/** Deletes a block with what ended in it. What an outcome covers beside it, a long cancellation, stays. */
function forget(draft: Draft, { ledger }: Place, block: Block, covering: readonly Outcome[]): number {
  draft.writes.push(remove('block', [block.lane, block.from]))
  for (const outcome of covering) {
    const part = overlap(outcome, block)
    for (let p = part?.from ?? 0; p < (part?.to ?? 0); p++) {
      const kind = kindAt(outcome, p)
      ledger.ended[kind === COMPLETED ? 'completed' : kind === CANCELLED ? 'cancelled' : 'failed']--
    }
    removeOutcome(draft, outcome)
    if (outcome.from < block.from) putOutcome(draft, sliceOutcome(outcome, outcome.from, block.from))
    if (outcome.to > block.to) putOutcome(draft, sliceOutcome(outcome, block.to, outcome.to))
  }
  return block.to - block.from
}

/**
 * Positions below the head that no outcome covers are leased or aside; if one is neither, something went wrong (a
 * platform lost a write): it is given back, so that it is run rather than lost.
 */
function* restore(
  draft: Draft,
  { ledger, state }: Place,
  block: Block,
  bare: readonly { from: Position; to: Position }[],
): Step<void> {
  const inside = range('aside', [block.lane, block.from], [block.lane, block.to - 1])
  const beyond = range('aside', [block.lane, block.to], [block.lane, LAST], { limit: 1 })
  yield [inside, beyond]
  const leased = Object.keys(ledger.hosts).flatMap((host) => partsOf(ledger, host))
  const held = leased.filter(({ lane }) => lane === block.lane)
  const known = [...held, ...inside.found, ...beyond.found].sort((x, y) => x.from - y.from)
  for (const gap of bare) {
    for (const lost of without(gap, known)) {
      const to = Math.min(lost.to, state.head)
      if (lost.from >= to) continue
      const at = { queue: ledger.queue, lane: block.lane, from: lost.from, to }
      setAside(draft, { ...at, gate: state.priority, order: 0, attempt: 1, crashes: 0 })
    }
  }
}
