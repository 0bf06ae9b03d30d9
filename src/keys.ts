/**
 * Keys are numbers, strings, and arrays of keys, ordered as IndexedDB orders them: numbers before strings before
 * arrays, arrays item by item. `±Infinity` and `[]` are useful as bounds: `[]` sorts after every number and string.
 * Dates and buffers, which come after numbers and after strings, are keys of IndexedDB too; nothing of ours has them,
 * but what someone else put there must be found and removed.
 */
export type Key = number | Date | string | ArrayBuffer | readonly Key[]

export const isList = (key: Key): key is readonly Key[] => Array.isArray(key)

const rank = (key: Key): number =>
  typeof key === 'number' ? 0 : key instanceof Date ? 1 : typeof key === 'string' ? 2 : isList(key) ? 4 : 3

/** -1, 0 or 1: the order of two keys, the same as `indexedDB.cmp`. For storages that sort for themselves. */
export function compareKeys(a: Key, b: Key): number {
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : 0
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  const order = Math.sign(rank(a) - rank(b))
  if (order !== 0) return order
  if (a instanceof Date && b instanceof Date) return Math.sign(a.getTime() - b.getTime())
  if (isList(a) && isList(b)) return compareLists(a, b)
  if (a instanceof ArrayBuffer && b instanceof ArrayBuffer) {
    return compareLists([...new Uint8Array(a)], [...new Uint8Array(b)])
  }
  return 0
}

function compareLists(a: readonly Key[], b: readonly Key[]): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const [left, right] = [a[i], b[i]]
    if (left === undefined || right === undefined) break
    const order = compareKeys(left, right)
    if (order !== 0) return order
  }
  return Math.sign(a.length - b.length)
}
