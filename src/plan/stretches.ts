/** Arithmetic of positions. A list of stretches is sorted, and its stretches don't overlap, unless said otherwise. */
import type { Interval, Lane, Position } from '../task.js'

export interface Stretch {
  from: Position
  to: Position
}

/** One position, as an id of this database gives it. */
export interface Ref {
  lane: Lane
  position: Position
}

/** The stretch that is this position alone. */
export const only = ({ lane, position }: Ref): Interval => ({ lane, from: position, to: position + 1 })

export const covers = (stretch: Interval, { lane, position }: Ref): boolean =>
  stretch.lane === lane && stretch.from <= position && position < stretch.to

export const byPlace = (a: Ref, b: Ref): number => a.lane - b.lane || a.position - b.position
/** The same of stretches. */
export const inOrder = (a: Interval, b: Interval): number => a.lane - b.lane || a.from - b.from

export const size = (list: readonly Stretch[]): number => list.reduce((sum, { from, to }) => sum + to - from, 0)

/** The shared part of two stretches, or undefined if there is none. */
export function overlap(a: Stretch, b: Stretch): Stretch | undefined {
  const from = Math.max(a.from, b.from)
  const to = Math.min(a.to, b.to)
  return from < to ? { from, to } : undefined
}

/** What is left of a stretch without others. */
export function without(whole: Stretch, holes: readonly Stretch[]): Stretch[] {
  const left: Stretch[] = []
  let { from } = whole
  for (const hole of holes) {
    if (hole.to <= from || hole.from >= whole.to) continue
    if (hole.from > from) left.push({ from, to: hole.from })
    from = Math.max(from, hole.to)
  }
  if (from < whole.to) left.push({ from, to: whole.to })
  return left
}

/** Adds one to a list, or lengthens the last one by it: if that ends where this begins, and is like it. */
export function extend<T extends Stretch>(list: T[], next: T, alike: (last: T, next: T) => boolean = () => true): void {
  const last = list.at(-1)
  if (last && last.to === next.from && alike(last, next)) last.to = next.to
  else list.push({ ...next })
}

/** As fewer and longer ones, in order: those that are nearer to each other than this go together. */
export function together(stretches: readonly Interval[], near: number): Interval[] {
  const all: Interval[] = []
  for (const next of [...stretches].sort(inOrder)) {
    const last = all.at(-1)
    if (last?.lane === next.lane && next.from - last.to < near) last.to = Math.max(last.to, next.to)
    else all.push({ ...next })
  }
  return all
}

/** The stretch of a list that holds a position. */
export function holding<T extends Stretch>(list: readonly T[], p: Position): T | undefined {
  const found = list[firstAfter(list, p)]
  return found && found.from <= p ? found : undefined
}

/** Index of the first stretch that ends after a position. */
export function firstAfter(list: readonly Stretch[], p: Position): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((list[middle]?.to ?? 0) <= p) low = middle + 1
    else high = middle
  }
  return low
}
