/** Changes asked for by those who are not the host: cancel, retry, pause, resume, and what goes with batches and gates. */
import type { Change } from '../backend.js'
import { isInputGate } from '../gates.js'
import type { Plan } from '../storage.js'
import type { Interval, Position } from '../task.js'
import { setAside, takeAside } from './aside.js'
import { countBatch, endInput } from './batch.js'
import { type BlockCache, Blocks } from './cache.js'
import { type Canceller, canceller } from './cancel.js'
import { Draft, lanesOf, type Step } from './ledger.js'
import { openGates } from './opening.js'
import { splitOutcome, stateAt } from './outcome.js'
import type { AsideMark, Outcome, PartMark } from './records.js'
import { byPlace, covers, only, type Ref } from './stretches.js'
import { blockAt, ceiling, LAST, range } from './tables.js'

/** Tells the refs of a change's ids; ids of other databases are left out. */
export function* change(c: Change, refs: readonly Ref[], cache: BlockCache): Plan<number> {
  const draft = new Draft()
  yield* draft.load({ ledgers: true })
  const changed = yield* apply(draft, c, refs, cache)
  return draft.finish(changed)
}

function* apply(draft: Draft, c: Change, refs: readonly Ref[], cache: BlockCache): Step<number> {
  switch (c.type) {
    case 'cancel':
      return yield* cancelRefs(draft, refs, c)
    case 'cancel-batch':
      return yield* cancelBatch(draft, c.batch, c)
    case 'clear':
      return yield* clear(draft, c)
    case 'retry':
      return yield* retry(draft, refs, c.now, cache)
    case 'pause':
      return yield* setPause(draft, c.queue, c.until)
    case 'resume':
      return yield* setPause(draft, c.queue, undefined)
    case 'end-batch':
      return yield* endBatch(draft, c.batch, c.now)
    case 'open-gate':
      return yield* openGates(draft, c)
  }
}

type Reason = { now: number; reason?: string }

function* cancelRefs(draft: Draft, refs: readonly Ref[], { now, reason }: Reason): Step<number> {
  const known = refs.filter(({ lane }) => draft.has(lane))
  const blocks = known.map(({ lane, position }) => blockAt(lane, position))
  if (blocks.length > 0) yield blocks
  const cancel = yield* canceller(draft, known.map(only), now, reason)
  yield* draft.load({ batches: blocks.flatMap((read) => read.found[0]?.batch ?? []) })
  let cancelled = 0
  known.forEach((ref, i) => {
    const block = blocks[i]?.found[0]
    if (block && covers(block, ref)) cancelled += cancel(only(ref), block)
  })
  return cancelled
}

/** Cancels what is left of a batch, and ends its input. */
function* cancelBatch(draft: Draft, id: string, { now, reason }: Reason): Step<number> {
  const parts = range('part', [id], [id, LAST])
  yield* draft.load({ batches: [id] }, [parts])
  const cancel = yield* canceller(draft, parts.found, now, reason)
  const batch = draft.batches.get(id)
  // Counting may end a batch whose input had ended: it was cancelled all the same, and takes no more.
  if (batch && batch.endedAt === undefined) batch.stopped = true
  const cancelled = cancelParts(parts.found, cancel)
  if (batch) endInput(draft, batch, now)
  return cancelled
}

const cancelParts = (parts: readonly PartMark[], cancel: Canceller): number =>
  parts.reduce((cancelled, part) => cancelled + cancel(part, part), 0)

