/** Reading: single tasks, results, counts, batches. Lists are in list.ts. */
import type { BatchView, Cursor, Page, Reads } from '../backend.js'
import type { Plan } from '../storage.js'
import { type Counts, formatId, type Interval, type Lane, type Position, type Result, type TaskView } from '../task.js'
import { checkGone } from './batch.js'
import { type BlockCache, Blocks } from './cache.js'
import type { Ref } from './change.js'
import { DamagedError } from './damage.js'
import { Draft, heldCount, type Place, partsOf, type Step } from './ledger.js'
import { resultAt } from './outcome.js'
import {
  type AsideMark,
  type BatchMark,
  type Block,
  nameAt,
  type Outcome,
  type PartMark,
  settingsAt,
} from './records.js'
import { ceiling, LAST, one, range } from './tables.js'

/** Ids this near to each other are read together: an outcome holds up to 256. */
const NEAR = 256

export interface ReadContext {
  cache: BlockCache
  origin: string
}

/** Outcomes that cover these positions, each record read once however many of them it covers. */
function* outcomesOf(refs: readonly Ref[]): Step<(ref: Ref) => Outcome | undefined> {
  const byLane = new Map<Lane, Position[]>()
  for (const { lane, position } of refs) {
    const list = byLane.get(lane) ?? []
    list.push(position)
    byLane.set(lane, list)
  }
  const reads = []
  for (const [lane, positions] of byLane) {
    let first: Position | undefined
    let last = 0
    for (const p of [...positions.sort((a, b) => a - b), Number.POSITIVE_INFINITY]) {
      if (first !== undefined && p - last >= NEAR) {
        if (last > first) reads.push(range('outcome', [lane, first], [lane, last]))
        reads.push(ceiling('outcome', lane, last))
        first = undefined
      }
      first ??= p
      last = p
    }
  }
  if (reads.length > 0) yield reads
  const found = new Map<Lane, Outcome[]>()
  for (const outcome of reads.flatMap((read) => read.found)) {
    found.set(outcome.lane, [...(found.get(outcome.lane) ?? []), outcome])
  }
  return ({ lane, position }) => found.get(lane)?.find(({ from, to }) => from <= position && position < to)
}

/** Results of what has ended; undefined for the rest. One read for neighbours. */
export function* results(
  refs: readonly (Ref | undefined)[],
  { cache, origin }: ReadContext,
): Plan<(Result | undefined)[]> {
  const blocks = new Blocks(cache)
  const known = refs.flatMap((ref) => ref ?? [])
  const outcomeOf = yield* outcomesOf(known)
  yield* blocks.need(known.filter((ref) => nameless(outcomeOf(ref))).map(at))
  const value = refs.map((ref) => {
    const outcome = ref && outcomeOf(ref)
    if (!ref || !outcome) return undefined
    const { lane, position } = ref
    return resultAt(outcome, position, formatId(origin, lane, position), blocks.at(lane, position))
  })
  return { writes: [], value }
}

const at = ({ lane, position }: Ref): Interval => ({ lane, from: position, to: position + 1 })
/** A long cancellation: its tasks' names are only in their blocks. */
const nameless = (outcome: Outcome | undefined) => outcome !== undefined && outcome.name === undefined

/** All there is to know of tasks; undefined for those that don't exist. */
export function* views(refs: readonly (Ref | undefined)[], context: ReadContext): Plan<(TaskView | undefined)[]> {
  const draft = new Draft()
  const blocks = new Blocks(context.cache)
  yield* draft.load({ ledgers: true })
  const known = refs.flatMap((ref) => (ref && draft.place(ref.lane) ? ref : []))
  const asides = known.map(({ lane, position }) => ceiling('aside', lane, position))
  if (known.length > 0) yield asides
  const markOf = new Map(known.map((ref, i) => [ref, asides[i]?.found[0]]))
  yield* blocks.need(known.map(at))
  const outcomeOf = yield* outcomesOf(known)
  const value = refs.map((ref) => {
    const place = ref && draft.place(ref.lane)
    const block = ref && blocks.at(ref.lane, ref.position)
    if (!ref || !place || !block) return undefined
    const mark = markOf.get(ref)
    const covers = mark && mark.from <= ref.position ? mark : undefined
    return view(place, block, ref.position, { origin: context.origin, aside: covers, outcome: outcomeOf(ref) })
  })
  return { writes: [], value }
}

/** A task as seen from what its position is found in. */
export function view(
  { ledger, state }: Place,
  block: Block,
  p: Position,
  found: { origin: string; aside?: AsideMark | undefined; outcome?: Outcome | undefined },
): TaskView | undefined {
  const i = p - block.from
  const id = formatId(found.origin, block.lane, p)
  const base = {
    id,
    queue: ledger.queue,
    name: nameAt(block, i),
    // The block stays in the cache, for claims too; the reader may do with this what it likes.
    input: structuredClone(block.inputs[i]),
    priority: state.priority,
    enqueuedAt: block.at,
    settings: settingsAt(block, i),
    ...(block.batch === undefined ? {} : { batch: block.batch }),
  }
  if (found.outcome) {
    const result = resultAt(found.outcome, p, id, block)
    return { ...base, state: result.status, attempt: result.attempts, crashes: 0, result }
  }
  for (const host of Object.keys(ledger.hosts)) {
    const part = partsOf(ledger, host).find(({ lane, from, to }) => lane === block.lane && from <= p && p < to)
    if (part) return { ...base, state: 'running', attempt: part.attempt, crashes: part.crashes }
  }
  const { aside } = found
  if (!aside) return p < state.head ? undefined : { ...base, state: 'available', attempt: 1, crashes: 0 }
  // Cancelled before its turn came, and pruned since: only the cache still has its block.
  if (aside.gate === null) return undefined
  const { attempt, crashes, order, gate } = aside
  const blocked = typeof gate === 'string'
  return {
    ...base,
    state: blocked ? 'blocked' : order > 0 ? 'scheduled' : 'available',
    attempt,
    crashes,
    ...(order > 0 && !blocked ? { runAt: order } : {}),
    ...(aside.why === undefined ? {} : { why: aside.why }),
    ...(aside.error === undefined ? {} : { lastError: aside.error }),
  }
}

