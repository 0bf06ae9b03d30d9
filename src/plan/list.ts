/** Lists of tasks by state, in pages. A page's cost depends on its size alone, not on how many tasks there are. */
import type { Cursor, Page, Reads } from '../backend.js'
import type { Key } from '../keys.js'
import type { Plan } from '../storage.js'
import type { Interval, Position, TaskState, TaskView } from '../task.js'
import { Blocks } from './cache.js'
import { DamagedError } from './damage.js'
import { Draft, leasedIn, type Step } from './ledger.js'
import { runsOf } from './outcome.js'
import { cursorOf, cut, page, placeIn } from './pages.js'
import { type ReadContext, view } from './read.js'
import { type AsideMark, CANCELLED, COMPLETED, type LaneState, type Ledger, type Outcome } from './records.js'
import { only, size, without } from './stretches.js'
import { asidesIn, ceiling, keyWithin, LAST, range } from './tables.js'

type Query = Reads['tasks']['query']

/** A stretch of tasks in the state asked for, with what was found to cover it. */
interface Found extends Interval {
  aside?: AsideMark
  outcome?: Outcome
}

/** A part of a listing, read from a key on. Sources are listed one after the other. */
interface Source {
  /** Cursors tell it by this: before the next page is asked for there may be more sources, of new queues and lanes. */
  name: Key
  /**
   * Of stretches, in the source's order; where they began, so that what is added before that does not move the pages; and
   * where to go on.
   */
  read(from: Key | undefined, limit: number): Step<{ found: Found[]; start?: Key | undefined; next?: Key | undefined }>
  /** Positions of a stretch are listed from its end. */
  backwards?: boolean
}

/** Outcome records looked at for one page: in a long log of completed tasks the cancelled ones may be far apart. */
const SCAN = 32
/** … and at one time. */
const SCANNED = 4

export function* list(query: Query, context: ReadContext, cursor?: Cursor): Plan<Page<TaskView>> {
  const draft = new Draft()
  yield* draft.load({ ledgers: true })
  const sources = draft.ledgersOf(query.queue).flatMap((ledger) => sourcesIn(ledger, draft, query.state))
  const [name, before = 0, place] = placeIn(cursor)
  let index = name === undefined ? 0 : sources.findIndex((source) => source.name === name)
  let [skipped, from] = [Number(before), place]
  const items: TaskView[] = []
  for (let scanned = 0; scanned < SCAN && items.length < query.limit; scanned++) {
    const source = sources[index]
    if (!source) return page(items)
    const room = query.limit - items.length
    const { found, start, next } = yield* source.read(from, room + skipped)
    const taken = positions(found, { backwards: source.backwards ?? false, skipped, limit: room })
    items.push(...(yield* viewsOf(draft, context, taken)))
    skipped += taken.length
    if (skipped < size(found)) return page(items, cursorOf(source.name, skipped, from ?? start))
    skipped = 0
    from = next
    if (next === undefined) index++
  }
  const source = sources[index]
  return page(items, source && cursorOf(source.name, 0, from))
}

type FoundAt = { found: Found; position: Position }

/** Only those of this page: a stretch may be a million long. */
function positions(found: readonly Found[], o: { backwards: boolean; skipped: number; limit: number }): FoundAt[] {
  const all: FoundAt[] = []
  let skipped = o.skipped
  for (const stretch of found) {
    const count = stretch.to - stretch.from
    for (let i = skipped; i < count && all.length < o.limit; i++) {
      all.push({ found: stretch, position: o.backwards ? stretch.to - 1 - i : stretch.from + i })
    }
    skipped = Math.max(0, skipped - count)
  }
  return all
}

function* viewsOf(draft: Draft, { cache, origin }: ReadContext, refs: readonly FoundAt[]): Step<TaskView[]> {
  const blocks = new Blocks(cache)
  yield* blocks.need(refs.map(({ found: { lane }, position }) => only({ lane, position })))
  return refs.flatMap(({ found: { lane, aside, outcome }, position }) => {
    const block = blocks.at(lane, position)
    return (block && view(draft.place(lane), block, position, { origin, aside, outcome })) ?? []
  })
}

