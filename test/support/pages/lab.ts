import { type Executor, inline, TaskQueue, TaskWorker, type TaskWorkerOptions } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { webWorkers } from 'sitq/web-worker'
import type { Handlers, Item } from './tab-handlers.js'

/** What a page is told in its address. */
export interface LabOptions {
  database: string
  /** Its name in results. */
  tab: string
  /** Default: no worker. */
  start?: Pick<TaskWorkerOptions, 'lease' | 'renewEvery'> & { size?: number }
}

/**
 * A page that uses the library as an app does and does nothing else: no channel, no lock, no listener of its own. Tests call
 * it by `lab`, from the outside.
 */
export class Lab {
  readonly errors: string[] = []
  /** What became of the promises that `keep` was given. */
  readonly kept: Record<string, unknown> = {}
  readonly backend: IndexedDBBackend
  readonly queue: TaskQueue<Handlers>
  readonly worker: TaskWorker
  readonly #name: string

  constructor({ database, tab, start = {} }: LabOptions) {
    const { size = 2, ...timing } = start
    this.#name = `${database} ${tab}`
    this.backend = new IndexedDBBackend({ name: database })
    this.queue = new TaskQueue<Handlers>({ backend: this.backend })
    const onError = (error: unknown) => this.errors.push(String(error))
    this.worker = new TaskWorker(this.queue, { executor: this.pool(size), onError, warn: onError, ...timing })
  }

  pool(size: number): Executor {
    const name = this.#name
    return webWorkers(
      () => new Worker(new URL('../workers/tab.worker.ts', import.meta.url), { type: 'module', name }),
      { size },
    )
  }

  /** Does not wait: what comes of it is in `kept`. */
  keep(name: string, promise: Promise<unknown>): void {
    promise.then(
      (value) => {
        this.kept[name] = value
      },
      (error) => {
        this.kept[name] = String(error)
      },
    )
  }

  items = (total: number, ms = 0): Item[] => Array.from({ length: total }, (_, index) => ({ index, ms }))

  /** Handlers that hold go on, in all tabs. Said again and again: Web Workers that begin later have not heard. */
  go(database: string): void {
    const channel = new BroadcastChannel(`witness:${database}`)
    setInterval(() => channel.postMessage({ type: 'go' }), 50)
  }
}

declare global {
  var lab: Lab
  var sitq: typeof parts
}

/** For tests that make their own. */
const parts = { Lab, TaskQueue, TaskWorker, IndexedDBBackend, inline }

const options: LabOptions = JSON.parse(decodeURIComponent(location.hash.slice(1) || '{"database":"lab","tab":"lab"}'))
globalThis.sitq = parts
globalThis.lab = new Lab(options)
if (options.start) lab.keep('start', lab.worker.start())
