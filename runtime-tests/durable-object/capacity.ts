// What objects do together, and how long a task takes from being enqueued to its result. Asked by a Worker through bindings.
import { defineHandlers, TaskQueue } from 'sitq'
import { DurableObjectBackend, QueueObject, ShardedBackend } from 'sitq/durable-object'
import type { Claimed, NewTask } from '../../src/backend.js'
import type { Namespace } from './here.js'

const handlers = defineHandlers({ echo: (input: unknown) => input })

/** Nothing runs in it. */
export class Plain extends QueueObject {}
export class Running extends QueueObject {
  override settings = { handlers }
}

interface Env {
  PLAIN: Namespace<object>
  RUNNING: Namespace<object>
}

const task = (i: number): NewTask => ({
  queue: 'default',
  name: 'echo',
  input: { item_id: i, data: { name: `somebody ${i}`, email: `${i}@example.com` } },
  priority: 0,
})
const tasks = (count: number) => Array.from({ length: count }, (_, i) => task(i))
/** Tasks in one call. */
const CALL = 512

async function fill(backend: DurableObjectBackend, count: number): Promise<number> {
  const began = Date.now()
  for (let i = 0; i < count; i += 4_096) await backend.add(tasks(Math.min(4_096, count - i)), { now: Date.now() })
  return Date.now() - began
}

/** Until `ends`, tasks stored in calls of `size`; resolves to how many. */
async function enqueue(backend: DurableObjectBackend, ends: number, size: number): Promise<number> {
  let count = 0
  for (; Date.now() < ends; count += size) await backend.add(tasks(size), { now: Date.now() })
  return count
}

/** Until `ends`, tasks claimed and settled as one host does; resolves to how many. */
async function work(backend: DurableObjectBackend, ends: number, size: number): Promise<number> {
  const host = crypto.randomUUID()
  let held: Claimed[] = []
  let count = 0
  let seq = 0
  const exchange = async (limit: number) => {
    const now = Date.now()
    const settle = held.map(({ lane, position, seq: of, input: value }) => {
      return { lane, position, seq: of, to: 'completed', value, startedAt: now, finishedAt: now, attempt: 1 } as const
    })
    const answer = await backend.exchange({ host, seq: ++seq, now, until: now + 60_000, settle, claim: { limit } })
    count += held.length
    held = answer.claimed
  }
  do await exchange(size)
  while (Date.now() < ends && held.length > 0)
  await exchange(0)
  return count
}

async function each(count: number, operation: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const began = performance.now()
    await operation()
    times.push(performance.now() - began)
  }
  return times
}

const sum = (all: readonly number[]) => all.reduce((one, other) => one + other, 0)

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const names = (searchParams.get('names') ?? '').split(',')
    const count = Number(searchParams.get('count'))
    const ends = Date.now() + Number(searchParams.get('ms'))
    const plain = names.map((name) => new DurableObjectBackend({ namespace: env.PLAIN, name }))
    const [first = new DurableObjectBackend({ namespace: env.PLAIN })] = plain
    const does: Record<string, () => Promise<unknown>> = {
      '/fill': () => fill(first, count),
      '/one': () => each(count, () => first.add([task(0)], { now: Date.now() })),
      '/many': async () => sum(await Promise.all(plain.map((backend) => enqueue(backend, ends, CALL)))),
      '/work': async () => sum(await Promise.all(plain.map((backend) => work(backend, ends, CALL)))),
      // Enqueued to result, the handler run in the object.
      '/latency': async () => {
        const shards = names.map((name) => new DurableObjectBackend({ namespace: env.RUNNING, name }))
        const backend = new ShardedBackend({ shards, key: () => crypto.randomUUID() })
        const queue = new TaskQueue<typeof handlers>({ backend })
        const times = await each(count, async () => (await queue.enqueue('echo', task(0))).result())
        await queue.close()
        await backend.close()
        return times
      },
    }
    return Response.json((await does[pathname]?.()) ?? 'nothing')
  },
}
