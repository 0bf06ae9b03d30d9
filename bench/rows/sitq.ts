/** Our side of most rows: a fresh queue, a host with Web Workers, and a look afterwards at what is really stored. */
import { type Batch, TaskQueue, TaskWorker } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { webWorkers } from 'sitq/web-worker'
import { WrongOutcomeError } from '../contract.js'
import { pause } from './clock.js'
import type { Handlers } from './handlers.js'
import { isItem, item } from './items.js'

const NAME = 'bench-sitq'
/** Looked at after each round. */
const SAMPLES = 100

export type Queue = TaskQueue<Handlers>

export const openQueue = (name = NAME): Queue => new TaskQueue<Handlers>({ backend: new IndexedDBBackend({ name }) })

/** Other tabs, if there were any, have said by then that they are there, in ms: it is known whether anyone is to be told of tasks. */
const ANSWERED = 200

/** A queue on a database that was not there before, open and warm: the first task of all is stored and gone. */
export async function freshQueue(name = NAME): Promise<Queue> {
  await new IndexedDBBackend({ name }).destroy()
  const queue = openQueue(name)
  await (await queue.enqueue('noop', item(0))).cancel()
  await pause(ANSWERED)
  return queue
}

export const pool = (size = 2) =>
  webWorkers(() => new Worker(new URL('./handlers.worker.ts', import.meta.url), { type: 'module' }), { size })

/** A host whose Web Workers have all run something. */
export async function startWorker(queue: Queue, size = 2): Promise<TaskWorker> {
  const worker = new TaskWorker(queue, { executor: pool(size) })
  if ((await worker.start()) !== 'host') throw new Error('Another tab is the host of this database. Close it.')
  const batch = await queue.enqueueMany(
    'noop',
    Array.from({ length: 64 * size }, (_, id) => item(id)),
  )
  await ended(batch)
  return worker
}

/** Resolves once every task of it has ended, durably. */
export async function ended(batch: Batch<unknown>): Promise<void> {
  for await (const _ of batch.watch());
}

/** Resolves once so many tasks have completed in all. */
export async function completed(queue: Queue, count: number): Promise<void> {
  while ((await queue.counts()).completed < count) await pause(10)
}

/** Ends it and opens its database again: what is looked at then was stored. */
export async function reopened(queue: Queue, worker?: TaskWorker): Promise<Queue> {
  await worker?.stop()
  await queue.close()
  return openQueue(queue.backend instanceof IndexedDBBackend ? queue.backend.name : NAME)
}

/** The batch is complete, and 100 random outcomes say what they should. Closes everything. */
export async function checkOutcomes(queue: Queue, worker: TaskWorker, id: string, tasks: number): Promise<void> {
  const again = await reopened(queue, worker)
  const results = (await (await again.batch<'noop'>(id))?.collect()) ?? []
  if (results.length !== tasks) throw new WrongOutcomeError(`${results.length} of ${tasks} tasks have ended.`)
  await checkValues(
    again,
    results.map(({ id }) => id),
  )
  await again.close()
}

/** The same for tasks that were enqueued one by one, whose ids are in the order of their inputs. */
export async function checkCompleted(queue: Queue, worker: TaskWorker, ids: readonly string[]): Promise<void> {
  const again = await reopened(queue, worker)
  await checkValues(again, ids)
  await again.close()
}

/** So many have completed. Closes everything. */
export async function checkCount(queue: Queue, worker: TaskWorker, count: number): Promise<void> {
  const again = await reopened(queue, worker)
  const found = (await again.counts()).completed
  if (found !== count) throw new WrongOutcomeError(`${found} of ${count} tasks have completed.`)
  await again.close()
}

async function checkValues(queue: Queue, ids: readonly string[]): Promise<void> {
  for (let i = 0; i < SAMPLES; i++) {
    const index = Math.floor(Math.random() * ids.length)
    const found = await queue.getResult<'noop'>(ids[index] ?? '', { timeout: 0 })
    if (found?.status !== 'completed' || found.value !== index) {
      throw new WrongOutcomeError(`Task ${index} came to ${JSON.stringify(found)}.`)
    }
  }
}

/** 100 random tasks are stored with the inputs they were given. Closes everything. */
export async function checkInputs(queue: Queue, ids: readonly string[]): Promise<void> {
  const again = await reopened(queue)
  for (let i = 0; i < SAMPLES; i++) {
    const index = Math.floor(Math.random() * ids.length)
    const view = await again.task(ids[index] ?? '').get()
    if (!isItem(view?.input, index)) throw new WrongOutcomeError(`Task ${index} is ${JSON.stringify(view)}.`)
  }
  await again.close()
}

/** The same for a batch none of whose tasks has ended: goes through the pages and looks at random tasks of each. Closes everything. */
export async function checkWaiting(queue: Queue, tasks: number): Promise<void> {
  const again = await reopened(queue)
  const perPage = Math.ceil(SAMPLES / Math.ceil(tasks / 1_000))
  let seen = 0
  let cursor: string | undefined
  do {
    const page = await again.list({ state: 'available', limit: 1_000, ...(cursor === undefined ? {} : { cursor }) })
    for (let i = 0; i < perPage; i++) {
      const index = Math.floor(Math.random() * page.items.length)
      const input = page.items[index]?.input
      if (!isItem(input, seen + index)) throw new WrongOutcomeError(`Task ${seen + index} is ${JSON.stringify(input)}.`)
    }
    seen += page.items.length
    cursor = page.next
  } while (cursor !== undefined)
  if (seen !== tasks) throw new WrongOutcomeError(`${seen} of ${tasks} tasks wait.`)
  await again.close()
}
