// Three batch jobs: validate and process users, compute metrics, double the numbers of a large batch. Here tasks live in memory
// and run inline, so that this runs anywhere; in an app, take IndexedDBBackend and webWorkers instead, and nothing else changes.
import { defineHandlers, inline, MemoryBackend, PerformanceMonitor, pipeline, TaskQueue, TaskWorker } from 'sitq'

interface User {
  name: string
  email?: string
  age?: number
}

interface Item<Data = unknown> {
  item_id: number
  data: Data
}

// 1. Handlers: functions with a name. What they take and return is known to the compiler everywhere below.

export const handlers = defineHandlers({
  validateUser: ({ item_id, data }: Item<User>) => {
    const errors: string[] = []
    const { email, age } = data
    if (email !== undefined && !email.includes('@')) errors.push('Invalid email format')
    if (age !== undefined && (!Number.isInteger(age) || age < 0 || age > 150)) errors.push('Invalid age')
    return { item_id, is_valid: errors.length === 0, errors, warnings: [], data }
  },

  processItem: ({ item_id, data }: Item) => {
    const text = typeof data === 'string' ? data : JSON.stringify(data)
    const value = typeof data === 'object' && data !== null && 'value' in data ? data.value : undefined
    return {
      item_id,
      original_value: data,
      processed_value: typeof value === 'number' ? value * 2 : text.toUpperCase(),
      status: 'processed',
      timestamp: new Date().toISOString(),
    }
  },

  computeMetrics: (numbers: number[]) => {
    const sum = numbers.reduce((total, number) => total + number, 0)
    if (numbers.length === 0) return { count: 0, sum, average: 0 }
    return {
      count: numbers.length,
      sum,
      average: sum / numbers.length,
      min: Math.min(...numbers),
      max: Math.max(...numbers),
    }
  },
})

// 2. The data.

const five: User[] = [
  { name: 'Alice', email: 'alice@example.com', age: 30 },
  { name: 'Bob', email: 'bob@example.com', age: 25 },
  { name: 'Charlie', email: 'invalid-email', age: 35 },
  { name: 'Diana', email: 'diana@example.com', age: -5 },
  { name: 'Eve', email: 'eve@example.com', age: 28 },
]
const fiveLists = [[1.1, 2.2, 3.3, 4.4, 5.5], [10, 20, 30, 40, 50], [0.1, 0.2, 0.3], [100, 200, 300, 400], []]

const users = [...five, ...five, ...five, ...five].map((data, item_id) => ({ item_id, data }))
const lists = [...fiveLists, ...fiveLists, ...fiveLists]
const large = Array.from({ length: 100 }, (_, i) => ({ item_id: i, data: { value: i, category: `item_${i % 10}` } }))

// 3. A queue to put tasks in, a worker to run them.

export async function main() {
  const queue = new TaskQueue<typeof handlers>({ backend: new MemoryBackend() })
  const worker = new TaskWorker(queue, { executor: inline(handlers) })
  const monitor = new PerformanceMonitor()
  await worker.start()

  /** Runs a job and notes how long it took. */
  const timed = async <T>(tasks: number, job: () => Promise<T>): Promise<T> => {
    const began = performance.now()
    const outcome = await job()
    monitor.record({ tasks, ms: performance.now() - began })
    return outcome
  }

  try {
    // A pipeline: each user is validated, and the valid ones go on to be processed.
    const userSummary = await timed(users.length, async () => {
      const flow = pipeline<typeof handlers>('users').map('validateUser').filter('is_valid').map('processItem')
      const run = await flow.run(queue, users)
      const results = await run.collect({ timeout: 60_000 })
      const { total, dropped } = await run.progress()
      return {
        total_users: total,
        valid_users: total - dropped,
        processed_users: results.filter(({ status }) => status === 'completed').length,
        success_rate: (total - dropped) / total,
      }
    })

    // A batch: one task for each list, the results in the order of the lists.
    const metrics = await timed(lists.length, async () => {
      const batch = await queue.enqueueMany('computeMetrics', lists)
      const results = await batch.collect({ timeout: 60_000 })
      return results.flatMap((result) => (result.status === 'completed' ? [result.value] : []))
    })

    // A larger one, stored 20 tasks at a time, looked at as its tasks end.
    const processed = await timed(large.length, async () => {
      const batch = await queue.enqueueMany('processItem', large, { chunkSize: 20 })
      let sum = 0
      for await (const result of batch.results()) {
        if (result.status === 'completed') sum += Number(result.value.processed_value)
      }
      return { ...(await batch.progress()), sum }
    })

    return { users: userSummary, metrics, large: processed, report: monitor.report() }
  } finally {
    await worker.stop()
    await queue.close()
  }
}
