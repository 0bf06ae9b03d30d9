/** What priorities and delays cost: enqueued by concurrent calls and drained, beside the same without. */
import type { EnqueueOptions } from 'sitq'
import type { Load, Row, Sample, Side } from '../contract.js'
import { each, pause, timed } from './clock.js'
import { items } from './items.js'
import { checkCompleted, completed, freshQueue, startWorker } from './sitq.js'

const PLAIN = 'neither priority nor delay'
const TOTAL = 'µs/task'

/** Enqueues in slices, as an app does that does not want to hold a million promises, and drains; the wait in between is not timed. */
async function through({ tasks }: Load, optionsOf: (id: number) => EnqueueOptions, delay = 0): Promise<Sample> {
  const queue = await freshQueue()
  const worker = await startWorker(queue)
  const before = (await queue.counts()).completed
  await queue.pause()
  const ids: string[] = []
  const inputs = items(tasks)
  const enqueue = await timed(async () => {
    const stored = await Promise.all(inputs.map((input) => queue.enqueue('noop', input, optionsOf(input.id))))
    ids.push(...stored.map(({ id }) => id))
  })
  await pause(delay)
  const drain = await timed(async () => {
    await queue.resume()
    await completed(queue, before + tasks)
  })
  await checkCompleted(queue, worker, ids)
  const sum = { [TOTAL]: each(enqueue + drain, tasks) }
  return { ...sum, 'enqueue µs/task': each(enqueue, tasks), 'drain µs/task': each(drain, tasks) }
}

const plain: Side = { name: PLAIN, measure: (load) => through(load, () => ({})) }

/** Later than the last of them is stored. */
const DELAY = 3_000

const row = (name: string, title: string, measure: Side['measure'], atMost?: number): Row => ({
  name,
  title,
  tasks: 100_000,
  small: 5_000,
  ours: { name: 'sitq', measure },
  others: [plain],
  goals: [{ metric: TOTAL, as: 'cost', against: PLAIN, ...(atMost === undefined ? {} : { atMost }) }],
})

export const mixedRows: readonly Row[] = [
  row(
    'priorities',
    'concurrent enqueue with 5 priorities mixed, then drained',
    (load) => through(load, (id) => ({ priority: (id * 7) % 5 })),
    2,
  ),
  row(
    'delayed',
    'concurrent enqueue with one delay, then due and drained',
    (load) => through(load, () => ({ delay: DELAY }), DELAY),
    2,
  ),
  row('distinct', 'concurrent enqueue, each with a runAt of its own, then due and drained', (load) => {
    const from = Date.now() + DELAY
    // Scattered over as many ms as there are tasks, up to a second.
    return through(load, (id) => ({ runAt: from + ((id * 7_919) % Math.min(1_000, load.tasks)) }), DELAY + 1_000)
  }),
]
