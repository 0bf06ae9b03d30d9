/** What a chunk of `enqueueMany`, which is a transaction, costs: the same tasks in fewer or more of them, while the host runs them. */
import type { Load, Row, Sample } from '../contract.js'
import { each } from './clock.js'
import { items } from './items.js'
import { checkOutcomes, ended, freshQueue, startWorker } from './sitq.js'

async function stored({ tasks }: Load, chunkSize?: number): Promise<Sample> {
  const queue = await freshQueue()
  const worker = await startWorker(queue)
  const inputs = items(tasks)
  const from = performance.now()
  const batch = await queue.enqueueMany('noop', inputs, chunkSize === undefined ? {} : { chunkSize })
  const enqueued = performance.now() - from
  await ended(batch)
  const all = performance.now() - from
  await checkOutcomes(queue, worker, batch.id, tasks)
  return { 'stored µs/task': each(enqueued, tasks), 'ended µs/task': each(all, tasks) }
}

export const chunkRows: readonly Row[] = [
  {
    name: 'chunks',
    title: 'enqueueMany while 2 Web Workers run what is stored, by the size of a chunk',
    tasks: 4_096,
    small: 1_024,
    ours: { name: 'as it is: 4,096', measure: (load) => stored(load) },
    others: [1, 10, 50, 100, 1_000].map((size) => ({ name: String(size), measure: (load) => stored(load, size) })),
    goals: [],
  },
]
