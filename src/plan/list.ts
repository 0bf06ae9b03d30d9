/** Lists of tasks by state, in pages. A page's cost depends on its size alone, not on how many tasks there are. */
import type { Cursor, Page, Reads } from '../backend.js'
import type { Plan } from '../storage.js'
import type { Interval, Position, TaskState, TaskView } from '../task.js'
import { type BlockCache, Blocks } from './cache.js'
import { DamagedError } from './damage.js'
import { Draft, type Part, type Place, partsOf, type Step } from './ledger.js'
import { kindAt } from './outcome.js'
import { type ReadContext, view } from './read.js'
import { type AsideMark, CANCELLED, COMPLETED, type DeadMark, type Ledger, type Outcome } from './records.js'
import { without } from './stretches.js'
import { LAST, range } from './tables.js'

type Query = Reads['tasks']['query']

/** A stretch of tasks in the state asked for, with what was found to cover it. */
interface Found extends Interval {
  aside?: AsideMark
  outcome?: Outcome
}

/** A part of a listing, read from a key on. Sources are listed one after the other. */
interface Source {
  /**
   * Of stretches, in the source's order; where they began, so that what is added before that does not move the pages; and
   * where to go on.
   */
  read(from: string | undefined, limit: number): Step<{ found: Found[]; start?: string | undefined; next?: string }>
  /** Positions of a stretch are listed from its end. */
  backwards?: boolean
}

/** Outcome records looked at for one page: in a long log of completed tasks the cancelled ones may be far apart. */
const SCAN = 32

export function* list(query: Query, { cache, origin }: ReadContext, cursor?: Cursor): Plan<Page<TaskView>> {
  const draft = new Draft()
  yield* draft.load({ ledgers: true })
  const sources = sourcesOf(draft, query)
  let [index, from, skipped]: [number, string | undefined, number] = [0, undefined, 0]
  if (cursor !== undefined) [index, from, skipped] = decode(cursor)
  const items: TaskView[] = []
  for (let scanned = 0; index < sources.length && items.length < query.limit; ) {
    const source = sources[index]
    if (!source) break
    const { found, start, next } = yield* source.read(from, query.limit + skipped - items.length)
    const room = query.limit - items.length
    const taken = positions(found, { backwards: source.backwards ?? false, skipped, limit: room })
    items.push(...(yield* viewsOf(draft, cache, origin, taken)))
    if (skipped + taken.length < found.reduce((sum, { from: first, to }) => sum + to - first, 0)) {
      return { writes: [], value: { items, next: encode(index, from ?? start, skipped + taken.length) } }
    }
    skipped = 0
    from = next
    if (next === undefined) index++
    if (++scanned >= SCAN) break
  }
  return { writes: [], value: { items, ...(index < sources.length ? { next: encode(index, from, 0) } : {}) } }
}

const encode = (index: number, from: string | undefined, skipped: number) =>
  JSON.stringify([index, from ?? null, skipped])
function decode(cursor: Cursor): [number, string | undefined, number] {
  const parsed: unknown = JSON.parse(cursor)
  const [index, from, skipped] = Array.isArray(parsed) ? parsed : []
  return [Number(index ?? 0), typeof from === 'string' ? from : undefined, Number(skipped ?? 0)]
}

type FoundAt = { found: Found; position: Position }

/** Only those of this page: a stretch may be a million long. */
function positions(found: readonly Found[], o: { backwards: boolean; skipped: number; limit: number }): FoundAt[] {
  const all: FoundAt[] = []
  let skipped = o.skipped
  for (const stretch of found) {
    const size = stretch.to - stretch.from
    for (let i = skipped; i < size && all.length < o.limit; i++) {
      all.push({ found: stretch, position: o.backwards ? stretch.to - 1 - i : stretch.from + i })
    }
    skipped = Math.max(0, skipped - size)
  }
  return all
}

function* viewsOf(draft: Draft, cache: BlockCache, origin: string, refs: readonly FoundAt[]): Step<TaskView[]> {
  const blocks = new Blocks(cache)
  yield* blocks.need(refs.map(({ found, position }) => ({ lane: found.lane, from: position, to: position + 1 })))
  return refs.flatMap(({ found, position }) => {
    const place = draft.place(found.lane)
    const block = blocks.at(found.lane, position)
    const { aside, outcome } = found
    return (place && block && view(place, block, position, { origin, aside, outcome })) ?? []
  })
}

function sourcesOf(draft: Draft, { state, queue }: Query): Source[] {
  const ledgers = [...draft.ledgers.values()].filter((ledger) => queue === undefined || ledger.queue === queue)
  return ledgers.flatMap((ledger) => sourcesIn(ledger, draft, state))
}

function sourcesIn(ledger: Ledger, draft: Draft, state: TaskState): Source[] {
  const priorities = [...new Set(ledger.lanes.map((lane) => lane.priority))].sort((a, b) => a - b)
  switch (state) {
    case 'completed':
    case 'cancelled':
      return ledger.lanes
        .map(({ lane }) => outcomeSource(lane, state === 'completed' ? COMPLETED : CANCELLED))
        .reverse()
    case 'failed':
      return [deadSource(ledger.queue)]
    case 'running':
      return [fixed(Object.keys(ledger.hosts).flatMap((host) => partsOf(ledger, host)))]
    case 'scheduled':
      // Times are at least 1: order 0 means available.
      return priorities.map((p) => gateSource(ledger.queue, [p, 1], [p, LAST]))
    case 'blocked':
      return [gateSource(ledger.queue, [''], [LAST], ledger.aside.blocked?.waiting ?? 0)]
    case 'available':
      return priorities.flatMap((p) => [gateSource(ledger.queue, [p], [p, 0, LAST]), ...lineSources(ledger, draft, p)])
  }
}

