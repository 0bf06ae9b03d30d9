/** What a million finished tasks in the database cost those that come after them. */

import { TaskWorker } from 'sitq'
import type { Load, Row, Sample, Side } from '../contract.js'
import { WrongOutcomeError } from '../contract.js'
import { each, latencies, timed } from './clock.js'
import { generated, item, items } from './items.js'
import { completed, ended, freshQueue, openQueue, pool, startWorker } from './sitq.js'

const FULL = 'bench-full'
const EMPTY = 'bench-empty'
/** Of those that are stored beforehand: tasks in one batch, all completed. */
const BATCH = 'stored before'
/** Measured in each round, whatever is stored. */
const FEW = 5_000

async function fill(name: string, { tasks, say }: Load): Promise<void> {
  const queue = await freshQueue(name)
  const worker = await startWorker(queue)
  const batch = await queue.enqueueMany('noop', generated(tasks), { id: BATCH })
  for await (const { done } of batch.watch()) say(`${done} of ${tasks}`)
  await worker.stop()
  await queue.close()
}

/** Claim and settle, and the two ways to look, on whatever is stored. */
async function use(name: string): Promise<Sample> {
  const queue = openQueue(name)
  const worker = await startWorker(queue)
  await queue.pause()
  const before = (await queue.counts()).completed
  const batch = await queue.enqueueMany('noop', items(FEW))
  const drain = await timed(async () => {
    await queue.resume()
    await ended(batch)
  })
  const results = await batch.collect()
  if (results.length !== FEW) throw new WrongOutcomeError(`${results.length} of ${FEW} tasks have ended.`)
  const counts: number[] = []
  const looks: number[] = []
  for (let i = 0; i < 200; i++) {
    counts.push(await timed(() => queue.counts()))
    const index = Math.floor(Math.random() * FEW)
    looks.push(
      await timed(async () => {
        const found = await queue.getResult<'noop'>(results[index]?.id ?? '', { timeout: 0 })
        if (found?.status !== 'completed' || found.value !== index) throw new WrongOutcomeError(JSON.stringify(found))
      }),
    )
  }
  if ((await queue.counts()).completed !== before + FEW) throw new WrongOutcomeError('counts() is wrong.')
  await worker.stop()
  await queue.close()
  const [count = {}, look = {}] = [latencies(counts), latencies(looks)]
  return {
    'claim+settle µs/task': each(drain, FEW),
    'counts() p50 ms': count['p50 ms'] ?? Number.NaN,
    'getResult() p50 ms': look['p50 ms'] ?? Number.NaN,
  }
}

const NONE = 'an empty database'
const metrics = ['claim+settle µs/task', 'counts() p50 ms', 'getResult() p50 ms']

const growth: Row = {
  name: 'growth',
  title: 'claim and settle, counts, getResult with many finished tasks stored',
  tasks: 1_000_000,
  small: 20_000,
  ours: { name: 'many stored', prepare: (load) => fill(FULL, load), measure: () => use(FULL) },
  others: [{ name: NONE, most: 1, prepare: (load) => fill(EMPTY, load), measure: () => use(EMPTY) }],
  goals: metrics.map((metric) => ({ metric, as: 'cost', against: NONE, atMost: 1.2 })),
}

/** From start() on a database that nobody has opened in this browser yet: until it is host, and until a first task has ended. */
async function open(name: string): Promise<Sample> {
  const queue = openQueue(name)
  const worker = new TaskWorker(queue, { executor: pool(2) })
  const from = performance.now()
  const role = await worker.start()
  const host = performance.now() - from
  if (role !== 'host') throw new WrongOutcomeError(`The worker is ${role}.`)
  const value = await (await queue.enqueue('noop', item(7))).result()
  const first = performance.now() - from
  if (value !== 7) throw new WrongOutcomeError(`The first task came to ${value}.`)
  await completed(queue, 1)
  await worker.stop()
  await queue.close()
  return { 'host ms': host, 'first task ms': first }
}

const side = (name: string, database: string): Side => ({
  name,
  prepare: (load) => fill(database, load),
  measure: () => open(database),
})

const opening: Row = {
  name: 'opening',
  title: 'starting the host with many tasks stored',
  tasks: 1_000_000,
  small: 20_000,
  runner: 'the browser is to be started anew',
  ours: side('many stored', FULL),
  others: [{ ...side(NONE, EMPTY), most: 1 }],
  goals: [
    { metric: 'host ms', as: 'cost', against: NONE, atMost: 1.2 },
    { metric: 'first task ms', as: 'cost', against: NONE, atMost: 1.2 },
  ],
}

export const growthRows: readonly Row[] = [growth, opening]
