// What one object does, asked by a Worker through its binding. The clock moves when an answer comes: times are of many.
import { DurableObjectBackend, QueueObject } from 'sitq/durable-object'
import type { Claimed, NewTask } from '../../src/backend.js'
import type { Namespace } from './here.js'

export class Plain extends QueueObject {}

const CHUNK = 4_096
/** Operations timed together. */
const TOGETHER = 25

/** ms for one, of each so many together. */
async function timed(count: number, operation: () => Promise<unknown>): Promise<number[]> {
  const times = []
  for (let i = 0; i < count; i += TOGETHER) {
    const began = Date.now()
    for (let k = 0; k < TOGETHER; k++) await operation()
    times.push((Date.now() - began) / TOGETHER)
  }
  return times
}

const input = (i: number) => ({ item_id: i, data: { name: `somebody ${i}`, email: `${i}@example.com` } })
const task = (i: number): NewTask => ({ queue: 'default', name: 'work', input: input(i), priority: 0 })

/** Settles what its last exchange claimed, and claims. */
class Host {
  readonly #backend: DurableObjectBackend
  readonly #host = crypto.randomUUID()
  #seq = 0
  #held: Claimed[] = []

  constructor(backend: DurableObjectBackend) {
    this.#backend = backend
  }

  async exchange(limit: number): Promise<number> {
    const now = Date.now()
    const settle = this.#held.map(({ lane, position, seq, input: value }) => {
      return { lane, position, seq, to: 'completed', value, startedAt: now, finishedAt: now, attempt: 1 } as const
    })
    const lease = { host: this.#host, seq: ++this.#seq, now, until: now + 60_000 }
    this.#held = (await this.#backend.exchange({ ...lease, settle, claim: { limit } })).claimed
    return this.#held.length
  }

  async leave(): Promise<void> {
    const lease = { host: this.#host, seq: ++this.#seq, now: Date.now(), until: Date.now() + 60_000 }
    await this.#backend.exchange({ ...lease, settle: [], leave: true })
  }
}

async function addMany(backend: DurableObjectBackend, count: number): Promise<number> {
  const began = Date.now()
  for (let i = 0; i < count; i += CHUNK) {
    const tasks = Array.from({ length: Math.min(CHUNK, count - i) }, (_, k) => task(i + k))
    await backend.add(tasks, { now: Date.now() })
  }
  return Date.now() - began
}

async function drain(backend: DurableObjectBackend, limit: number): Promise<{ tasks: number; ms: number }> {
  const host = new Host(backend)
  const began = Date.now()
  let tasks = 0
  for (let claimed = await host.exchange(limit); claimed > 0; claimed = await host.exchange(limit)) tasks += claimed
  return { tasks, ms: Date.now() - began }
}

export default {
  async fetch(request: Request, env: { PLAIN: Namespace<object> }): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const of = (name: string) => Number(searchParams.get(name))
    const backend = new DurableObjectBackend({ namespace: env.PLAIN, name: searchParams.get('name') ?? '' })
    const does: Record<string, () => Promise<unknown>> = {
      '/add': () => addMany(backend, of('count')),
      '/single': () => timed(of('count'), () => backend.add([task(0)], { now: Date.now() })),
      '/exchange': async () => {
        const host = new Host(backend)
        const times = await timed(of('count'), () => host.exchange(of('limit')))
        await host.leave()
        return times
      },
      '/drain': () => drain(backend, of('limit')),
      '/counts': () => timed(of('count'), () => backend.counts()),
      '/result': async () => {
        const { items } = await backend.read('tasks', { state: 'completed', limit: 1 })
        return await timed(of('count'), () => backend.results(items.map(({ id }) => id)))
      },
    }
    return Response.json((await does[pathname]?.()) ?? 'nothing')
  },
}
