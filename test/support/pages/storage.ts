import { inline, type StorageNotice, TaskQueue, TaskWorker } from 'sitq'
import { partsOf } from '../../../src/indexeddb/parts.js'
import { LocalBackend } from '../../../src/local.js'
import { layouts } from '../layouts.js'

/** What a page is told in its address; a reload tells it the same. */
export interface StoragePage {
  database: string
  /** Of which layout the page's code is. Default 1. */
  layout?: keyof typeof layouts
  fallback?: 'memory'
  /** Whether it runs tasks. Default false. */
  worker?: boolean
}

const options: StoragePage = JSON.parse(decodeURIComponent(location.hash.slice(1)))
const { database, layout = 1, fallback, worker: works = false } = options
const parts = partsOf({ name: database, layout: layouts[layout], ...(fallback ? { fallback } : {}) })
const long = () => Array.from({ length: 10_000 }, () => crypto.randomUUID()).join()
const handlers = {
  double: (n: number) => n * 2,
  long: (text: string) => text.slice(1),
  wait: () => new Promise<number>(() => {}),
}
const queue = new TaskQueue<typeof handlers>({ backend: new LocalBackend(parts.local) })
const events: StorageNotice['event'][] = []
queue.subscribe((event) => event.type === 'storage' && events.push(event.event))
const worker = new TaskWorker(queue, { executor: inline(handlers), onError: () => {}, warn: () => {} })
const coded = (error: unknown): string =>
  error instanceof Error ? `${'code' in error ? error.code : error.name}` : String(error)

/** Called by tests, by its name. What rejects resolves to the error's code. */
export const page = {
  events: () => events,
  role: () => worker.role,
  start: () => (works ? worker.start().catch(coded) : worker.role),
  enqueue: (n: number) => queue.enqueue('double', n).then(({ id }) => id, coded),
  /**
   * Does it after a time in which nothing can reach the page's thread: what happens meanwhile it hears of only then. Cookies are read
   * at any time: one says that the time has begun, one that it is over.
   */
  after: async ([begun, over]: readonly [string, string], what: 'enqueue' | 'counts' | 'put') => {
    await cookieStore.set(begun, 'yes')
    const latest = performance.now() + 20_000
    while (!document.cookie.includes(over) && performance.now() < latest);
    if (what !== 'put') return what === 'counts' ? page.counts() : page.enqueue(1)
    const write = { kind: 'put', store: 'marks', key: ['test'], record: 1 } as const
    return parts.local.storage
      .run(
        function* () {
          yield []
          return { writes: [write], value: 'stored' }
        },
        { stores: ['marks'], write: true },
      )
      .catch(coded)
  },
  /** A string, so long and random that the browser stores it in a file of its own. */
  enqueueLong: () => queue.enqueue('long', long()).then(({ id }) => id, coded),
  /** Runs until the page ends. */
  wait: () => queue.enqueue('wait').then(({ id }) => id, coded),
  code: async (id: string) => {
    const result = await queue.getResult(id)
    return result?.status === 'failed' ? result.error.code : undefined
  },
  result: (id: string) => queue.getResult(id, { timeout: 10_000 }).then((result) => result?.status ?? 'waiting', coded),
  counts: () => queue.counts().catch(coded),
  repair: () => queue.repair().catch(coded),
  clear: () => queue.clear().catch(coded),
  crashes: async (id: string) => (await queue.backend.get([id]))[0]?.crashes,
  destroy: async () => {
    await worker.stop({ grace: 0 })
    await queue.close()
    return parts.destroy().then(() => 'destroyed', coded)
  },
}

await page.start()
Object.assign(globalThis, { page })
