/** Reading: single tasks, results, counts, batches. Lists are in list.ts. */
import type { BatchView, Cursor, Page, Reads } from '../backend.js'
import type { Plan, ReadOf } from '../storage.js'
import { type Counts, formatId, type Interval, type Position, type Result, type TaskView } from '../task.js'
import { checkGone } from './batch.js'
import { type BlockCache, Blocks } from './cache.js'
import { DamagedError } from './damage.js'
import { Draft, heldCount, lanesOf, leasedIn, type Place } from './ledger.js'
import { resultAt } from './outcome.js'
import { answer, cursorOf, cut, page, placeIn } from './pages.js'
import {
  type AsideMark,
  type BatchMark,
  BLOCK_TASKS,
  type Block,
  nameAt,
  type Outcome,
  type PartMark,
  settingsAt,
} from './records.js'
import { covers, only, type Ref, size, together } from './stretches.js'
import { ceiling, LAST, one, range } from './tables.js'

/** Ids this near to each other are read together: an outcome holds up to 256. */
const NEAR = BLOCK_TASKS

export interface ReadContext {
  cache: BlockCache
  origin: string
}

/** Of records, the one that covers a position. */
const covering = <T extends Interval>(records: readonly T[], ref: Ref): T | undefined =>
  records.find((record) => covers(record, ref))

/** Reads that find what covers these positions, each record once however many of them it covers. */
const readsOf = <T extends 'outcome' | 'aside'>(table: T, refs: readonly Ref[]): ReadOf<T>[] =>
  together(refs.map(only), NEAR).flatMap(({ lane, from, to }) => {
    const last = ceiling(table, lane, to - 1)
    return to - from > 1 ? [range(table, [lane, from], [lane, to - 2]), last] : [last]
  })

/** Results of what has ended; undefined for the rest. One read for neighbours. */
export function* results(
  refs: readonly (Ref | undefined)[],
  { cache, origin }: ReadContext,
): Plan<(Result | undefined)[]> {
  const blocks = new Blocks(cache)
  const reads = readsOf(
    'outcome',
    refs.flatMap((ref) => ref ?? []),
  )
  if (reads.length > 0) yield reads
  const outcomes = reads.flatMap((read) => read.found)
  const found = refs.map((ref) => ref && covering(outcomes, ref))
  yield* blocks.need(refs.flatMap((ref, i) => (ref && isNameless(found[i]) ? only(ref) : [])))
  return answer(
    refs.map((ref, i) => {
      const outcome = found[i]
      if (!ref || !outcome) return undefined
      const { lane, position } = ref
      return resultAt(outcome, position, formatId(origin, lane, position), blocks.at(lane, position))
    }),
  )
}

/** A long cancellation: its tasks' names are only in their blocks. */
const isNameless = (outcome: Outcome | undefined) => outcome !== undefined && outcome.name === undefined

