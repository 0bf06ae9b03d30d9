/** Rows whose other side runs in Node: BullMQ, the queue that servers use, on a Redis of this machine. */
import { Queue, Worker } from 'bullmq'
import { type Load, type Row, type Sample, WrongOutcomeError } from '../contract.js'
import { each, timed } from '../rows/clock.js'
import { drainRow, enqueueManyRow } from '../rows/index.js'
import { type Item, items } from '../rows/items.js'
import { startRedis } from './redis.js'

const CONCURRENCY = 256
/** Jobs in one addBulk. */
const BULK = 4_096
/** A million would take it minutes. */
const MOST = 20_000

/** Its jobs and their return values stay, as ours do. The clock stops when Redis has recorded the last one as completed. */
async function bullmq({ tasks }: Load): Promise<Sample> {
  const redis = await startRedis()
  const { connection } = redis
  const queue = new Queue<Item, number>('bench', { connection })
  let done = 0
  let all = () => {}
  const worker = new Worker<Item, number>('bench', async ({ data }) => data.id, {
    connection,
    concurrency: CONCURRENCY,
    autorun: false,
  })
  worker.on('completed', () => {
    if (++done === tasks) all()
  })
  try {
    await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
    const jobs = items(tasks).map((data) => ({ name: 'noop', data }))
    const ids: (string | undefined)[] = []
    const add = await timed(async () => {
      for (let from = 0; from < tasks; from += BULK) {
        ids.push(...(await queue.addBulk(jobs.slice(from, from + BULK))).map(({ id }) => id))
      }
    })
    const ended = new Promise<void>((resolve) => {
      all = resolve
    })
    const drain = await timed(async () => {
      void worker.run()
      await ended
    })
    for (let i = 0; i < 100; i++) {
      const index = Math.floor(Math.random() * tasks)
      const job = await queue.getJob(ids[index] ?? '')
      if (job?.returnvalue !== index) throw new WrongOutcomeError(`BullMQ's job ${index} came to ${job?.returnvalue}.`)
    }
    return { 'addBulk µs/task': each(add, tasks), 'process µs/task': each(drain, tasks) }
  } finally {
    await worker.close()
    await queue.close()
    await redis.close()
  }
}

const NAME = 'BullMQ on a local Redis'

/** Their other sides are measured here. */
export interface NodeRow extends Row {
  /** The row that the page knows, whose side of ours this one takes. */
  page: Row
}

const against = (name: string, title: string, metric: string, page: Row, atLeast: number): NodeRow => ({
  name,
  title,
  page,
  tasks: page.tasks,
  small: page.small,
  runner: 'it needs a server',
  ours: page.ours,
  others: [
    {
      name: NAME,
      most: MOST,
      measure: async (load) => ({ 'µs/task': (await bullmq(load))[metric] ?? Number.NaN }),
    },
  ],
  goals: [{ metric: 'µs/task', as: 'faster', against: NAME, atLeast }],
})

export const nodeRows: readonly NodeRow[] = [
  against(
    'bullmq',
    `no-ops through 2 Web Workers, beside BullMQ with ${CONCURRENCY} at a time`,
    'process µs/task',
    drainRow,
    3,
  ),
  against('bullmq-add', 'enqueueMany, beside addBulk', 'addBulk µs/task', enqueueManyRow, 15),
]
