import { type Exchange, type Exchanged, TaskQueue, TaskWorker, type WorkerRole, type WorkerView } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { webWorkers } from 'sitq/web-worker'
import type { Handlers, Item } from './tab-handlers.js'
import { summary, teller } from './witness.js'

/** What a page is told in its address; a reload tells it the same. */
export interface TabOptions {
  database: string
  /** Its name in what is seen of it. */
  tab: string
  /** Runs tasks, or only looks on. Default `'new'`: all handlers. */
  handlers?: 'new' | 'old' | 'none'
  /** Neither hears nor tells anything. Default false. */
  deaf?: boolean
  /** What it writes to localStorage is lost, as sometimes in Firefox when a page is closed. Default false. */
  forgetful?: boolean
}

export interface TabState {
  role: WorkerRole
  /** Web Workers started in this page. */
  spawned: number
  workers: WorkerView[]
}

const options: TabOptions = JSON.parse(decodeURIComponent(location.hash.slice(1)))
const { database, tab, handlers = 'new', deaf = false, forgetful = false } = options
const { tell } = teller(database, tab)

if (deaf) {
  // Alone in a channel of its own.
  globalThis.BroadcastChannel = class extends BroadcastChannel {
    constructor(name: string) {
      super(`${name}:${crypto.randomUUID()}`)
    }
  }
}

if (forgetful) Storage.prototype.setItem = () => {}

class WatchedBackend extends IndexedDBBackend {
  override async exchange(x: Exchange): Promise<Exchanged> {
    const answer = await super.exchange(x)
    // Said before the executor is given anything, so that no run is seen whose claim is not.
    tell(summary(tab, x, answer))
    return answer
  }
}

const queue = new TaskQueue<Handlers>({ backend: new WatchedBackend({ name: database }) })

let spawned = 0
const name = `${database} ${tab}`
// Spelled out twice: Vite looks for the file's name in the source.
const factories = {
  new: () => new Worker(new URL('../workers/tab.worker.ts', import.meta.url), { type: 'module', name }),
  old: () => new Worker(new URL('../workers/tab-old.worker.ts', import.meta.url), { type: 'module', name }),
}

function start(factory: () => Worker): TaskWorker {
  const counted = () => {
    spawned++
    return factory()
  }
  const executor = webWorkers(counted, { size: 2 })
  const onError = (error: unknown) => tell({ type: 'error', tab, message: String(error) })
  const worker = new TaskWorker(queue, { executor, onError, warn: onError, visible: () => true })
  worker.start().catch(onError)
  return worker
}

const worker = handlers === 'none' ? undefined : start(factories[handlers])

const items = (from: number, to: number, ms: number): Item[] =>
  Array.from({ length: to - from }, (_, i) => ({ index: from + i, ms }))

/** Called by tests, by its name. */
export const page = {
  /** Resolves once the role is known. */
  start: () => worker?.start(),

  state: (): TabState => ({ role: worker?.role ?? 'stopped', spawned, workers: worker?.workers() ?? [] }),

  kill: (number: number) => worker?.kill(number),

  /** Stores a batch; with `gate`, it gets no further than that input. */
  async store({ id, total, chunkSize, gate }: { id: string; total: number; chunkSize: number; gate?: number }) {
    async function* inputs() {
      for (const item of items(0, total, 0)) {
        if (item.index === gate) await new Promise(() => {})
        yield item
      }
    }
    const batch = await queue.enqueueMany('work', inputs(), { id, chunkSize })
    return batch.progress()
  },

  /** The indices of the results, as they come. */
  async results(id: string, order: 'ended' | 'input'): Promise<number[]> {
    const batch = await queue.batch<'work'>(id)
    const seen: number[] = []
    for await (const { index, status } of batch?.results({ order }) ?? []) if (status === 'completed') seen.push(index)
    return seen
  },

  async collect(id: string): Promise<number[]> {
    const batch = await queue.batch<'work'>(id)
    const results = (await batch?.collect()) ?? []
    return results.map((result) => (result.status === 'completed' ? result.value.square : -1))
  },
}

Object.assign(globalThis, { page })
