import { inline, TaskQueue, TaskWorker } from 'sitq'
import { DurableObjectBackend } from 'sitq/durable-object'
import { describe, expect, it, onTestFinished } from 'vitest'
import { audit } from '../../test/support/audit.js'
import { type Handlers, handlersOf } from './handlers.js'
import { env, storageOf } from './here.js'

const DAY = 24 * 3_600_000

/** An object of its own, and a queue in this Worker that reaches it. `idle`: nothing runs in the object. */
function start(kind: 'working' | 'idle' = 'working') {
  const name = `${kind} ${crypto.randomUUID()}`
  const namespace = env().WORKING
  const object = () => namespace.getByName(name)
  const queue = new TaskQueue<Handlers>({ backend: new DurableObjectBackend({ namespace, name }) })
  onTestFinished(async () => {
    await queue.close()
    await queue.backend.close()
    await audit(storageOf(object()))
  })
  return { queue, object, die: () => Promise.resolve(object().die()).catch(() => {}) }
}
const soon = { timeout: 10_000 }

describe('tasks in an object', () => {
  it('run from its alarm, with nobody else there', async () => {
    const { queue, object } = start()
    const tasks = await Promise.all([1, 2, 3].map((n) => queue.enqueue('echo', n)))
    expect(await Promise.all(tasks.map((task) => task.result(soon)))).toEqual([1, 2, 3])
    expect(await object().ran()).toEqual(['1', '2', '3'])
  })

  it('run when they were enqueued in it', async () => {
    const { queue, object } = start()
    const id = await object().enqueueInside('here')
    expect(await queue.getResult(id, soon)).toMatchObject({ status: 'completed', value: 'here' })
  })

  it('run when they are due, and not before', async () => {
    const { queue, object } = start()
    const task = await queue.enqueue('echo', 'later', { delay: 700 })
    const alarm = await object().alarmIn()
    expect(alarm).toBeGreaterThan(0)
    expect(alarm).toBeLessThanOrEqual(700)
    expect(await object().ran()).toEqual([])
    expect(await task.result(soon)).toBe('later')
    const { enqueuedAt, startedAt = 0 } = (await queue.getResult(task.id)) ?? { enqueuedAt: 0 }
    expect(startedAt - enqueuedAt).toBeGreaterThanOrEqual(699)
  })

  it('are tried again after their delay', async () => {
    const { queue, object } = start()
    const task = await queue.enqueue('fail', { times: 2 })
    expect(await task.result(soon)).toBe(3)
    expect(await object().ran()).toEqual(['attempt 1', 'attempt 2', 'attempt 3'])
  })

  it('run by thousands, in turns', async () => {
    const { queue, object } = start()
    const batch = await queue.enqueueMany(
      'echo',
      Array.from({ length: 2_000 }, (_, i) => i),
    )
    const results = await batch.collect({ timeout: 15_000 })
    expect(results.map((result) => result.status === 'completed' && result.value)).toEqual(
      Array.from({ length: 2_000 }, (_, i) => i),
    )
    const ran = await object().ran()
    expect(Array.isArray(ran) && ran.length).toBe(2_000)
  }, 30_000)

  it('may lead to others, which run as well', async () => {
    const { queue, object } = start()
    await queue.enqueue('more', ['a', 'b'])
    await expect.poll(() => object().ran(), { timeout: 5_000 }).toEqual(['a', 'b'])
  })

  it('that nobody has a handler for wait, and wake nobody', async () => {
    const { queue, object } = start()
    await queue.backend.add([{ queue: 'default', name: 'unknown', input: 1, priority: 0 }], { now: Date.now() })
    await expect.poll(() => queue.counts(), { timeout: 5_000 }).toMatchObject({ blocked: 1, available: 0 })
    await expect.poll(() => object().alarmIn(), { timeout: 5_000 }).toBe(undefined)
  })

  it('wait while the queue is paused', async () => {
    const { queue, object } = start()
    await queue.pause()
    const task = await queue.enqueue('echo', 'paused')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await object().ran()).toEqual([])
    expect(await object().alarmIn()).toBe(undefined)
    await queue.resume()
    expect(await task.result(soon)).toBe('paused')
  })

  it('fail alone if what came of them is too large to be stored', async () => {
    const { queue } = start()
    const [big, small] = [await queue.enqueue('big', 3_000_000), await queue.enqueue('big', 3)]
    expect(await small.result(soon)).toEqual(new Uint8Array(3))
    expect(await queue.getResult(big.id, soon)).toMatchObject({ status: 'failed', error: { code: 'uncloneable' } })
  })
})

