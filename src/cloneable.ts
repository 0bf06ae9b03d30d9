import { InvalidInputError } from './errors.js'
import { isSimple, LEVELS, plainCopy } from './plain-copy.js'

/**
 * What structured clone copies from thread to thread and IndexedDB refuses all the same. Nothing but a put would tell: the
 * list need not be whole, a storage that refuses what is missing here says so later.
 */
const NOT_STORED = new Set(
  (
    'WebAssembly.Module VideoFrame AudioData EncodedVideoChunk EncodedAudioChunk RTCEncodedVideoFrame ' +
    'RTCEncodedAudioFrame CropTarget RestrictionTarget FencedFrameConfig'
  ).split(' '),
)

const TOO_DEEP = `nested more than ${LEVELS} levels deep`

/** Where a value stops being cloneable: `.user.save`, and what is there. */
interface Flaw {
  path: string
  what: string
  cause?: unknown
}

/**
 * Throws an InvalidInputError whose path leads to the first part of `value` that cannot be stored: functions, symbols,
 * promises, weak collections, DOM nodes, shared memory, compiled WebAssembly, getters that throw … `root` is what the path begins with.
 *
 * Plain data is walked, which is several times faster than cloning it and names the path; everything else is given to
 * structuredClone. A walk cannot see a Proxy (Vue's and MobX's reactive objects are Proxies): `cloneOf` copies what it shows,
 * where it can, and `whyUncloneable` explains one afterwards.
 */
export function assertCloneable(value: unknown, root: string): void {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')) return
  let flaw: Flaw | undefined
  try {
    flaw = walk(value, undefined, 1, false)
  } catch (cause) {
    flaw = { path: '', what: TOO_DEEP, cause }
  }
  if (flaw) throw refusal(root, flaw)
}

/** A copy that nobody else can change. Throws like assertCloneable, and for Proxies in what is not plain data. */
export function cloneOf<Value>(value: Value, root: string): Value {
  if (typeof value === 'object' && value !== null) {
    try {
      const copy = plainCopy(value)
      if (copy) return copy
    } catch {
      // What is not readable is told by the path to it.
    }
  }
  return strictClone(value, root)
}

function strictClone<Value>(value: Value, root: string): Value {
  if (isSimple(value)) return value
  assertCloneable(value, root) // structuredClone takes more than storages do: shared memory, compiled WebAssembly
  try {
    return structuredClone(value)
  } catch (cause) {
    throw refusal(root, follow(value, cause))
  }
}

/** Explains a DataCloneError after the fact, whatever caused it; undefined if the value can be cloned. Slow. */
export function whyUncloneable(value: unknown, root: string): InvalidInputError | undefined {
  try {
    strictClone(value, root)
    return undefined
  } catch (error) {
    return error instanceof InvalidInputError ? error : refusal(root, { path: '', what: 'not cloneable', cause: error })
  }
}

function refusal(root: string, { path, what, cause }: Flaw): InvalidInputError {
  return new InvalidInputError(
    root + path,
    `${root}${path} cannot be stored: it is ${what}. Use plain data, such as objects, arrays, dates, blobs and typed arrays.`,
    cause === undefined ? undefined : { cause },
  )
}

/**
 * The seen objects are only collected once there is one inside another: most inputs are flat. `cloned`: structuredClone has
 * taken it with what it is part of. What is left to find is what no storage takes: to clone each part again would cost its
 * depth times as much.
 */
function walk(value: unknown, seen: Set<object> | undefined, level: number, cloned: boolean): Flaw | undefined {
  if (value === null) return undefined
  if (typeof value === 'function') return { path: '', what: 'a function' }
  if (typeof value === 'symbol') return { path: '', what: 'a symbol' }
  if (typeof value !== 'object' || seen?.has(value)) return undefined
  if (level > LEVELS) throw new RangeError(TOO_DEEP)
  try {
    if (Array.isArray(value)) return items(value, seen, level, cloned)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) return exotic(value, seen ?? new Set(), level, cloned)
    return fields(value, seen, level, cloned)
  } catch (cause) {
    if (cause instanceof RangeError) throw cause // too deep, for us or for the stack
    return { path: '', what: 'not readable', cause } // a Proxy that was revoked, or has traps that throw
  }
}

