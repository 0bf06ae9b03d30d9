import { TaskQueue, TaskWorker } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { webWorkers } from 'sitq/web-worker'
import type { Handlers } from '../handlers.js'

// Nothing is touched before the first operation: importing this module starts nothing.
// Where a database can't be had (site data blocked, a broken disk) the page works all the same, and says that nothing is kept.
export const backend = new IndexedDBBackend({ name: 'sitq-demo', fallback: 'memory' })

export const queue = new TaskQueue<Handlers>({ backend })

/** Two at least, so that there is one to kill and one to go on. */
const size = Math.max(2, (globalThis.navigator?.hardwareConcurrency ?? 2) - 1)

export const executor = webWorkers(
  () => new Worker(new URL('../handlers.worker.ts', import.meta.url), { type: 'module' }),
  { size },
)

export const worker = new TaskWorker(queue, { executor })
