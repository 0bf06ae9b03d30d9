import { TaskQueue, TaskWorker } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { webWorkers } from 'sitq/web-worker'
import type { Handlers } from './handlers'

const queue = new TaskQueue<Handlers>({ backend: new IndexedDBBackend({ name: 'consumer' }) })
const worker = new TaskWorker(queue, {
  executor: webWorkers(() => new Worker(new URL('./handlers.worker.ts', import.meta.url), { type: 'module' })),
})
await worker.start()

const task = await queue.enqueue('double', { value: 21, note: 'from the page' })
const output: number = await task.result({ timeout: 20_000 })
// @ts-expect-error a wrong handler name must not compile
void (() => queue.enqueue('treble', { value: 1, note: '' }))
// @ts-expect-error nor must a wrong input
void (() => queue.enqueue('double', { value: '1', note: '' }))

const result = document.querySelector('#result')
if (result) result.textContent = `completed: ${output}`
await worker.stop()
await queue.close()