function items(
  value: readonly unknown[],
  seen: Set<object> | undefined,
  level: number,
  cloned: boolean,
): Flaw | undefined {
  for (let i = 0; i < value.length; i++) {
    const item = value[i]
    // An array may be 4,000,000,000 long and hold three things: after a hole only its keys are looked at.
    if (item === undefined && !(i in value)) return fields(value, seen, level, cloned)
    if (isSimple(item)) continue
    seen = (seen ?? new Set()).add(value)
    const flaw = walk(item, seen, level + 1, cloned)
    if (flaw) return { ...flaw, path: `[${i}]${flaw.path}` }
  }
  return undefined
}

function fields(value: object, seen: Set<object> | undefined, level: number, cloned: boolean): Flaw | undefined {
  for (const key of Object.keys(value)) {
    let item: unknown
    try {
      item = Reflect.get(value, key)
    } catch (cause) {
      return { path: stepIn(value, key), what: 'a getter that throws', cause }
    }
    if (isSimple(item)) continue
    seen = (seen ?? new Set()).add(value)
    const flaw = walk(item, seen, level + 1, cloned)
    if (flaw) return { ...flaw, path: stepIn(value, key) + flaw.path }
  }
  return undefined
}

function exotic(value: object, seen: Set<object>, level: number, cloned: boolean): Flaw | undefined {
  if (value instanceof Map) {
    seen.add(value)
    for (const [key, item] of value) {
      const flaw = walk(key, seen, level + 1, cloned) ?? walk(item, seen, level + 1, cloned)
      if (flaw) return { ...flaw, path: `.get(${isSimple(key) ? JSON.stringify(key) : '…'})${flaw.path}` }
    }
    return undefined
  }
  if (value instanceof Set) {
    seen.add(value)
    for (const item of value) {
      const flaw = walk(item, seen, level + 1, cloned)
      if (flaw) return flaw
    }
    return undefined
  }
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value
  if (typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer) {
    return { path: '', what: 'shared memory (a SharedArrayBuffer)' }
  }
  // A buffer may be large, so it is not copied to see whether it can be. An empty one may be detached, and copies fast.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) return undefined
  if (value instanceof Date || value instanceof RegExp) return undefined
  const tag = tagOf(value)
  if (NOT_STORED.has(tag)) return { path: '', what: `a ${tag}` }
  try {
    if (!cloned) structuredClone(value)
  } catch (cause) {
    return blame(value, cause)
  }
  // An instance of a class is stored as plain data: what its fields hold may still be what no storage takes.
  if (tag === 'Error' && 'cause' in value) return walk(value.cause, seen.add(value), level + 1, true)
  return tag === 'Object' ? fields(value, seen.add(value), level, true) : undefined
}

function tagOf(value: unknown): string {
  try {
    return Object.prototype.toString.call(value).slice(8, -1)
  } catch {
    return 'Proxy' // revoked, or with a trap that throws
  }
}

/** Never throws. What is too deep for structured clone is not followed: each step would try to clone all that is below. */
function follow(value: unknown, cause: unknown): Flaw {
  if (cause instanceof RangeError) return { path: '', what: TOO_DEEP, cause }
  try {
    return blame(value, cause)
  } catch {
    return { path: '', what: 'not readable', cause }
  }
}

/** Follows a value that structured clone refused down to the part it refused. */
function blame(value: unknown, cause: unknown): Flaw {
  if (typeof value === 'function') return { path: '', what: 'a function' }
  const tag = tagOf(value)
  const plain = tag === 'Object' || tag === 'Array'
  if (plain && typeof value === 'object' && value !== null) {
    for (const key of Object.keys(value)) {
      let item: unknown
      try {
        item = Reflect.get(value, key)
      } catch (thrown) {
        return { path: stepIn(value, key), what: 'a getter that throws', cause: thrown }
      }
      try {
        structuredClone(item)
      } catch (refused) {
        const flaw = blame(item, refused)
        return { ...flaw, path: stepIn(value, key) + flaw.path }
      }
    }
  }
  return { path: '', what: plain ? 'no plain object, probably a Proxy (give a copy of it)' : `a ${tag}`, cause }
}

/** What an array has beside its items (and structured clone copies) is named like a field. */
const stepIn = (value: object, key: string) => (Array.isArray(value) && /^\d+$/.test(key) ? `[${key}]` : pathStep(key))

/** A key as the next step of a path: `.user`, `["first name"]`. */
export function pathStep(key: string): string {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}
