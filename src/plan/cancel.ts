/** Cancelling stretches of positions, wherever they are. */
import type { Interval } from '../task.js'
import { firstAhead, setAside, skip, takeAside } from './aside.js'
import { countBatch, type Member } from './batch.js'
import { type Draft, decodeParts, encodeParts, type Place, type Step } from './ledger.js'
import { writeCancelled } from './outcome.js'
import type { AsideMark } from './records.js'
import { extend, overlap, type Stretch, size, without } from './stretches.js'
import { asidesIn } from './tables.js'

/** Ends as cancelled what of a stretch has not ended yet, and counts it into its batch, if any. Returns how many positions that were. */
export type Canceller = (stretch: Interval, of?: Member) => number

/** Reads what cancelling these stretches (or parts of them) needs, in one wave. Needs ledgers loaded. */
export function* canceller(
  draft: Draft,
  stretches: readonly Interval[],
  now: number,
  reason: string | undefined,
): Step<Canceller> {
  const known = stretches.filter(({ lane }) => draft.has(lane))
  // A mark that begins in a stretch may end beyond it: the ceiling of its last position finds that one.
  const reads = known.flatMap(asidesIn)
  yield* draft.load({ tails: known.map(({ lane }) => lane) }, reads)
  const marks = new Map<number, Map<number, AsideMark>>()
  for (const mark of reads.flatMap((read) => read.found)) {
    const lane = marks.get(mark.lane) ?? new Map<number, AsideMark>()
    marks.set(mark.lane, lane.set(mark.to, mark))
  }
  return (stretch, of = {}) => {
    if (!draft.has(stretch.lane)) return 0
    const place = draft.place(stretch.lane)
    const mine = marks.get(stretch.lane) ?? new Map<number, AsideMark>()
    marks.set(stretch.lane, mine)
    const pieces = [
      ...fromParts(draft, place, stretch),
      ...fromAside(draft, mine, stretch),
      ...fromLine(draft, place, mine, stretch),
    ]
    // Neighbours as one, so that a long stretch costs one record.
    const ended: Piece[] = []
    for (const piece of pieces.sort((a, b) => a.from - b.from)) extend(ended, piece, alike)
    for (const piece of ended) writeCancelled(draft, { lane: stretch.lane, ...piece }, now, reason)
    const cancelled = size(ended)
    if (cancelled > 0) countBatch(draft, of, 'cancelled', cancelled, now)
    return cancelled
  }
}

/** Positions that end, and how often each was tried. */
type Piece = Stretch & { attempts: number }
const alike = (a: Piece, b: Piece): boolean => a.attempts === b.attempts

/** Out of what hosts hold. They learn of it with their next renewal or exchange, and abort the handlers. */
function fromParts(draft: Draft, { ledger }: Place, stretch: Interval): Piece[] {
  const pieces: Piece[] = []
  for (const entry of Object.values(ledger.hosts)) {
    const before = pieces.length
    const left = decodeParts(entry.parts).flatMap((part) => {
      const cut = part.lane === stretch.lane ? overlap(part, stretch) : undefined
      if (!cut) return part
      pieces.push({ ...cut, attempts: part.attempt })
      return without(part, [cut]).map((rest) => ({ ...part, ...rest }))
    })
    if (pieces.length > before) entry.parts = encodeParts(left)
  }
  if (pieces.length > 0) draft.changed(ledger)
  return pieces
}

/** Out of what is aside behind any gate. Skips stay: what they cover has ended. */
function fromAside(draft: Draft, marks: Map<number, AsideMark>, stretch: Interval): Piece[] {
  const pieces: Piece[] = []
  for (const mark of [...marks.values()]) {
    const cut = mark.gate === null ? undefined : overlap(mark, stretch)
    if (!cut) continue
    marks.delete(mark.to)
    const place = draft.place(mark.lane)
    for (const left of takeAside(draft, mark, cut.from, cut.to)) marks.set(left.to, left)
    for (let p = firstAhead(place, cut.from); p < cut.to; p++) marks.set(p + 1, skip(mark, p, p + 1))
    pieces.push({ ...cut, attempts: mark.attempt - 1 })
  }
  return pieces
}

/** Out of the line: what lies at or after the head, less what is not in line there. The head will skip it. */
function fromLine(draft: Draft, { ledger, state }: Place, marks: Map<number, AsideMark>, stretch: Interval): Piece[] {
  if (state.held) return []
  const line = { from: Math.max(stretch.from, state.head), to: Math.min(stretch.to, draft.tail(stretch.lane)) }
  if (line.from >= line.to) return []
  const pieces = without(
    line,
    [...marks.values()].sort((a, b) => a.from - b.from),
  )
  for (const { from, to } of pieces) {
    const mark = skip({ queue: ledger.queue, lane: stretch.lane }, from, to)
    setAside(draft, mark)
    marks.set(mark.to, mark)
    state.skips += to - from
    draft.changed(ledger)
  }
  return pieces.map((piece) => ({ ...piece, attempts: 0 }))
}
