import { TaskQueue, TaskWorker } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { webWorkers } from 'sitq/web-worker'
import type { Handlers } from '../handlers.js'

// Nothing is touched before the first operation: importing this module starts nothing.
export const backend = new IndexedDBBackend({ name: 'sitq-demo' })

export const queue = new TaskQueue<Handlers>({ backend })

/** Two at least, so that there is one to kill and one to go on. */
const size = Math.max(2, (globalThis.navigator?.hardwareConcurrency ?? 2) - 1)

export const executor = webWorkers(
  () => new Worker(new URL('../handlers.worker.ts', import.meta.url), { type: 'module' }),
  { size },
)

export const worker = new TaskWorker(queue, { executor })
