// In Node: memory, and this thread.
import { inline, MemoryBackend, TaskQueue, TaskWorker } from 'sitq'
import { handlers } from '../../../demo/handlers.js'
import { outputsOf } from './batch.js'

export async function inNode(users: number): Promise<unknown[]> {
  const queue = new TaskQueue<typeof handlers>({ backend: new MemoryBackend() })
  const worker = new TaskWorker(queue, { executor: inline(handlers) })
  await worker.start()
  const outputs = await outputsOf(queue, users)
  await worker.stop()
  await queue.close()
  return outputs
}