export function* counts(queue: string | undefined): Plan<Counts> {
  const draft = new Draft()
  yield* draft.load({ ledgers: true })
  const ledgers = [...draft.ledgers.values()].filter((ledger) => queue === undefined || ledger.queue === queue)
  yield* draft.load({ tails: ledgers.flatMap((ledger) => ledger.lanes.map(({ lane }) => lane)) })
  const sum: Counts = { blocked: 0, scheduled: 0, available: 0, running: 0, completed: 0, failed: 0, cancelled: 0 }
  for (const ledger of ledgers) {
    for (const state of ledger.lanes) {
      if (!state.held) sum.available += draft.tail(state.lane) - state.head - state.skips
    }
    for (const [key, { ready, waiting }] of Object.entries(ledger.aside)) {
      sum.available += ready
      sum[key === 'blocked' ? 'blocked' : 'scheduled'] += waiting
    }
    for (const { parts } of Object.values(ledger.hosts)) sum.running += heldCount(parts)
    sum.completed += ledger.ended.completed
    sum.failed += ledger.ended.failed
    sum.cancelled += ledger.ended.cancelled
  }
  return { writes: [], value: sum }
}

export function* batch(id: string): Plan<BatchView | undefined> {
  const found = one('batch', id)
  yield [found]
  const mark = found.found[0]
  if (!mark) yield* checkGone([id])
  return { writes: [], value: mark && batchView(mark) }
}

/** Newest first. Batches are few: they are sorted after reading. */
export function* batches(query: Reads['batches']['query'], cursor?: Cursor): Plan<Page<BatchView>> {
  const found = range('batch', [], [LAST])
  yield [found]
  const sorted = found.found.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
  // The batch a cursor names may be pruned by now: its place in the order is not.
  const [at, id] = cursor === undefined ? [Number.POSITIVE_INFINITY, ''] : batchCursor(cursor)
  const rest = sorted.filter((mark) => mark.createdAt < at || (mark.createdAt === at && mark.id >= id))
  const next = rest[query.limit]
  const items = rest.slice(0, query.limit).map(batchView)
  return { writes: [], value: { items, ...(next ? { next: `${next.createdAt},${next.id}` } : {}) } }
}

function batchCursor(cursor: Cursor): [number, string] {
  const comma = cursor.indexOf(',')
  return [Number(cursor.slice(0, comma)), cursor.slice(comma + 1)]
}

function batchView(mark: BatchMark): BatchView {
  const { stopped: _, joined = 0, ...view } = mark
  return { ...view, imported: mark.total - joined, done: mark.completed + mark.failed + mark.cancelled + mark.dropped }
}

/** A batch's stretches, in input order. */
export function* parts(query: Reads['parts']['query'], cursor?: Cursor): Plan<Page<PartMark>> {
  const { batch: id, stage, start = 0, limit } = query
  const from = cursor === undefined ? [id, stage, start] : [id, stage, ...numbers(cursor)]
  const found = range('part', from, [id, stage, LAST], { limit: limit + 1 })
  const whole = stage === 0 && start === 0 && cursor === undefined
  const mark = one('batch', id)
  yield whole ? [found, mark] : [found]
  const next = found.found[limit]
  const total = mark.found[0]?.total ?? 0
  const size = found.found.reduce((sum, part) => sum + part.to - part.from, 0)
  // Whoever collects the batch would wait for ever for what no part tells of.
  if (whole && !next && size < total) throw new DamagedError('part', `${total} inputs should have a place, not ${size}`)
  const cut = found.found.slice(0, limit)
  return { writes: [], value: { items: cut, ...(next ? { next: [next.start, next.lane, next.from].join() } : {}) } }
}

const numbers = (cursor: Cursor) => cursor.split(',').map(Number)

/** Results of what has ended in an interval, in order of position. */
export function* ended(query: Reads['ended']['query'], context: ReadContext, cursor?: Cursor): Plan<Page<Result>> {
  const { lane, to, limit } = query
  const from = cursor === undefined ? query.from : Number(cursor)
  const inside = range('outcome', [lane, from], [lane, to - 1], { limit })
  const beyond = ceiling('outcome', lane, to)
  yield [inside, beyond]
  const full = inside.found.length === limit
  const found = full ? inside.found : [...inside.found, ...beyond.found]
  const blocks = new Blocks(context.cache)
  const clipped = found.map((outcome) => ({
    outcome,
    lane,
    from: Math.max(from, outcome.from),
    to: Math.min(to, outcome.to),
  }))
  yield* blocks.need(clipped.filter(({ outcome }) => nameless(outcome)))
  const items: Result[] = []
  for (const piece of clipped) {
    for (let p = piece.from; p < piece.to; p++) {
      items.push(resultAt(piece.outcome, p, formatId(context.origin, lane, p), blocks.at(lane, p)))
    }
  }
  const next = inside.found.at(-1)?.to
  return { writes: [], value: { items, ...(full && next !== undefined && next < to ? { next: String(next) } : {}) } }
}