describe('the alarm', () => {
  it('may come twice, or many times at once: every task runs once', async () => {
    const { queue, object } = start()
    const tasks = await Promise.all(
      Array.from({ length: 50 }, (_, i) => queue.enqueue('wait', { ms: 20, note: `${i}` })),
    )
    await Promise.all([object().ring(), object().ring(), object().ring()])
    await Promise.all([object().ring(), ...tasks.map((task) => task.result(soon))])
    await object().ring()
    const ran = await object().ran()
    expect(Array.isArray(ran) && [...ran].sort()).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`).sort())
  })

  it('may come late: all that is due runs then', async () => {
    const { queue, object } = start()
    const now = Date.now()
    const tasks = [
      await queue.enqueue('echo', 'b', { runAt: now + 1_500 }),
      await queue.enqueue('echo', 'a', { runAt: now + 1_400 }),
    ]
    await object().forgetAlarm()
    await new Promise((resolve) => setTimeout(resolve, now + 1_600 - Date.now()))
    expect(await object().ran()).toEqual([])
    await object().ring()
    expect(await Promise.all(tasks.map((task) => task.result(soon)))).toEqual(['b', 'a'])
    expect(await object().ran()).toEqual(['a', 'b'])
  })

  it('is set to when what has ended goes, once nothing else is to be done', async () => {
    const { queue, object } = start()
    await (await queue.enqueue('echo', 1)).result(soon)
    // The last block of a lane stays, since it tells where the lane ends: nothing is to go.
    await expect.poll(() => object().alarmIn(), { timeout: 5_000 }).toBe(undefined)
    await (await queue.enqueue('echo', 2)).result(soon)
    await expect.poll(async () => (await object().alarmIn()) ?? 0, { timeout: 5_000 }).toBeGreaterThan(6.9 * DAY)
    await object().jump(8 * DAY)
    await object().ring()
    expect(await queue.counts()).toMatchObject({ completed: 1 })
    expect(await object().alarmIn()).toBe(undefined)
  })

  it('is set to the end of a lease: what a dead worker elsewhere held is available again', async () => {
    const { queue, object } = start('idle')
    await queue.enqueue('echo', 1)
    expect(await object().alarmIn()).toBe(undefined)
    const now = Date.now()
    const lease = { host: 'dead', seq: 1, now, until: now + 500, settle: [], claim: { limit: 5 } }
    expect((await queue.backend.exchange(lease)).claimed).toHaveLength(1)
    expect(await object().alarmIn()).toBeLessThanOrEqual(502)
    await expect.poll(() => queue.counts(), { timeout: 5_000 }).toMatchObject({ running: 0, available: 1 })
    const worker = new TaskWorker(queue, { executor: inline(handlersOf()) })
    expect(await worker.drain()).toMatchObject({ ran: 1, completed: 1 })
  })
})

describe('an object that goes down', () => {
  it.each([
    ['after each chunk of an import, its answer lost', true],
    ['before each chunk of an import has come', false],
  ])(
    '%s, has all of it once, and ends the batch',
    async (_, comes) => {
      const { queue, object, die } = start('idle')
      const asked = new Set<unknown>()
      const stub = () => ({
        async sitq(call: { method: string; id?: string }) {
          const live = object()
          const send: unknown = Reflect.get(live, 'sitq')
          const answer = async () => typeof send === 'function' && (await Reflect.apply(send, live, [call]))
          if (call.method !== 'addAlike' || asked.has(call.id)) return answer()
          asked.add(call.id)
          if (comes) await answer()
          await die()
          throw new Error('Network connection lost.')
        },
      })
      const importing = new TaskQueue<Handlers>({ backend: new DurableObjectBackend({ stub }) })
      onTestFinished(async () => {
        await importing.close()
        await importing.backend.close()
      })
      async function* inputs() {
        for (let i = 0; i < 900; i++) yield i
      }
      const progress: number[] = []
      const onProgress = ({ stored }: { stored: number }) => progress.push(stored)
      await importing.enqueueMany('echo', inputs(), { id: 'import', chunkSize: 300, onProgress })
      expect(asked.size).toBeGreaterThanOrEqual(3)
      expect(progress.at(-1)).toBe(900)
      expect(await queue.counts()).toMatchObject({ available: 900 })
      expect(await (await queue.batch('import'))?.progress()).toMatchObject({ total: 900, open: false })
      await new TaskWorker(queue, { executor: inline(handlersOf()) }).drain()
      expect(await (await queue.batch('import'))?.progress()).toMatchObject({ total: 900, done: 900, completed: 900 })
    },
    30_000,
  )

  it('runs again at once what it ran, long before any lease has run out', async () => {
    const { queue, object, die } = start()
    const tasks = await Promise.all(['a', 'b'].map((note) => queue.enqueue('wait', { ms: 500, note })))
    await expect.poll(() => object().ran(), { timeout: 5_000, interval: 20 }).toEqual(['a', 'b'])
    await die()
    expect(await Promise.all(tasks.map((task) => task.result(soon)))).toEqual(['a', 'b'])
    expect(await object().ran()).toEqual(['a', 'b', 'a', 'b'])
  })

  it('again and again by one task: that one fails as crashed, the others run', async () => {
    const { queue } = start()
    const [first, poison, last] = [
      await queue.enqueue('echo', 'first'),
      await queue.enqueue('die', { times: 9 }),
      await queue.enqueue('echo', 'last'),
    ]
    expect(await queue.getResult(poison.id, { timeout: 25_000 })).toMatchObject({
      status: 'failed',
      error: { code: 'crashed' },
    })
    expect(await first.result(soon)).toBe('first')
    expect(await last.result(soon)).toBe('last')
  }, 40_000)

  it('loses nothing that was acknowledged, and its ids stay valid', async () => {
    const { queue, die } = start('idle')
    const ids = []
    for (let i = 0; i < 10; i++) {
      ids.push((await queue.enqueue('echo', i)).id)
      if (i % 3 === 0) await die()
    }
    expect(await queue.counts()).toMatchObject({ available: 10 })
    const views = await queue.backend.get(ids)
    expect(views.map((view) => view?.input)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})

describe('workers elsewhere', () => {
  it('claim and settle through the binding, several of them', async () => {
    const { queue } = start('idle')
    const tasks = await Promise.all(
      Array.from({ length: 40 }, (_, i) => queue.enqueue('wait', { ms: 5, note: `${i}` })),
    )
    const workers = [1, 2].map(() => new TaskWorker(queue, { executor: inline(handlersOf()), lease: 10_000 }))
    await Promise.all(workers.map((worker) => worker.start()))
    expect(await Promise.all(tasks.map((task) => task.result(soon)))).toEqual(tasks.map((_, i) => `${i}`))
    await Promise.all(workers.map((worker) => worker.stop()))
    expect(await queue.counts()).toMatchObject({ completed: 40, running: 0 })
  })
})
