/** Positions that are not in line: set aside behind a gate, and taken from there again. */
import type { ErrorRecord, Lane } from '../task.js'
import { countAside, type Draft, type Part, type Place } from './ledger.js'
import type { AsideMark } from './records.js'
import { remove } from './tables.js'

/** A host lets go of a stretch: it is the first to be claimed again. */
export function giveBack(draft: Draft, queue: string, part: Part): void {
  const { lane, from, to, attempt, crashes } = part
  const gate = draft.place(lane).state.priority
  setAside(draft, { queue, lane, from, to, gate, order: 0, attempt, crashes })
}

/** Puts a stretch behind a gate. It must have left the place where it was. */
export function setAside(draft: Draft, mark: AsideMark): void {
  const place = draft.place(mark.lane)
  if (mark.gate === null) {
    draft.store('aside', mark)
    draft.skips.push(mark)
    return
  }
  // Ahead of the head lie the skips that covered these positions until now, one for each: the mark stands in their place.
  if (!place.state.held && mark.to > place.state.head) {
    draft.writes.push(remove('aside', [mark.lane, mark.from], [mark.lane, mark.to - 1]))
    draft.skips = draft.skips.filter(({ lane, from, to }) => lane !== mark.lane || from >= mark.to || to <= mark.from)
  }
  draft.store('aside', mark)
  draft.store('gate', mark)
  draft.asides.push(mark)
  countAside(place.ledger, mark.gate, mark.order, mark.to - mark.from)
  draft.changed(place.ledger)
}

/** Sets tasks aside, or stretches of them. Sorted by lane and position. */
export function setAllAside(draft: Draft, sorted: readonly AsideMark[]): void {
  for (const { mark } of joined(sorted)) setAside(draft, mark)
}

/**
 * Neighbours that wait for the same go into one mark, and so do those that failed in the same way: a host that stops gives back
 * hundreds, and thousands fail when the network goes. `of`: how many came to it. Sorted by lane and position.
 */
export function* joined(sorted: readonly AsideMark[]): Generator<{ mark: AsideMark; of: number }> {
  let run: { mark: AsideMark; of: number } | undefined
  for (const mark of sorted) {
    if (run && joins(run.mark, mark)) {
      run.mark.to = mark.to
      run.of++
      continue
    }
    if (run) yield run
    run = { mark: { ...mark }, of: 1 }
  }
  if (run) yield run
}

const joins = (a: AsideMark, b: AsideMark): boolean =>
  a.to === b.from && agree(a, b, ['lane', 'gate', 'order', 'attempt', 'crashes', 'why']) && sameError(a.error, b.error)

function sameError(a: ErrorRecord | undefined, b: ErrorRecord | undefined): boolean {
  if (!a || !b) return a === b
  return agree(a, b, ['name', 'message', 'stack', 'code', 'retryable']) && sameError(a.cause, b.cause)
}

const agree = <T>(a: T, b: T, fields: readonly (keyof T)[]): boolean => fields.every((field) => a[field] === b[field])

/**
 * Takes [from, to) out of a mark that covers it. What is left of the mark stays where it was, in up to two pieces, which
 * are returned. In a lane with a line, a position that the head has not passed yet must not look in line again: a skip
 * stays in its place. A mark may begin behind the head and end beyond it: what was claimed as one is given back as one.
 */
export function takeAside(draft: Draft, mark: AsideMark, from: number, to: number): AsideMark[] {
  const place = draft.place(mark.lane)
  const left: AsideMark[] = []
  if (from > mark.from) left.push({ ...mark, to: from })
  if (to < mark.to) left.push({ ...mark, from: to })
  for (const table of mark.gate === null ? (['aside'] as const) : (['aside', 'gate'] as const)) {
    draft.erase(table, mark)
    for (const piece of left) draft.store(table, piece)
  }
  if (mark.gate !== null) countAside(place.ledger, mark.gate, mark.order, from - to)
  // One each, so that any of them can come back alone.
  for (let p = firstAhead(place, from); p < to; p++) setAside(draft, skip(mark, p, p + 1))
  draft.changed(place.ledger)
  return left
}

/** The first position from one on that the head will still meet. */
export const firstAhead = ({ state }: Place, from: number): number =>
  state.held ? Number.POSITIVE_INFINITY : Math.max(from, state.head)

/** The head moves over [from, to): skips that this transaction wrote there have done their duty. */
export function dropSkips(draft: Draft, lane: Lane, from: number, to: number): void {
  for (const mark of draft.skips) {
    if (mark.lane === lane && mark.from >= from && mark.to <= to) draft.erase('aside', mark)
  }
}

/** Covers ended positions that the head will still meet. */
export function skip(at: { queue: string; lane: number }, from: number, to: number): AsideMark {
  return { queue: at.queue, lane: at.lane, from, to, gate: null, order: 0, attempt: 0, crashes: 0 }
}
