/**
 * How deep a value may be nested. A value must be readable in every thread, and the stacks of Web Workers are a fraction of a
 * page's: in Chromium they give up at some 1,100 levels, and the message then arrives as null.
 */
export const LEVELS = 500

/** Neither an object nor a thing that cannot be cloned. */
export function isSimple(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')
}

/**
 * A copy of plain data: objects and arrays of text, numbers and their like, and of each other, in any shape. Many times faster
 * than structuredClone for what inputs mostly are, and takes reactive Proxies for the data they show. undefined: there is something else in it.
 * Reads everything once. Throws what getters and Proxies' traps throw.
 */
export function plainCopy<Value extends object>(value: Value): Value | undefined
export function plainCopy(value: object): object | undefined {
  return copyOf(value, 1)
}

/** `copies`: by what they are of. There are none until there is one object inside another. */
function copyOf(value: object, level: number, copies?: Map<object, object>): object | undefined {
  if (level > LEVELS) return undefined
  if (Array.isArray(value)) return copyItems(value, level, copies)
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? copyFields(value, level, copies) : undefined
}

function copyFields(value: object, level: number, copies?: Map<object, object>): object | undefined {
  const copy: { [key: string]: unknown } = { ...value }
  copies?.set(value, copy)
  for (const key in copy) {
    const item = copy[key]
    if (isSimple(item)) continue
    copies ??= new Map([[value, copy]])
    const inner = copyInner(item, level, copies)
    if (!inner) return undefined
    copy[key] = inner
  }
  return copy
}

/**
 * Neither arrays with holes nor those that have more than items: an array may be 4,000,000,000 long and hold three things.
 * A list of the values tells both, and several times faster than one of the keys, which are texts.
 */
function copyItems(value: readonly unknown[], level: number, copies?: Map<object, object>): object | undefined {
  const copy: unknown[] = Object.values(value)
  if (copy.length !== value.length) return undefined
  copies?.set(value, copy)
  for (let i = 0; i < copy.length; i++) {
    if (!(i in value)) return undefined // what the array has beside its items makes up for a hole
    const item = copy[i]
    if (isSimple(item)) continue
    copies ??= new Map([[value, copy]])
    const inner = copyInner(item, level, copies)
    if (!inner) return undefined
    copy[i] = inner
  }
  return copy
}

/** One copy of what is met twice, or within itself. */
function copyInner(item: unknown, level: number, copies: Map<object, object>): object | undefined {
  if (typeof item !== 'object' || item === null) return undefined
  return copies.get(item) ?? copyOf(item, level + 1, copies)
}
