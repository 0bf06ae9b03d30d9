/** Where every position of a lane is, from whatever is left of the records that say so. Pure arithmetic. */
import type { HostId, Lane, Position } from '../../task.js'
import { skip } from '../aside.js'
import type { Part } from '../ledger.js'
import { type AsideMark, BLOCK_TASKS } from '../records.js'
import { firstAfter, type Stretch, size } from '../stretches.js'
import { both, minus, union } from './stretches.js'
import { BEYOND, type BrokenOutcome, type Log } from './survey.js'

export interface Lease extends Part {
  host: HostId
}

/** What is known of a lane before it is put in order. */
export interface Evidence {
  lane: Lane
  queue: string
  priority: number
  held: boolean
  /** undefined: its ledger is lost. */
  head: Position | undefined
  log: Log
  /** What outcomes cover that can be read. */
  ended: readonly Stretch[]
  brokenOutcomes: readonly BrokenOutcome[]
  /** Marks and gates: what is in both is here twice, the mark first. */
  asides: readonly AsideMark[]
  leases: readonly Lease[]
  /** What parts of batches say there is. */
  parts: readonly Stretch[]
}

/** A lane in order. */
export interface Places {
  tail: Position
  head: Position
  /** Stretches that need a block without inputs in place of those that are gone. */
  lost: Stretch[]
  /** Where in them a block began, or may have. */
  starts: Position[]
  /** Had not ended, and never can: their inputs are lost. */
  failed: Stretch[]
  /** Had ended, and nobody knows how. */
  unknown: Stretch[]
  /** Below the head and in no place. Whether they had ended the counts of the ledger may tell. */
  nowhere: Stretch[]
  leases: Lease[]
  asides: AsideMark[]
  skips: AsideMark[]
}

export function placesOf(of: Evidence): Places {
  const covered = union(of.log.runs)
  const end = covered.at(-1)?.to ?? 0
  const within: Stretch[] = [{ from: 0, to: end + BEYOND }]
  const asides = of.asides.filter(({ to }) => to <= end + BEYOND)
  const ended = both(union(of.ended), within)
  // Parts of batches tell how long a block was.
  const broken = of.log.broken.map(({ from, to }) => {
    const known = of.parts.some((part) => part.from <= from && from < part.to)
    return { from, to: known ? from + 1 : Math.min(to, nextStart(of.log, from)) }
  })
  const brokenEnds = of.brokenOutcomes.map(({ to }) => ({ from: to - 1, to }))
  const known = both(union(ended, asides, of.leases, of.parts, broken, brokenEnds), within)
  const tail = Math.max(end, known.at(-1)?.to ?? 0, Math.min(of.head ?? 0, end + BEYOND))
  const skips = asides.filter(({ gate }) => gate === null)
  const head = of.held ? tail : Math.min(of.head ?? headOf(of, { ended, asides, skips, covered }), tail)
  // What is missing below the head and left no trace was pruned.
  const gaps = minus([{ from: 0, to: tail }], covered)
  const lost = both(gaps, union(known, of.held ? [] : [{ from: head, to: tail }]))
  const whole = union(covered, lost)

  const unreadable = union(of.brokenOutcomes.map((outcome) => stretchOf(outcome, of, { ended, asides, skips, head })))
  const unknown = both(unreadable, whole)
  const leases = disjoint(of.leases, union(ended, unknown), whole)
  const leased = union(leases)
  const failed = minus(union(lost, both(of.log.lost, whole)), union(ended, unknown, leased))
  const over = union(ended, unknown, failed)
  const waiting = disjoint(
    asides.filter(({ gate }) => gate !== null),
    union(over, leased),
    whole,
  )
  const line = minus(both(whole, [{ from: head, to: tail }]), union(skips, over, leased, waiting))
  const nowhere = minus(whole, union(over, leased, waiting, line))
  const starts = startsIn(of, end, tail)
  return { tail, head, lost, starts, failed, unknown, nowhere, leases, asides: waiting, skips }
}

/**
 * Someone who saw a lane end there appends there without reading: the key must be taken, or that would lie under what is
 * lost. The keys of blocks that can't be read tell, and parts, one for each append. Behind the last of those nobody knows.
 */
