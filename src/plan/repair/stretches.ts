/** Arithmetic of positions. A list of stretches is sorted, and its stretches neither overlap nor touch unless said otherwise. */
import type { Stretch } from '../stretches.js'

/** What any of these cover, in any order. */
export function union(...lists: (readonly Stretch[])[]): Stretch[] {
  const sorted = lists.flat().sort((a, b) => a.from - b.from)
  const all: Stretch[] = []
  for (const { from, to } of sorted) {
    if (from >= to) continue
    const last = all.at(-1)
    if (last && from <= last.to) last.to = Math.max(last.to, to)
    else all.push({ from, to })
  }
  return all
}

/** What both cover. Touching stretches stay apart. */
export function both(a: readonly Stretch[], b: readonly Stretch[]): Stretch[] {
  const shared: Stretch[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [left, right] = [a[i], b[j]]
    if (!left || !right) break
    const from = Math.max(left.from, right.from)
    const to = Math.min(left.to, right.to)
    if (from < to) shared.push({ from, to })
    if (left.to < right.to) i++
    else j++
  }
  return shared
}

/** What `a` covers and `b` doesn't. */
export function minus(a: readonly Stretch[], b: readonly Stretch[]): Stretch[] {
  const left: Stretch[] = []
  let j = 0
  for (const { from, to } of a) {
    let p = from
    while (j < b.length && (b[j]?.to ?? 0) <= p) j++
    for (let k = j; p < to; k++) {
      const hole = b[k]
      if (!hole || hole.from >= to) {
        left.push({ from: p, to })
        break
      }
      if (hole.from > p) left.push({ from: p, to: hole.from })
      p = Math.max(p, hole.to)
    }
  }
  return left
}