function sourcesIn(ledger: Ledger, draft: Draft, state: TaskState): Source[] {
  const { queue, lanes } = ledger
  const priorities = [...new Set(lanes.map(({ priority }) => priority))].sort((a, b) => a - b)
  switch (state) {
    case 'completed':
    case 'cancelled':
      return lanes.map(({ lane }) => outcomeSource(lane, state === 'completed' ? COMPLETED : CANCELLED)).reverse()
    case 'failed':
      return [deadSource(queue)]
    case 'running':
      return [fixed(queue, leasedIn(ledger))]
    case 'scheduled':
      // Times are at least 1: order 0 means available.
      return priorities.map((p) => gateSource([queue, p, 1], [queue, p, LAST]))
    case 'blocked':
      return [gateSource([queue, ''], [queue, LAST], ledger.aside.blocked?.waiting ?? 0)]
    case 'available':
      return priorities.flatMap((p) => [
        gateSource([queue, p], [queue, p, 0, LAST]),
        ...lanes.filter(({ priority, held }) => priority === p && !held).map((lane) => lineSource(lane, draft)),
      ])
  }
}

function outcomeSource(lane: number, kind: number): Source {
  return {
    name: lane,
    backwards: true,
    *read(from = Number.POSITIVE_INFINITY) {
      const read = range('outcome', [lane, 0], [lane, from], { limit: SCANNED, reverse: true })
      yield [read]
      const { found } = read
      const last = found[SCANNED - 1]
      return {
        found: found.flatMap((outcome) =>
          runsOf(outcome, kind)
            .reverse()
            .map((run) => ({ ...run, outcome })),
        ),
        start: found[0] && found[0].to - 1,
        next: last && last.from > 0 ? last.from - 1 : undefined,
      }
    },
  }
}

function deadSource(queue: string): Source {
  return {
    name: queue,
    backwards: true,
    *read(from = [queue, LAST], limit) {
      const read = range('dead', [queue], from, { limit: limit + 1, reverse: true })
      yield [read]
      const { found: marks, next } = cut(read, limit)
      const outcomes = marks.map(({ lane, to }) => ceiling('outcome', lane, to - 1))
      if (outcomes.length > 0) yield outcomes
      const found = marks.flatMap(({ lane, from: begin, to }, i) => {
        const outcome = outcomes[i]?.found[0]
        return outcome ? [{ lane, from: begin, to, outcome }] : []
      })
      return { found, start: marks[0] && keyWithin('dead', marks[0]), next }
    },
  }
}

/** `count`: how many there must be. Hosts look here for what they parked, and nowhere else. */
function gateSource(first: Key, last: Key, count?: number): Source {
  return {
    name: JSON.stringify(first),
    *read(from, limit) {
      const read = range('gate', from ?? first, last, { limit: limit + 1 })
      yield [read]
      const { found: marks, next } = cut(read, limit)
      if (count !== undefined && from === undefined && next === undefined && size(marks) !== count) {
        throw new DamagedError('gate', `${count} tasks should wait at gates, not ${size(marks)}`)
      }
      return { found: marks.map((aside) => ({ lane: aside.lane, from: aside.from, to: aside.to, aside })), next }
    },
  }
}

const fixed = (name: Key, parts: readonly Interval[]): Source => ({
  name,
  *read() {
    return { found: parts.map(({ lane, from, to }) => ({ lane, from, to })) }
  },
})

/** What is in line: from the head on, without what has been taken out of the line. */
function lineSource({ lane, head, skips }: LaneState, draft: Draft): Source {
  return {
    name: lane,
    *read(from, limit) {
      const start = Math.max(head, Number(from ?? 0))
      const end = start + limit
      const [inside, beyond] = asidesIn({ lane, from: start, to: end })
      yield* draft.load({ tails: [lane] }, skips > 0 ? [inside, beyond] : [])
      const tail = draft.tail(lane)
      const to = Math.min(end, tail)
      const pieces = start < to ? without({ from: start, to }, [...inside.found, ...beyond.found]) : []
      // What is skipped may be long: the next page begins behind it.
      const [over] = beyond.found
      const on = over && over.from <= to ? over.to : to
      return { found: pieces.map((piece) => ({ lane, ...piece })), next: on < tail ? on : undefined }
    },
  }
}