function startsIn({ log, parts }: Evidence, end: Position, tail: Position): Position[] {
  const starts = new Set(log.broken.map(({ from }) => from))
  const guessed = minus([{ from: Math.max(end, tail - BLOCK_TASKS), to: tail }], union(parts))
  for (const { from, to } of guessed) for (let p = from; p < to; p++) starts.add(p)
  return [...starts].sort((a, b) => a - b)
}

/** Not beyond what waits in line still; and nothing that was claimed or has ended may be claimed again. */
function headOf(
  of: Evidence,
  at: {
    ended: readonly Stretch[]
    asides: readonly AsideMark[]
    skips: readonly Stretch[]
    covered: readonly Stretch[]
  },
): Position {
  const waiting = at.asides.filter(({ gate }) => gate !== null)
  const elsewhere = minus(union(at.ended, waiting), union(at.skips))
  const first = at.skips.reduce((least, { from }) => Math.min(least, from), Number.POSITIVE_INFINITY)
  const passed = elsewhere.filter(({ from }) => from < first)
  const unreadable = of.brokenOutcomes.map(({ to }) => to)
  return Math.max(Math.min(first, passed.at(-1)?.to ?? 0), at.covered[0]?.from ?? 0, ...unreadable)
}

function nextStart({ starts }: Log, p: Position): Position {
  const after = starts.find((start) => start > p)
  return after ?? Number.POSITIVE_INFINITY
}

/** An outcome holds as many as a block, mostly; where it began it says itself, or what lies around it. */
function stretchOf(
  { from, to }: BrokenOutcome,
  { leases }: Evidence,
  at: { ended: readonly Stretch[]; asides: readonly AsideMark[]; skips: readonly Stretch[]; head: Position },
): Stretch {
  const start = from ?? Math.max(0, to - BLOCK_TASKS)
  // In line ahead of the head, unless something tells it to be skipped.
  const line = minus([{ from: at.head, to: Math.max(to, at.head) }], union(at.skips))
  const waiting = at.asides.filter(({ gate }) => gate !== null)
  const free = minus([{ from: start, to }], union(at.ended, waiting, leases, line)).at(-1)
  return free?.to === to ? free : { from: to, to }
}

/** The first of those that cover a position keeps it, unless it is taken or beyond what there is. */
function disjoint<T extends Stretch>(list: readonly T[], taken: readonly Stretch[], whole: readonly Stretch[]): T[] {
  const kept: T[] = []
  const free = minus(whole, taken)
  const sorted = list.map((one, i) => ({ one, i })).sort((a, b) => a.one.from - b.one.from || a.i - b.i)
  let seen = 0
  for (const { one } of sorted) {
    const from = Math.max(one.from, seen)
    if (from >= one.to) continue
    seen = one.to
    const pieces = both([{ from, to: one.to }], free.slice(firstAfter(free, from), firstAfter(free, one.to) + 1))
    for (const piece of pieces) kept.push(piece.from === one.from && piece.to === one.to ? one : { ...one, ...piece })
  }
  return kept
}

/**
 * Ahead of the head, whatever is not in line is covered by a mark: by its own if it is aside, else by a skip. One each for
 * what may come back alone.
 */
export function skipsFor(
  of: { lane: Lane; queue: string; held: boolean },
  places: Places,
  over: readonly Stretch[],
): AsideMark[] {
  if (of.held) return []
  const ahead: Stretch[] = [{ from: places.head, to: places.tail }]
  const leased = union(places.leases)
  const needed = minus(both(union(over, leased), ahead), union(places.asides))
  const kept = disjoint(places.skips, [], needed)
  const missing = minus(needed, union(kept))
  const single = both(missing, leased).flatMap(({ from, to }) =>
    Array.from({ length: to - from }, (_, i) => ({ from: from + i, to: from + i + 1 })),
  )
  const joint = minus(missing, leased)
  return [...kept, ...[...single, ...joint].map(({ from, to }) => skip(of, from, to))]
}

/** How many positions ahead of the head are covered by marks. */
export const aheadOf = (places: Places, held: boolean, marks: readonly Stretch[]): number =>
  held ? 0 : size(both(union(marks), [{ from: places.head, to: places.tail }]))
