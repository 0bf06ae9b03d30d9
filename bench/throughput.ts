/** Tasks per second, in and through, beside the one-record-per-task baseline of the same run. The clock stops at durable completion. */
import { TaskQueue, TaskWorker } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { webWorkers } from 'sitq/web-worker'
import { drainRows, openBaseline, storeRows } from './baseline.js'
import type { Handlers } from './handlers.js'

export interface Round {
  tasks: number
  /** Tasks per second. */
  enqueueMany: number
  drain: number
  baselineEnqueue: number
  baselineDrain: number
}

/** 150–300 bytes, as real tasks carry. */
const input = (id: number) => ({ id, text: `task ${id} `.padEnd(180, 'abcdefghij') })

const workerFile = () => new Worker(new URL('./handlers.worker.ts', import.meta.url), { type: 'module' })

const perSecond = (count: number, ms: number) => Math.round((count / ms) * 1000)

async function ours(tasks: number): Promise<{ enqueueMany: number; drain: number }> {
  const backend = new IndexedDBBackend({ name: 'bench' })
  await backend.destroy()
  const fresh = new IndexedDBBackend({ name: 'bench' })
  const queue = new TaskQueue<Handlers>({ backend: fresh })
  const executor = webWorkers(() => new Worker(new URL('./handlers.worker.ts', import.meta.url), { type: 'module' }), {
    size: 2,
  })
  const inputs = Array.from({ length: tasks }, (_, id) => input(id))

  const stored = performance.now()
  const batch = await queue.enqueueMany('noop', inputs)
  const enqueueMs = performance.now() - stored

  const worker = new TaskWorker(queue, { executor })
  const started = performance.now()
  await worker.start()
  while ((await batch.progress()).done < tasks) await new Promise((resolve) => setTimeout(resolve, 20))
  const drainMs = performance.now() - started
  await check(queue, tasks)
  await worker.stop()
  await queue.close()
  return { enqueueMany: perSecond(tasks, enqueueMs), drain: perSecond(tasks, drainMs) }
}

/** Everything is there, and says what it should. */
async function check(queue: TaskQueue<Handlers>, tasks: number): Promise<void> {
  const counts = await queue.counts()
  if (counts.completed !== tasks) throw new Error(`completed ${counts.completed} of ${tasks}`)
  const { items } = await queue.list({ state: 'completed', limit: 100 })
  for (const { result, input: given } of items) {
    const id = typeof given === 'object' && given !== null && 'id' in given ? given.id : undefined
    if (result?.status !== 'completed' || result.value !== id)
      throw new Error(`a wrong outcome: ${JSON.stringify(result)}`)
  }
}

async function baseline(tasks: number): Promise<{ baselineEnqueue: number; baselineDrain: number }> {
  const db = await openBaseline()
  const inputs = Array.from({ length: tasks }, (_, id) => input(id))
  const stored = performance.now()
  await storeRows(db, inputs)
  const enqueueMs = performance.now() - stored
  const started = performance.now()
  const drained = await drainRows(db)
  const drainMs = performance.now() - started
  if (drained !== tasks) throw new Error(`the baseline drained ${drained} of ${tasks}`)
  db.close()
  return { baselineEnqueue: perSecond(tasks, enqueueMs), baselineDrain: perSecond(tasks, drainMs) }
}

export async function round(tasks: number, baselineTasks: number): Promise<Round> {
  return { tasks, ...(await ours(tasks)), ...(await baseline(baselineTasks)) }
}

/** Tasks per second stored by `enqueueMany`, and the same until the last one has ended, by the size of its chunks. */
export async function chunks(tasks: number, sizes: readonly number[]) {
  const rows: { size: number; stored: number; ended: number }[] = []
  const backend = new IndexedDBBackend({ name: 'bench-chunks' })
  const queue = new TaskQueue<Handlers>({ backend })
  const executor = webWorkers(workerFile, { size: 2 })
  const worker = new TaskWorker(queue, { executor })
  await worker.start()
  for (const chunkSize of sizes) {
    const started = performance.now()
    const inputs = Array.from({ length: tasks }, (_, id) => input(id))
    const batch = await queue.enqueueMany('noop', inputs, { chunkSize })
    const stored = perSecond(tasks, performance.now() - started)
    await batch.collect()
    rows.push({ size: chunkSize, stored, ended: perSecond(tasks, performance.now() - started) })
  }
  await worker.stop()
  await queue.close()
  await backend.destroy()
  return rows
}

declare global {
  var benchRound: typeof round
  var benchChunks: typeof chunks
}
globalThis.benchRound = round
globalThis.benchChunks = chunks
