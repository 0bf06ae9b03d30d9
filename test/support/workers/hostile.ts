import { defineHandlers } from '../../../src/handlers.js'
import { thrown } from '../../hostile/thrown.js'
import { kept, refused } from '../../hostile/values.js'

const named = (list: readonly (readonly [string, () => unknown, ...unknown[]])[], what: string) =>
  list.find(([name]) => name === what)?.[1]()

/** What handlers may do to the thread they share with others, and with this library. */
const vandals: Record<string, () => unknown> = {
  'replaces postMessage and the handlers of messages': () => {
    Object.assign(globalThis, { postMessage: undefined, onmessage: null, onerror: () => true, close: undefined })
  },
  'adds to the prototypes': () => {
    for (const of of [Object, Array, Function]) {
      Object.defineProperty(of.prototype, 'extra', { value: 'polluted', enumerable: true, configurable: true })
    }
  },
  'freezes the prototypes': () => {
    for (const of of [Object, Array, Map, Set, Promise]) Object.freeze(of.prototype)
  },
  'sets timers that never end': () => {
    for (let i = 0; i < 100; i++) setInterval(() => {}, 1)
  },
  'listens to everything': () => {
    for (const type of ['message', 'error', 'unhandledrejection']) {
      addEventListener(type, (event) => event.stopImmediatePropagation())
    }
  },
  'rejects without anyone listening': () => {
    void Promise.reject(new Error('nobody listens'))
  },
  'logs through a console that throws': () => {
    console.error = () => {
      throw new Error('console')
    }
  },
}
export const vandalisms = Object.keys(vandals)

/** Served by hostile.worker.ts. */
export const hostile = defineHandlers({
  echo: (input: unknown) => input,
  returnsKept: (what: string) => named(kept, what),
  returnsRefused: (what: string) => named(refused, what),
  throws: (what: string) => {
    throw thrown[what]?.make()
  },
  vandalize: (what: string) => vandals[what]?.(),
  sizeOf: (input: string | ArrayBuffer | Blob) =>
    typeof input === 'string' ? input.length : input instanceof Blob ? input.size : input.byteLength,
  text: (length: number) => 'é'.repeat(length),
  bytes: (length: number) => new ArrayBuffer(length),
  blob: (length: number) => new Blob([new Uint8Array(length)]),
  keyCount: (input: object) => Object.keys(input).length,
  levelsOf: (input: unknown) => {
    let levels = 0
    for (let value = input; Array.isArray(value); value = value[0]) levels++
    return levels
  },
  follow: (count: number, ctx) => {
    for (let i = 0; i < count; i++) ctx.enqueue('echo', i, { batch: 'followed' })
  },
  ...Object.fromEntries([
    ['__proto__', (input: unknown) => ['__proto__', input]],
    ['constructor', (input: unknown) => ['constructor', input]],
    ['\ud800', (input: unknown) => ['\ud800', input]],
  ]),
})
