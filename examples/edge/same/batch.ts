/** The batch that the browser, Node and workerd are given, and what became of it. */
import type { BatchResult, TaskQueue } from 'sitq'
import type { Handlers } from '../../../demo/handlers.js'
import { generateUsers } from '../../../demo/jobs/generate.js'
import { items } from '../../../demo/jobs/samples.js'

export async function outputsOf(queue: TaskQueue<Handlers>, users: number): Promise<unknown[]> {
  const batch = await queue.enqueueMany('validateUser', items(generateUsers(users)), { id: 'same' })
  return (await batch.collect({ timeout: 60_000 })).map(output)
}

/** What a handler returned; times and ids are each run's own. */
export const output = (result: BatchResult): unknown =>
  result.status === 'completed' ? result.value : { status: result.status }
