import { inline, TaskQueue, TaskWorker } from 'sitq'
import { DurableObjectBackend, ShardedBackend } from 'sitq/durable-object'
import { describe, expect, it, onTestFinished } from 'vitest'
import { backendConformance } from '../../test/backend.conformance.js'
import { audit } from '../../test/support/audit.js'
import { type Handlers, handlersOf } from './handlers.js'
import { env, storageOf } from './here.js'

const SHARDS = [0, 1, 2] as const

backendConformance('three Durable Objects', async () => {
  const name = crypto.randomUUID()
  const namespace = env().PLAIN
  const names = SHARDS.map((shard) => `${name}-${shard}`)
  const storages = names.map((each) => storageOf(namespace.getByName(each)))
  const backend = new ShardedBackend({
    shards: names.map((each) => new DurableObjectBackend({ namespace, name: each })),
  })
  const close = async () => {
    for (const storage of storages) await audit(storage)
    await backend.close()
  }
  return { backend, storage: storageOf(namespace.getByName(`${name}-0`)), repeats: false, close }
})

/** A queue over three objects. `idle`: nothing runs in them. */
function start(kind: 'working' | 'idle') {
  const name = `${kind} ${crypto.randomUUID()}`
  const namespace = env().WORKING
  const names = SHARDS.map((shard) => `${name}-${shard}`)
  const connect = () =>
    new ShardedBackend({
      shards: names.map((each) => new DurableObjectBackend({ namespace, name: each })),
      key: ({ input }) => String(input),
      onError: () => {},
    })
  const queue = new TaskQueue<Handlers>({ backend: connect() })
  onTestFinished(async () => {
    await queue.close()
    await queue.backend.close()
    for (const each of names) await audit(storageOf(namespace.getByName(each)))
  })
  const objects = names.map((each) => () => namespace.getByName(each))
  const die = async (shard: number) => {
    await Promise.resolve(objects[shard]?.().die()).catch(() => {})
  }
  return { queue, connect, objects, die }
}
const soon = { timeout: 15_000 }

describe('objects as shards', () => {
  it('run what they have from their own alarms, while they go down one after the other', async () => {
    const { queue, connect, objects, die } = start('working')
    const inputs = Array.from({ length: 300 }, (_, i) => i)
    const tasks = await Promise.all(inputs.map((n) => queue.enqueue('echo', n)))
    const batch = await queue.enqueueMany('echo', inputs, { id: 'whole' })
    for (const shard of SHARDS) await die(shard)
    expect(await Promise.all(tasks.map((task) => task.result(soon)))).toEqual(inputs)
    const results = await batch.collect(soon)
    expect(results.map((result) => result.status === 'completed' && result.value)).toEqual(inputs)
    expect(await queue.counts()).toMatchObject({ completed: 600, running: 0 })
    for (const object of objects) expect(await object().ran()).not.toEqual([])
    // Another client, which has seen none of these ids.
    const other = new TaskQueue<Handlers>({ backend: connect() })
    expect(await other.getResult(tasks[7]?.id ?? '')).toMatchObject({ status: 'completed', value: 7 })
    await other.close()
  }, 40_000)

  it('are worked for by a host elsewhere, which loses and doubles nothing when they go down', async () => {
    const { queue, die } = start('idle')
    const inputs = Array.from({ length: 120 }, (_, i) => i)
    const tasks = await Promise.all(
      inputs.map((n) => queue.enqueue('wait', { ms: 5, note: String(n) }, { queue: `q${n % 9}` })),
    )
    const ran: string[] = []
    const worker = new TaskWorker(queue, {
      executor: inline(handlersOf({ ran: (note) => ran.push(note) }), { concurrency: 4 }),
    })
    await worker.start()
    for (const shard of [...SHARDS, ...SHARDS]) {
      await new Promise((resolve) => setTimeout(resolve, 30))
      await die(shard)
    }
    expect(await Promise.all(tasks.map((task) => task.result(soon)))).toEqual(inputs.map(String))
    await worker.stop()
    expect(await queue.counts()).toMatchObject({ completed: 120, running: 0, failed: 0 })
    // A host is none of an object's business: what it runs goes on, and is settled once.
    expect(ran.length).toBe(120)
  }, 40_000)
})