/** All there is to know of tasks; undefined for those that don't exist. */
export function* views(
  refs: readonly (Ref | undefined)[],
  { cache, origin }: ReadContext,
): Plan<(TaskView | undefined)[]> {
  const draft = new Draft()
  const blocks = new Blocks(cache)
  yield* draft.load({ ledgers: true })
  const known = refs.flatMap((ref) => (ref && draft.has(ref.lane) ? ref : []))
  const [marks, ends] = [readsOf('aside', known), readsOf('outcome', known)]
  if (known.length > 0) yield [...marks, ...ends]
  yield* blocks.need(known.map(only))
  const asides = marks.flatMap((read) => read.found)
  const outcomes = ends.flatMap((read) => read.found)
  return answer(
    refs.map((ref) => {
      const block = ref && draft.has(ref.lane) && blocks.at(ref.lane, ref.position)
      if (!block) return undefined
      const found = { origin, aside: covering(asides, ref), outcome: covering(outcomes, ref) }
      return view(draft.place(ref.lane), block, ref.position, found)
    }),
  )
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
  const part = covering(leasedIn(ledger), { lane: block.lane, position: p })
  if (part) return { ...base, state: 'running', attempt: part.attempt, crashes: part.crashes }
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
  const ledgers = draft.ledgersOf(queue)
  yield* draft.load({ tails: lanesOf(ledgers) })
  const sum: Counts = { blocked: 0, scheduled: 0, available: 0, running: 0, completed: 0, failed: 0, cancelled: 0 }
  for (const { lanes, aside, hosts, ended } of ledgers) {
    for (const { lane, held, head, skips } of lanes) if (!held) sum.available += draft.tail(lane) - head - skips
    for (const [key, { ready, waiting }] of Object.entries(aside)) {
      sum.available += ready
      sum[key === 'blocked' ? 'blocked' : 'scheduled'] += waiting
    }
    for (const { parts } of Object.values(hosts)) sum.running += heldCount(parts)
    for (const state of ['completed', 'failed', 'cancelled'] as const) sum[state] += ended[state]
  }
  return answer(sum)
}

export function* batch(id: string): Plan<BatchView | undefined> {
  const read = one('batch', id)
  yield [read]
  const [mark] = read.found
  if (!mark) yield* checkGone([id])
  return answer(mark && batchView(mark))
}

/** Newest first. Batches are few: they are sorted after reading. */
export function* batches({ limit }: Reads['batches']['query'], cursor?: Cursor): Plan<Page<BatchView>> {
  const read = range('batch', [], [LAST])
  yield [read]
  const sorted = read.found.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
  // The batch a cursor names may be pruned by now: its place in the order is not.
  const [time = Number.POSITIVE_INFINITY, name = ''] = placeIn(cursor)
  const [at, id] = [Number(time), String(name)]
  const rest = sorted.filter((mark) => mark.createdAt < at || (mark.createdAt === at && mark.id >= id))
  const next = rest[limit]
  return page(rest.slice(0, limit).map(batchView), next && cursorOf(next.createdAt, next.id))
}

function batchView(mark: BatchMark): BatchView {
  const { stopped: _, joined = 0, ...view } = mark
  return { ...view, imported: mark.total - joined, done: mark.completed + mark.failed + mark.cancelled + mark.dropped }
}

/** A batch's stretches, in input order. */
export function* parts(query: Reads['parts']['query'], cursor?: Cursor): Plan<Page<PartMark>> {
  const { batch: id, stage, start = 0, limit } = query
  const whole = stage === 0 && start === 0 && cursor === undefined
  const [from = [id, stage, start]] = placeIn(cursor)
  const read = range('part', from, [id, stage, LAST], { limit: limit + 1 })
  const mark = one('batch', id)
  yield whole ? [read, mark] : [read]
  const { found, next } = cut(read, limit)
  const total = mark.found[0]?.total ?? 0
  // Whoever collects the batch would wait for ever for what no part tells of.
  if (whole && !next && size(found) < total)
    throw new DamagedError('part', `${total} inputs should have a place, not ${size(found)}`)
  return page(found, next === undefined ? undefined : cursorOf(next))
}

/** Results of what has ended in an interval, in order of position. */
export function* ended(query: Reads['ended']['query'], context: ReadContext, cursor?: Cursor): Plan<Page<Result>> {
  const { lane, to, limit } = query
  const from = Number(placeIn(cursor)[0] ?? query.from)
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
  yield* blocks.need(clipped.filter(({ outcome }) => isNameless(outcome)))
  const items: Result[] = []
  for (const piece of clipped) {
    for (let p = piece.from; p < piece.to; p++) {
      items.push(resultAt(piece.outcome, p, formatId(context.origin, lane, p), blocks.at(lane, p)))
    }
  }
  const next = inside.found.at(-1)?.to
  return page(items, full && next !== undefined && next < to ? cursorOf(next) : undefined)
}
