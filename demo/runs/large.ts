import type { TaskQueue } from 'sitq'
import type { Handlers } from '../handlers.js'
import { items, largeBatch } from '../jobs/samples.js'

/** A large batch, as it is kept to be found again. */
export interface LargeJob {
  id: string
  count: number
  delay: number
  startedAt: number
  /** Tasks stored in one transaction. Default: the queue's. */
  chunkSize?: number
}

export function isLargeJob(value: unknown): value is LargeJob {
  if (typeof value !== 'object' || value === null) return false
  const are = (type: string, ...keys: string[]) => keys.every((key) => typeof Reflect.get(value, key) === type)
  return are('string', 'id') && are('number', 'count', 'delay', 'startedAt')
}

/** Stores the tasks that are not stored yet; resolves when all are. They run meanwhile. */
export function startLarge(queue: TaskQueue<Handlers>, { id, count, delay, chunkSize }: Omit<LargeJob, 'startedAt'>) {
  const inputs = items<unknown>(largeBatch(count), delay)
  return queue.enqueueMany('processItem', inputs, chunkSize === undefined ? { id } : { id, chunkSize })
}

/** Waits for the end. Resolves with how often the batch was seen to move. */
export async function ended(batch: { watch(): AsyncIterable<unknown> }): Promise<number> {
  let moves = -1
  for await (const _ of batch.watch()) moves++
  return moves
}
