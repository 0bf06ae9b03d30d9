import { afterAll, expect, onTestFinished } from 'vitest'
import type { Backend } from '../../src/backend.js'
import type { Executor } from '../../src/executor.js'
import type { HandlerMap } from '../../src/handlers.js'
import { IndexedDBBackend } from '../../src/indexeddb/index.js'
import { inline } from '../../src/inline.js'
import { MemoryBackend } from '../../src/memory/index.js'
import { TaskQueue } from '../../src/queue.js'
import { TaskWorker } from '../../src/worker.js'

let made = 0
const indexedDBBackend = () => {
  const name = `hostile-${Date.now()}-${made++}`
  onTestFinished(() => void indexedDB.deleteDatabase(name))
  return new IndexedDBBackend({ name })
}

/** Each backend there is: IndexedDB is the real one in Chromium, and fake-indexeddb in Node. */
export const backends: [name: string, make: () => Backend][] = [
  ['memory', () => new MemoryBackend()],
  ['IndexedDB', indexedDBBackend],
]

export interface App<Handlers extends HandlerMap = HandlerMap> {
  queue: TaskQueue<Handlers>
  worker: TaskWorker
  /** What the worker had to report beside outcomes. */
  complaints: unknown[]
}

/** A queue with a worker that has begun; all of it ends with the test. */
export async function app<Handlers extends HandlerMap = HandlerMap>(
  backend: Backend,
  served: HandlerMap | Executor,
): Promise<App<Handlers>> {
  const queue = new TaskQueue<Handlers>({ backend })
  const complaints: unknown[] = []
  const executor = isExecutor(served) ? served : inline(served)
  const onError = (error: unknown) => void complaints.push(error)
  const worker = new TaskWorker(queue, { executor, onError })
  onTestFinished(async () => {
    await worker.stop({ grace: 0 })
    await queue.close()
  })
  await worker.start()
  return { queue, worker, complaints }
}

const isExecutor = (served: HandlerMap | Executor): served is Executor =>
  typeof served.give === 'function' && typeof served.recall === 'function'

/** Nothing a test file did may have changed what every object inherits. */
export function leavesPrototypesAlone(): void {
  const keysOf = () => [Object, Array, Function, Map, Promise].map((of) => Reflect.ownKeys(of.prototype))
  const before = keysOf()
  afterAll(() => {
    expect(keysOf()).toEqual(before)
    expect(Object.keys(Object.prototype)).toEqual([])
  })
}

/** Names that mean something to JavaScript, to HTML, to storages or to this library. */
export const names: string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'then',
  'length',
  '0',
  '-1',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\udc00\ud800',
  '\uffff',
  '\u{1f600}',
  "'; DROP TABLE tasks; --",
  '"><img src=x onerror=alert(1)>',
  '</script><script>alert(1)</script>',
  '../../etc/passwd',
  '%00',
  'blocked',
  'handler:x',
  'input:x',
  'default',
  'x'.repeat(10_000),
]