/** Cancels all that waits or runs: first by batch, so that each is counted where it belongs, then the rest of every lane. */
function* clear(draft: Draft, { queue, now, reason }: Reason & { queue?: string }): Step<number> {
  const lanes = lanesOf(draft.ledgersOf(queue))
  const batches = range('batch', [], [LAST])
  yield* draft.load({ tails: lanes }, [batches])
  const live = batches.found.filter((batch) => batch.endedAt === undefined)
  const reads = live.map(({ id }) => range('part', [id], [id, LAST]))
  yield* draft.load({ batches: live.map(({ id }) => id) }, reads)
  const parts = reads.flatMap((read) => read.found).filter(({ lane }) => lanes.includes(lane))
  const whole: Interval[] = lanes.map((lane) => ({ lane, from: 0, to: draft.tail(lane) }))
  const cancel = yield* canceller(draft, whole, now, reason)
  return whole.reduce((cancelled, stretch) => cancelled + cancel(stretch), cancelParts(parts, cancel))
}

/** Failed and cancelled tasks, and those whose input did not fit, go aside, due at once, their attempts at the beginning. */
function* retry(draft: Draft, refs: readonly Ref[], now: number, cache: BlockCache): Step<number> {
  const blocks = new Blocks(cache)
  const known = ascending(refs.filter(({ lane }) => draft.has(lane)))
  yield* blocks.need(known.map(only))
  yield* draft.load({ batches: known.flatMap(({ lane, position }) => blocks.at(lane, position)?.batch ?? []) })
  const outcomes = known.map(({ lane, position }) => ceiling('outcome', lane, position))
  const asides = known.map(({ lane, position }) => ceiling('aside', lane, position))
  if (known.length > 0) yield [...outcomes, ...asides]
  let retried = 0
  // Several may lie in one record: each works on what the ones before it left on their right.
  let outcome: Outcome | undefined
  let mark: AsideMark | undefined
  for (const [i, ref] of known.entries()) {
    const { lane, position } = ref
    outcome = covering(ref, outcome, outcomes[i]?.found[0])
    mark = covering(ref, mark, asides[i]?.found[0])
    const block = blocks.at(lane, position)
    const place = draft.place(lane)
    if (!block) continue
    const state = outcome && stateAt(outcome, position)
    // One that was lost could only fail again without its input.
    if (outcome ? block.lost || state === 'completed' : !isInputGate(mark?.gate)) continue
    if (mark && (!outcome || mark.gate === null))
      mark = rightOf(position, takeAside(draft, mark, position, position + 1))
    if (outcome && state) {
      outcome = rightOf(position, splitOutcome(draft, outcome, position))
      countBatch(draft, block, state, -1, now)
    }
    const { queue } = place.ledger
    setAside(draft, { queue, ...only(ref), gate: place.state.priority, order: 0, attempt: 1, crashes: 0 })
    retried++
  }
  return retried
}

const rightOf = <T extends Interval>(p: Position, pieces: readonly T[]): T | undefined =>
  pieces.find(({ from }) => from > p)

/** Each once, in order. */
function ascending(refs: readonly Ref[]): Ref[] {
  const sorted = [...refs].sort(byPlace)
  return sorted.filter((ref, i) => i === 0 || byPlace(ref, sorted[i - 1] ?? ref) !== 0)
}

const covering = <T extends Interval>(ref: Ref, ...records: (T | undefined)[]): T | undefined =>
  records.find((record) => record && covers(record, ref))

/** Of one queue, or of all: then queues that do not exist yet begin that way too. */
function* setPause(draft: Draft, queue: string | undefined, until: number | undefined): Step<number> {
  yield* draft.load({ root: true })
  const ledgers = queue === undefined ? [...draft.ledgers.values()] : [draft.ledger(queue)]
  const all = queue === undefined && draft.root ? [draft.root] : []
  for (const record of [...ledgers, ...all]) {
    if (until === undefined) delete record.pausedUntil
    else record.pausedUntil = until
  }
  for (const ledger of ledgers) draft.changed(ledger)
  if (queue === undefined) draft.changedRoot()
  return ledgers.length
}

function* endBatch(draft: Draft, id: string, now: number): Step<number> {
  yield* draft.load({ batches: [id] })
  const batch = draft.batches.get(id)
  if (!batch?.open) return 0
  endInput(draft, batch, now)
  return 1
}
