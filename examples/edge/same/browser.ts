// In a page: IndexedDB and Web Workers. What came of it is left for whoever opened the page.
import { TaskQueue, TaskWorker } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { webWorkers } from 'sitq/web-worker'
import type { Handlers } from '../../../demo/handlers.js'
import { outputsOf } from './batch.js'

const users = Number(new URLSearchParams(location.search).get('users'))
const queue = new TaskQueue<Handlers>({ backend: new IndexedDBBackend({ name: 'same' }) })
const worker = new TaskWorker(queue, {
  executor: webWorkers(
    () => new Worker(new URL('../../../demo/handlers.worker.ts', import.meta.url), { type: 'module' }),
  ),
})
await worker.start()
const outputs = await outputsOf(queue, users)
await worker.stop()
document.body.append(JSON.stringify(outputs))
document.body.dataset.done = 'true'