function outcomeSource(lane: number, kind: number): Source {
  return {
    backwards: true,
    *read(from) {
      const to = from === undefined ? Number.POSITIVE_INFINITY : Number(from)
      const found = range('outcome', [lane, 0], [lane, to], { limit: 4, reverse: true })
      yield [found]
      const [first, last] = [found.found[0], found.found.at(-1)]
      const runs = found.found.flatMap((outcome) => runsOf(outcome, kind).reverse())
      return {
        found: runs,
        start: first && String(first.to - 1),
        ...(found.found.length === 4 && last && last.from > 0 ? { next: String(last.from - 1) } : {}),
      }
    },
  }
}

function runsOf(outcome: Outcome, kind: number): Found[] {
  const { lane, from, to } = outcome
  if (typeof outcome.kinds === 'number') return outcome.kinds === kind ? [{ lane, from, to, outcome }] : []
  const runs: Found[] = []
  for (let p = from; p < to; p++) {
    if (kindAt(outcome, p) !== kind) continue
    const last = runs.at(-1)
    if (last && last.to === p) last.to++
    else runs.push({ lane, from: p, to: p + 1, outcome })
  }
  return runs
}

function deadSource(queue: string): Source {
  return {
    backwards: true,
    *read(from, limit) {
      const to = from === undefined ? [queue, LAST] : [queue, ...keyOf(from)]
      const found = range('dead', [queue], to, { limit: limit + 1, reverse: true })
      yield [found]
      const next = found.found[limit]
      const marks = found.found.slice(0, limit)
      const outcomes = marks.map(({ lane, to: end }) => range('outcome', [lane, end - 1], [lane, LAST], { limit: 1 }))
      if (outcomes.length > 0) yield outcomes
      const stretches = marks.flatMap(({ lane, from: begin, to: end }, i) => {
        const outcome = outcomes[i]?.found[0]
        return outcome ? [{ lane, from: begin, to: end, outcome }] : []
      })
      const [first] = marks
      return { found: stretches, start: first && deadCursor(first), ...(next ? { next: deadCursor(next) } : {}) }
    },
  }
}

const deadCursor = ({ at, lane, to }: DeadMark) => [at, lane, to - 1].join()
const keyOf = (cursor: string) => cursor.split(',').map(Number)

function gateSource(
  queue: string,
  first: readonly (string | number)[],
  last: readonly (string | number | typeof LAST)[],
  /** How many there must be: hosts look here for what they parked, and nowhere else. */
  count?: number,
): Source {
  return {
    *read(from, limit) {
      const start: unknown = from === undefined ? first : JSON.parse(from)
      const key = Array.isArray(start) ? start : first
      const found = range('gate', [queue, ...key], [queue, ...last], { limit: limit + 1 })
      yield [found]
      const next = found.found[limit]
      const marks = found.found.slice(0, limit)
      const size = marks.reduce((sum, { from: begin, to }) => sum + to - begin, 0)
      if (count !== undefined && from === undefined && !next && size !== count) {
        throw new DamagedError('gate', `${count} tasks should wait at gates of ${JSON.stringify(queue)}, not ${size}`)
      }
      return {
        found: marks.map((aside) => ({ lane: aside.lane, from: aside.from, to: aside.to, aside })),
        ...(next ? { next: JSON.stringify([next.gate, next.order, next.lane, next.to - 1]) } : {}),
      }
    },
  }
}

const fixed = (parts: readonly Part[]): Source => ({
  *read() {
    return { found: parts.map(({ lane, from, to }) => ({ lane, from, to })) }
  },
})

/** What is in line at a priority: from the head on, without what has been taken out of the line. */
function lineSources(ledger: Ledger, draft: Draft, priority: number): Source[] {
  const place: Place[] = ledger.lanes.flatMap((state) =>
    state.priority === priority && !state.held ? [{ ledger, state }] : [],
  )
  return place.map(({ state }) => ({
    *read(from, limit) {
      const start = Math.max(state.head, Number(from ?? 0))
      const end = start + limit
      const inside = range('aside', [state.lane, start], [state.lane, end - 1])
      const beyond = range('aside', [state.lane, end], [state.lane, LAST], { limit: 1 })
      yield* draft.load({ tails: [state.lane] }, state.skips > 0 ? [inside, beyond] : [])
      const tail = draft.tail(state.lane)
      const to = Math.min(end, tail)
      const pieces = start < to ? without({ from: start, to }, [...inside.found, ...beyond.found]) : []
      // What is skipped may be long: the next page begins behind it.
      const [over] = beyond.found
      const on = over && over.from <= to ? over.to : to
      const next = on < tail ? { next: String(on) } : {}
      return { found: pieces.map((piece) => ({ lane: state.lane, ...piece })), ...next }
    },
  }))
}
