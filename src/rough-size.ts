import { isSimple } from './plain-copy.js'

/** How many parts of a value are looked at to judge its size. */
const NODES = 64

/**
 * About how many bytes a cloneable value takes when stored: a byte a character, buffers and Blobs whole. Of what is not flat it
 * looks at 64 parts at most and takes the rest to be like those, so that it costs the same for every value.
 */
export function roughSize(value: unknown): number {
  return flatSize(value) ?? sizeOf(value, NODES)
}

/**
 * The size of what most inputs are: a plain object that holds nothing but text, numbers and their like; or one of those
 * alone. undefined: it is something else, and may not even be cloneable. Looks at each part once.
 */
export function flatSize(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null) return isSimple(value) ? sizeOf(value, 1) : undefined
  try {
    if (Array.isArray(value)) return undefined
    const prototype: unknown = Object.getPrototypeOf(value)
    return prototype === Object.prototype || prototype === null ? flatFields(value) : undefined
  } catch {
    return undefined // a getter or a Proxy's trap throws
  }
}

/** `for in` is several times faster than a list of keys; what it finds beyond the object's own are not stored. */
function flatFields<Fields extends object>(value: Fields): number | undefined {
  let size = 4
  for (const key in value) {
    const item: unknown = value[key]
    if (typeof item === 'string') size += key.length + item.length + 4
    else if (typeof item === 'number') size += key.length + 10
    else if (isSimple(item)) size += key.length + 4
    else return undefined
  }
  return size
}

function sizeOf(value: unknown, nodes: number): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return typeof value === 'number' ? 8 : 2
  // Items are mostly alike, fields are not: of an array fewer parts are looked at, so that each is looked into.
  if (Array.isArray(value)) return 4 + sumOf(value.length, nodes, (i, share) => sizeOf(value[i], share), 4)
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return 8 + value.byteLength
  if (typeof Blob !== 'undefined' && value instanceof Blob) return 32 + value.size
  if (value instanceof Set || value instanceof Map) {
    const items: unknown[] = first<unknown>(value, nodes)
    return 4 + (sumOf(items.length, nodes, (i, share) => sizeOf(items[i], share), 4) * value.size) / (items.length || 1)
  }
  if (value instanceof Error) return 64 + value.message.length + (value.stack?.length ?? 0)
  const keys = Object.keys(value)
  if (keys.length < nodes) {
    // The same sum, of all of them: most objects are small.
    const share = Math.floor((nodes - 1) / keys.length)
    let size = 4
    for (const key of keys) size += part(value, key, share)
    return size
  }
  return 4 + sumOf(keys.length, nodes, (i, share) => part(value, keys[i] ?? '', share))
}

function part(value: object, key: string, nodes: number): number {
  return key.length + 2 + sizeOf(Reflect.get(value, key), nodes)
}

/** Sums the sizes of `count` parts from evenly spaced ones, which share the nodes that are left: at least `each`, if there are many. */
function sumOf(count: number, nodes: number, size: (index: number, share: number) => number, each = 1): number {
  if (count === 0) return 0
  const left = nodes - 1
  if (left < 1) return count * 8 // not looked into: taken for numbers
  const looked = Math.min(count, Math.max(1, Math.floor(left / each)))
  const share = Math.floor(left / looked)
  const stride = count / looked
  let sum = 0
  for (let i = 0; i < looked; i++) sum += size(Math.floor(i * stride), share)
  return sum * stride
}

function first<Item>(items: Iterable<Item>, count: number): Item[] {
  const taken: Item[] = []
  for (const item of items) {
    if (taken.length >= count) break
    taken.push(item)
  }
  return taken
}
