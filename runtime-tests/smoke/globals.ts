/** What platforms have, or lack: every global name that is not ECMAScript's own. */
const known =
  'indexedDB IDBKeyRange IDBRequest IDBDatabase IDBTransaction IDBIndex IDBCursor IDBObjectStore navigator document window self location ' +
  'localStorage sessionStorage caches fetch crypto performance setTimeout clearTimeout setInterval clearInterval setImmediate ' +
  'queueMicrotask structuredClone addEventListener removeEventListener dispatchEvent postMessage CustomEvent Event EventTarget ' +
  'AbortController AbortSignal DOMException BroadcastChannel MessageChannel MessagePort Worker SharedWorker process Deno Bun Buffer ' +
  'scheduler Blob File TextEncoder TextDecoder URL Headers Request Response ReadableStream TransformStream WritableStream'

const ownOfLanguage =
  /^(globalThis|Object|Function|Array|Number|parseFloat|parseInt|Infinity|NaN|undefined|Boolean|String|Symbol|Date|Promise|RegExp|Math|JSON|Reflect|Proxy|Map|Set|BigInt|Atomics|DataView|WebAssembly|WeakMap|WeakSet|WeakRef|FinalizationRegistry|Iterator|Intl|eval|isFinite|isNaN|console|decodeURI\w*|encodeURI\w*|escape|unescape|Temporal|(Async|Suppressed)?DisposableStack|\w*Error|\w*Array|\w*ArrayBuffer|__\w+__)$/

function names(): string[] {
  const all = new Set(known.split(' '))
  for (let object: unknown = globalThis; typeof object === 'object' && object; object = Object.getPrototypeOf(object))
    for (const name of Object.getOwnPropertyNames(object)) all.add(name)
  return [...all].filter((name) => !ownOfLanguage.test(name) && !(name in Object.prototype))
}

/** Node and Deno load modules with JavaScript of their own, which uses globals too: the caller of the getter is theirs. */
const byRuntime = (stack = ''): boolean =>
  /\b(node|ext):/.test(stack.split('\n').filter((line) => /^\s*at /.test(line))[1] ?? '')

/** The globals that `run` reads, calls or looks for, missing ones too. */
export async function touchedBy(run: () => unknown): Promise<string[]> {
  const touched = new Set<string>()
  const before = new Map<string, PropertyDescriptor | undefined>()
  const restore = () => {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor)
      else Reflect.deleteProperty(globalThis, name)
    }
  }
  for (const name of names()) {
    const descriptor = Object.getOwnPropertyDescriptor(globalThis, name)
    if (descriptor && !descriptor.configurable) continue
    const value: unknown = Reflect.get(globalThis, name)
    before.set(name, descriptor)
    Object.defineProperty(globalThis, name, {
      configurable: true,
      get() {
        if (!byRuntime(new Error().stack)) touched.add(name)
        return value
      },
    })
  }
  try {
    await run()
  } finally {
    restore()
  }
  return [...touched].sort()
}
