/** Changes asked for by those who are not the host: cancel, retry, pause, resume, and what goes with batches and gates. */
import type { Change } from '../backend.js'
import { isInputGate } from '../gates.js'
import type { Plan } from '../storage.js'
import type { Interval } from '../task.js'
import { setAside, takeAside } from './aside.js'
import { closeBatch, countBatch } from './batch.js'
import { type BlockCache, Blocks } from './cache.js'
import { type Canceller, canceller } from './cancel.js'
import { Draft, type Step } from './ledger.js'
import { openGates } from './opening.js'
import { kindAt, splitOutcome } from './outcome.js'
import { type AsideMark, COMPLETED, FAILED, type Outcome, type PartMark } from './records.js'
import { blockAt, ceiling, LAST, range } from './tables.js'

/** A position given by an id of this database. */
export type Ref = { lane: number; position: number }

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
      return yield* cancelBatches(draft, [c.batch], c)
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
  const known = refs.filter(({ lane }) => draft.place(lane))
  const blocks = known.map(({ lane, position }) => blockAt(lane, position))
  const stretches = known.map(({ lane, position }) => ({ lane, from: position, to: position + 1 }))
  if (blocks.length > 0) yield blocks
  const cancel = yield* canceller(draft, stretches, now, reason)
  yield* draft.load({ batches: blocks.flatMap((read) => read.found[0]?.batch ?? []) })
  let cancelled = 0
  stretches.forEach((stretch, i) => {
    const block = blocks[i]?.found[0]
    if (!block || block.to <= stretch.from) return
    const count = cancel(stretch)
    if (count > 0) countBatch(draft, block, 'cancelled', count, now)
    cancelled += count
  })
  return cancelled
}

/** Cancels what is left of batches, and ends their input. */
function* cancelBatches(draft: Draft, ids: readonly string[], { now, reason }: Reason): Step<number> {
  const reads = ids.map((id) => range('part', [id], [id, LAST]))
  yield* draft.load({ batches: ids }, reads)
  const parts = reads.flatMap((read) => read.found)
  const cancel = yield* canceller(draft, parts, now, reason)
  // Counting may end a batch whose input had ended: it was cancelled all the same, and takes no more.
  for (const batch of draft.batches.values()) if (batch.endedAt === undefined) batch.stopped = true
  const cancelled = cancelParts(draft, parts, cancel, now)
  for (const id of ids) {
    const batch = draft.batches.get(id)
    if (!batch) continue
    batch.open = false
    closeBatch(batch, now)
    draft.changedBatch(batch)
  }
  return cancelled
}

function cancelParts(draft: Draft, parts: readonly PartMark[], cancel: Canceller, now: number): number {
  let cancelled = 0
  for (const part of parts) {
    const count = cancel(part)
    if (count > 0) countBatch(draft, part, 'cancelled', count, now)
    cancelled += count
  }
  return cancelled
}

/** Cancels all that waits or runs: first by batch, so that each is counted where it belongs, then the rest of every lane. */
function* clear(draft: Draft, { queue, now, reason }: Reason & { queue?: string }): Step<number> {
  const ledgers = [...draft.ledgers.values()].filter((ledger) => queue === undefined || ledger.queue === queue)
  const lanes = ledgers.flatMap((ledger) => ledger.lanes.map(({ lane }) => lane))
  const batches = range('batch', [], [LAST])
  yield* draft.load({ tails: lanes }, [batches])
  const live = batches.found.filter((batch) => batch.endedAt === undefined)
  const reads = live.map(({ id }) => range('part', [id], [id, LAST]))
  yield* draft.load({ batches: live.map(({ id }) => id) }, reads)
  const parts = reads.flatMap((read) => read.found).filter(({ lane }) => lanes.includes(lane))
  const whole: Interval[] = lanes.map((lane) => ({ lane, from: 0, to: draft.tail(lane) }))
  const cancel = yield* canceller(draft, whole, now, reason)
  let cancelled = cancelParts(draft, parts, cancel, now)
  for (const stretch of whole) cancelled += cancel(stretch)
  return cancelled
}

/** Failed and cancelled tasks, and those whose input did not fit, go aside, due at once, their attempts at the beginning. */
function* retry(draft: Draft, refs: readonly Ref[], now: number, cache: BlockCache): Step<number> {
  const blocks = new Blocks(cache)
  const known = ascending(refs.filter(({ lane }) => draft.place(lane)))
  yield* blocks.need(known.map(({ lane, position }) => ({ lane, from: position, to: position + 1 })))
  yield* draft.load({ batches: known.flatMap(({ lane, position }) => blocks.at(lane, position)?.batch ?? []) })
  const outcomes = known.map(({ lane, position }) => ceiling('outcome', lane, position))
  const asides = known.map(({ lane, position }) => ceiling('aside', lane, position))
  if (known.length > 0) yield [...outcomes, ...asides]
  let retried = 0
  // Several may lie in one record: each works on what the ones before it left on their right.
  let outcome: Outcome | undefined
  let skip: AsideMark | undefined
  for (const [i, ref] of known.entries()) {
    const { lane, position } = ref
    outcome = covering(ref, outcome, outcomes[i]?.found[0])
    skip = covering(ref, skip, asides[i]?.found[0])
    const block = blocks.at(lane, position)
    const place = draft.place(lane)
    if (!block || !place) continue
    const { queue } = place.ledger
    const at = { lane, from: position, to: position + 1 }
    const again: AsideMark = { queue, ...at, gate: place.state.priority, order: 0, attempt: 1, crashes: 0 }
    if (!outcome) {
      if (!skip || !isInputGate(skip.gate)) continue
      skip = takeAside(draft, skip, position, position + 1).find(({ from }) => from > position)
      setAside(draft, again)
      retried++
      continue
    }
    // Without its input it could only fail again.
    if (block.lost) continue
    const kind = kindAt(outcome, position)
    if (kind === COMPLETED) continue
    if (skip?.gate === null) skip = takeAside(draft, skip, position, position + 1).find(({ from }) => from > position)
    outcome = splitOutcome(draft, outcome, position).find(({ from }) => from > position)
    countBatch(draft, block, kind === FAILED ? 'failed' : 'cancelled', -1, now)
    setAside(draft, again)
    retried++
  }
  return retried
}

/** Each once, in order. */
function ascending(refs: readonly Ref[]): Ref[] {
  const sorted = [...refs].sort((a, b) => a.lane - b.lane || a.position - b.position)
  return sorted.filter((ref, i) => ref.lane !== sorted[i - 1]?.lane || ref.position !== sorted[i - 1]?.position)
}

const covering = <T extends Interval>({ lane, position: p }: Ref, ...records: (T | undefined)[]): T | undefined =>
  records.find((record) => record?.lane === lane && record.from <= p && p < record.to)

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
  batch.open = false
  closeBatch(batch, now)
  draft.changedBatch(batch)
  return 1
}
