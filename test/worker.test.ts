import { describe, expect, onTestFinished, test } from 'vitest'
import type { Exchange } from '../src/backend.js'
import { ClosedError, InvalidOptionError, StorageError } from '../src/errors.js'
import type { Task } from '../src/handle.js'
import { inline } from '../src/inline.js'
import { MemoryBackend } from '../src/memory/index.js'
import { MemoryStorage } from '../src/memory/storage.js'
import { TaskQueue } from '../src/queue.js'
import type { Plan, RunOptions } from '../src/storage.js'
import { TaskWorker } from '../src/worker.js'
import { ManualClock } from './support/clock.js'
import { ScriptedExecutor } from './support/executor.js'
import { type Tab, World, type WorldOptions } from './support/world.js'

function world(options?: WorldOptions): World {
  const made = new World(options)
  onTestFinished(() => made.end())
  return made
}

/** A world with a host. */
async function host(options: Parameters<World['tab']>[0] = {}, of?: WorldOptions): Promise<Tab & { w: World }> {
  const w = world(of)
  const tab = w.tab(options)
  expect(await tab.worker.start()).toBe('host')
  return { ...tab, w }
}

/** Refuses what IndexedDB may refuse although it can be cloned: outcomes with the word `poison` in them. */
class PickyStorage extends MemoryStorage {
  /** Refuses all that is written but tasks. */
  refuses = false

  override run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    return super.run(() => this.#picky(plan()), options)
  }

  *#picky<T>(plan: Plan<T>): Plan<T> {
    const end = yield* plan
    const records = end.writes.filter(({ store }) => store !== 'blocks')
    if (JSON.stringify(records).includes('poison') || (this.refuses && records.length > 0)) {
      throw new StorageError('uncloneable', 'There is a value that cannot be stored.')
    }
    return end
  }
}

const many = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item)
const last = <T>(list: readonly T[]): T | undefined => list.at(-1)

describe('running', () => {
  test('what waits is run, and the results are stored', async () => {
    const { w } = await host()
    const ids = await w.add([{ do: 'ok', value: 42 }, { do: 'ok' }])
    expect(await w.ended(ids)).toEqual(['completed', 'completed'])
    expect(await w.backend.results(ids)).toMatchObject([{ value: 42, attempts: 1 }, { value: ids[1] }])
  })

  test('what was stored before is run too, in order of priority', async () => {
    const w = world()
    const [low, high, middle] = await w.add([{ priority: 5 }, { priority: -5 }, { priority: 0 }])
    const { worker, executor } = w.tab()
    await worker.start()
    await w.ended([low, high, middle].map(String))
    expect(executor.began.map(({ id }) => id)).toEqual([high, middle, low])
  })

  test('queues go in the order asked for', async () => {
    const w = world()
    const ids = await w.add([{ queue: 'a' }, { queue: 'b' }, { queue: 'c' }])
    const { worker, executor } = w.tab({ queues: ['c', 'b'] })
    await worker.start()
    await w.ended(ids)
    expect(executor.began.map(({ id }) => id)).toEqual([...ids].reverse())
  })

  test('a lost hint costs a poll, no more', async () => {
    const { w, clock } = await host()
    await clock.advance(60_000)
    const [id] = await w.add([{ do: 'ok' }], { silent: true })
    await clock.advance(4_000)
    expect(await w.states([String(id)])).toEqual(['available'])
    await clock.advance(1_000)
    expect(await w.states([String(id)])).toEqual(['completed'])
  })

  test('a scheduled task runs when it is due, not at the next poll', async () => {
    const { w, clock, executor } = await host()
    await w.add([{ runAt: clock.now() + 7_300 }])
    await clock.advance(7_299)
    expect(executor.began).toEqual([])
    await clock.advance(1)
    expect(executor.began).toHaveLength(1)
  })

  test('the handler gets what the task carries', async () => {
    const { w, executor } = await host()
    const ids = await w.add([{ settings: { timeout: 70, meta: { a: 1 } } }])
    await w.ended(ids)
    expect(executor.began[0]).toMatchObject({ timeout: 70, meta: { a: 1 }, attempt: 1, name: 'work' })
  })

  test('follow-ups stay in the queue and priority of their parent unless they say otherwise', async () => {
    const { w, executor } = await host()
    const followUps = [
      { name: 'work', input: 1 },
      { name: 'work', input: 2, queue: 'other', priority: -1 },
    ]
    await w.ended(await w.add([{ queue: 'mine', priority: 7, input: { do: 'ok', followUps } }]))
    await w.clock.until(() => executor.began.length === 3)
    const views = await w.backend.get(executor.began.slice(1).map(({ id }) => id))
    expect(views).toMatchObject([
      { input: 1, queue: 'mine', priority: 7 },
      { input: 2, queue: 'other', priority: -1 },
    ])
  })

  test('a handler ends the input of a batch with its outcome', async () => {
    const { w } = await host()
    await w.ended(await w.add([{ do: 'ok', endBatches: ['b'] }], { batch: { id: 'b', offset: 0, open: true } }))
    expect(await w.backend.batch('b')).toMatchObject({ total: 1, completed: 1, open: false, endedAt: w.clock.now() })
  })
})

describe('exchanges', () => {
  test('what has ended waits for others: for 20 ms, and for up to 100 while more waits in hand', async () => {
    const { w, backend, executor, clock } = await host()
    await w.ended(await w.add(many(60, { do: 'ok', ms: 10 })))
    backend.exchanges.length = 0
    const ids = await w.add(many(60, { do: 'ok', ms: 10 }))
    await clock.advance(590)
    expect(executor.began).toHaveLength(120)
    // Each records ten, more or less, and claims as many.
    expect(backend.exchanges.length).toBeLessThan(20)
    const recorded = (await w.states(ids)).filter((state) => state === 'completed').length
    expect(recorded).toBeGreaterThanOrEqual(60 - 11)
    await w.ended(ids)
    // With hands that are free nobody waits longer than 20 ms.
    const { w: calm } = await host({ slots: 2 })
    const [short = ''] = await calm.add([
      { do: 'ok', ms: 10 },
      { do: 'ok', ms: 500 },
    ])
    await calm.clock.advance(35)
    expect(await calm.states([short])).toEqual(['completed'])
  })

  test('many small tasks take few', async () => {
    const w = world()
    const ids = await w.add(many(5_000, { do: 'ok' }))
    const { worker, backend, executor } = w.tab({ slots: 2 })
    await worker.start()
    await w.ended(ids)
    expect(backend.exchanges.length).toBeLessThan(30)
    expect(executor.given.slice(0, 3)).toEqual([2, 4, 8])
    expect(executor.most).toBeLessThanOrEqual(2_048)
  })

  test('slow tasks are claimed only for free slots', async () => {
    const w = world()
    const ids = await w.add(many(20, { do: 'ok', ms: 2_000 }))
    const { worker, executor } = w.tab({ slots: 3 })
    await worker.start()
    await w.ended(ids)
    expect(executor.most).toBe(3)
  })

  test('tasks of 20 ms wait in hand for 100 ms at most', async () => {
    const w = world()
    const ids = await w.add(many(200, { do: 'ok', ms: 20 }))
    const { worker, executor } = w.tab({ slots: 2 })
    await worker.start()
    const began = w.clock.now()
    await w.ended(ids)
    expect(executor.most).toBeLessThanOrEqual(12)
    // Two slots, always busy.
    expect(w.clock.now() - began).toBeLessThan(2_000 + 200)
  })

  test('slow tasks after fast ones do not stay in hand by the hundreds', async () => {
    const { w, clock, executor } = await host({ slots: 2 })
    const fast = await w.add(many(3_000, { do: 'ok' }))
    const slow = await w.add(many(1_500, { do: 'ok', ms: 1_000 }))
    await w.ended(fast)
    expect(executor.backlog).toBeGreaterThan(100)
    await clock.advance(2_100)
    expect(executor.backlog).toBe(0)
    expect(await w.backend.counts()).toMatchObject({ running: 2, available: 1_494, completed: 3_004 })
    const [urgent] = await w.add([{ priority: -1 }])
    await clock.advance(1_000)
    expect(await w.states([String(urgent)])).toEqual(['completed'])
    await clock.advance(3_000)
    const began = executor.began.slice(3_000).filter(({ id }) => id !== urgent)
    expect(began.map(({ id }) => id)).toEqual(slow.slice(0, began.length))
    expect(new Set(began.map(({ attempt }) => attempt))).toEqual(new Set([1]))
  })

  test('a hanging task does not keep hundreds of others in hand', async () => {
    const { w, clock, executor } = await host({ slots: 1 })
    await w.ended(await w.add(many(2_000, { do: 'ok' })))
    await w.add([...many(300, { do: 'ok' } as const), { do: 'hang' }, ...many(300, { do: 'ok' } as const)])
    await clock.advance(1_100)
    expect(executor.backlog).toBe(0)
    expect(await w.backend.counts()).toMatchObject({ running: 1, available: 300 })
  })

  test('what ends while others run is recorded within 20 ms, together', async () => {
    const { w, clock, backend } = await host({ slots: 4 })
    const [a, b, c] = await w.add([
      { do: 'ok', ms: 1_000 },
      { do: 'ok', ms: 1_010 },
      { do: 'ok', ms: 9_000 },
    ])
    await clock.advance(1_019)
    expect(await w.states([a, b, c].map(String))).toEqual(['running', 'running', 'running'])
    await clock.advance(1)
    expect(await w.states([a, b, c].map(String))).toEqual(['completed', 'completed', 'running'])
    expect(last(backend.exchanges)?.settle).toHaveLength(2)
  })

  test('the last one is recorded at once', async () => {
    const { w, clock } = await host()
    const [id] = await w.add([{ do: 'ok', ms: 100 }])
    await clock.advance(100)
    expect(await w.states([String(id)])).toEqual(['completed'])
  })

  test('they are numbered from 1 and never overlap', async () => {
    const { w, backend } = await host({ slots: 2 })
    await w.ended(await w.add(many(50, { do: 'ok', ms: 3 })))
    expect(backend.exchanges.map(({ seq }) => seq)).toEqual(backend.exchanges.map((_, i) => i + 1))
  })

  test('everyone is told what ended', async () => {
    const { w } = await host({ slots: 3 })
    const batch = { id: 'b', offset: 0, open: false }
    await w.ended(await w.add([{ do: 'ok' }, { do: 'fail', error: { retryable: false } }, { do: 'ok' }], { batch }))
    const ended = w.hints.filter((hint) => hint.type === 'ended')
    expect(ended).toEqual([{ type: 'ended', intervals: [0, 0, 3], batches: ['b'] }])
  })

  test('an exchange whose answer got lost is repeated as it was, and nothing runs twice', async () => {
    const { w, clock, backend, executor, errors } = await host({ slots: 2 })
    await clock.advance(10_000)
    backend.faults.exchange.push({ error: new StorageError('lost', 'gone'), committed: true })
    const ids = await w.add(many(2, { do: 'ok', ms: 500 }))
    await clock.advance(200)
    const [first, second] = backend.exchanges.slice(-2)
    expect(second?.seq).toBe(first?.seq)
    await w.ended(ids)
    expect(executor.began).toHaveLength(2)
    expect(errors).toHaveLength(1)
  })

  test('results are kept while the storage fails', async () => {
    const { w, clock, backend, executor } = await host()
    const ids = await w.add([{ do: 'ok', ms: 1_000 }])
    await clock.advance(500)
    backend.faults.exchange.push(...many(5, { error: new StorageError('lost', 'gone') }))
    expect(await w.ended(ids)).toEqual(['completed'])
    expect(executor.began).toHaveLength(1)
    const tries = backend.exchanges.filter(({ settle }) => settle.length > 0)
    expect(new Set(tries.map(({ seq }) => seq)).size).toBe(1)
    expect(tries).toHaveLength(6)
  })

  test('out of space: no more claims, what ended is still recorded, finished tasks are pruned', async () => {
    const { w, clock, backend, executor, errors } = await host()
    const [first] = await w.add([{ do: 'ok', ms: 100 }, { do: 'ok' }])
    await clock.advance(50)
    backend.faults.exchange.push(
      { error: new StorageError('quota', 'full') },
      { error: new StorageError('quota', 'full') },
    )
    await clock.advance(5_000)
    expect(errors).toHaveLength(2)
    expect(backend.prunes).toBe(2)
    expect(await w.states([String(first)])).toEqual(['completed'])
    expect(executor.began).toHaveLength(1)
    await clock.advance(40_000)
    expect(executor.began).toHaveLength(2)
  })

  test('storage that is closed for good ends the worker', async () => {
    const { w, worker, clock, backend, errors } = await host()
    backend.faults.exchange.push({ error: new ClosedError('backend') })
    await w.add([{ do: 'ok' }])
    await clock.advance(10)
    expect(worker.role).toBe('stopped')
    expect(errors).toHaveLength(1)
    expect(await worker.start()).toBe('host')
  })

  test('a backend that is closed under it ends a host at its next operation: executor closed, lock released', async () => {
    const clock = new ManualClock()
    const backend = new MemoryBackend({ clock })
    const executor = new ScriptedExecutor({ clock })
    const errors: unknown[] = []
    const worker = new TaskWorker({ backend, clock }, { executor, onError: (error) => errors.push(error) })
    expect(await worker.start()).toBe('host')
    await clock.advance(1_000)
    await backend.close()
    await clock.advance(6_000)
    expect([worker.role, executor.isOpen, clock.timers]).toEqual(['stopped', false, 0])
    expect(errors).toEqual([expect.any(ClosedError)])
    let free = false
    await backend.locks?.hold({ ifAvailable: true }, async () => {
      free = true
    })
    expect(free).toBe(true)
    await expect(worker.start()).rejects.toThrow(ClosedError)
    await expect(worker.drain()).rejects.toThrow(ClosedError)
    expect([worker.role, executor.opens]).toEqual(['stopped', 1])
  })

  test('a task that comes while another is about to begin does not wait for that one to end', async () => {
    const clock = new ManualClock()
    const backend = new MemoryBackend({ clock })
    const handlers = { hang: () => new Promise(() => {}), work: () => 'done' }
    const queue = new TaskQueue<typeof handlers>({ backend, clock })
    const worker = new TaskWorker(queue, { executor: inline(handlers, { clock }) })
    let second: Promise<Task<string>> | undefined
    backend.exchange = async (x) => {
      const answer = await MemoryBackend.prototype.exchange.call(backend, x)
      // Stored before the event loop has had the turn in which the first one begins.
      if (answer.claimed.length > 0) second ??= Promise.resolve().then(() => queue.enqueue('work'))
      return answer
    }
    await worker.start()
    await clock.advance(1_000)
    await queue.enqueue('hang')
    await clock.advance(100)
    expect(await (await second)?.get()).toMatchObject({ state: 'completed' })
    await worker.stop({ grace: 0 })
  })

  test('a handler at its own limit does not keep the others waiting', async () => {
    const w = world()
    await w.add(many(20, { do: 'ok', ms: 60_000 }))
    const others = await w.add(many(5, { name: 'other' }))
    const { worker, clock, executor } = w.tab({ slots: 3, table: { work: { concurrency: 1 }, other: {} } })
    await worker.start()
    await clock.advance(1_000)
    // The scripted executor knows no limits of handlers: what counts here is that they were claimed.
    expect(executor.most).toBeGreaterThan(20)
    expect(executor.backlog + executor.running).toBeGreaterThanOrEqual(others.length)
  })
})

describe('what the storage refuses', () => {
  const picky = () => new PickyStorage()
  const poison = { do: 'ok', value: 'poison' } as const

  test('fails the one task it came from; nothing else is lost, and the host goes on', async () => {
    const { w, backend, errors } = await host({ slots: 50 }, { storage: picky() })
    const scripts = Array.from({ length: 50 }, (_, i) => (i === 17 ? poison : { do: 'ok' as const, value: i }))
    const ids = await w.add(scripts, { batch: { id: 'b', offset: 0, open: false } })
    await w.ended(ids)
    const results = await w.backend.results(ids)
    const error = { code: 'uncloneable', retryable: false, name: 'UncloneableError' }
    expect(results[17]).toMatchObject({ status: 'failed', attempts: 1, error })
    const others = results.filter((_, i) => i !== 17)
    expect(others.map((result) => result?.status === 'completed' && result.value)).toEqual(
      scripts.flatMap((_, i) => (i === 17 ? [] : [i])),
    )
    expect(await w.backend.batch('b')).toMatchObject({ total: 50, completed: 49, failed: 1 })
    expect(errors).toEqual([])
    expect(backend.exchanges.length).toBeLessThan(50)
    expect(await w.ended(await w.add([{ do: 'ok' }]))).toEqual(['completed'])
  })

  test('of several, all; the follow-ups of the others are stored, once', async () => {
    const { w, executor } = await host({ slots: 8 }, { storage: picky() })
    const followUps = [{ name: 'work', input: 'next' }]
    const ids = await w.add([poison, { do: 'ok', followUps }, poison, { do: 'ok', followUps }, poison])
    expect(await w.ended(ids)).toEqual(['failed', 'completed', 'failed', 'completed', 'failed'])
    await w.clock.advance(1_000)
    expect(executor.began.filter(({ input }) => input === 'next')).toHaveLength(2)
  })

  test('in the first exchange with settlements of a drain, and in the last of a host that leaves', async () => {
    const w = world({ storage: picky() })
    const ids = await w.add([...many(5, { do: 'ok' } as const), poison])
    expect(await w.tab({ slots: 6 }).worker.drain()).toMatchObject({ ran: 6, completed: 5, failed: 1 })
    const { worker, clock, backend } = w.tab({ slots: 6 })
    await worker.start()
    const late = await w.add([...many(5, { do: 'ok', ms: 500 } as const), { ...poison, ms: 500 }])
    await clock.advance(100)
    const stop = worker.stop()
    await clock.advance(500)
    await stop
    expect(await w.states([...ids, ...late])).toEqual([
      ...many(5, 'completed'),
      'failed',
      ...many(5, 'completed'),
      'failed',
    ])
    expect(last(backend.exchanges)?.leave).toBe(true)
  })

  test('while answers get lost as well', async () => {
    const { w, clock, backend, executor } = await host({ slots: 4 }, { storage: picky() })
    const ids = await w.add(
      many(4, { ...poison, ms: 100 }).map((script, i) => (i === 1 ? script : { do: 'ok', ms: 100 })),
    )
    await clock.advance(50)
    const lost = { error: new StorageError('lost', 'gone'), committed: true } as const
    const failed = { error: new StorageError('lost', 'gone') }
    backend.faults.exchange.push(failed, failed, lost, failed, lost)
    expect(await w.ended(ids)).toEqual(['completed', 'failed', 'completed', 'completed'])
    expect(executor.began).toHaveLength(4)
  })

  test('for other reasons: no task is blamed, and what they came to is kept', async () => {
    const storage = picky()
    const { w, clock, backend, errors } = await host({ slots: 3 }, { storage })
    const ids = await w.add(many(3, { do: 'ok', ms: 100 }))
    await clock.advance(50)
    storage.refuses = true
    const before = backend.exchanges.length
    await clock.advance(2_000)
    // Backing off, not spinning.
    expect(backend.exchanges.length - before).toBeLessThan(20)
    expect(errors.length).toBeGreaterThan(0)
    storage.refuses = false
    expect(await w.ended(ids)).toEqual(many(3, 'completed'))
    const seqs = backend.exchanges.map(({ seq }: Exchange) => seq)
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b))
  })
})

describe('failures', () => {
  test('an attempt that failed is made again after its delay, twice, then it is final', async () => {
    const { w, clock, executor } = await host()
    const [id] = await w.add([{ do: 'fail' }])
    await clock.advance(10)
    expect(await w.backend.get([String(id)])).toMatchObject([
      { state: 'scheduled', attempt: 2, runAt: clock.now() + 740, lastError: { message: 'It failed.' } },
    ])
    await w.ended([String(id)])
    expect(executor.began.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    expect(await w.backend.results([String(id)])).toMatchObject([
      { status: 'failed', attempts: 3, error: { name: 'Error' } },
    ])
  })

  test("the task's policy goes before the handler's, field by field", async () => {
    const { w, executor } = await host({ table: { work: { retry: { attempts: 5, delay: 10, jitter: 1 } } } })
    const input = { do: 'fail' } as const
    const ids = await w.add([{ input, settings: { retry: { attempts: 2 } } }, { input }])
    const began = w.clock.now()
    await w.ended(ids)
    expect(executor.began.filter(({ id }) => id === ids[0])).toHaveLength(2)
    expect(executor.began.filter(({ id }) => id === ids[1])).toHaveLength(5)
    expect(w.clock.now() - began).toBeLessThan(10 + 20 + 40 + 80 + 30)
  })

  test('an error that is final is not tried again', async () => {
    const { w, executor } = await host()
    expect(await w.ended(await w.add([{ do: 'fail', error: { retryable: false } }]))).toEqual(['failed'])
    expect(executor.began).toHaveLength(1)
  })

  test('what fails offline costs no attempt and waits for the network; what needs none goes on', async () => {
    const { w, clock, page, executor } = await host()
    page.online = false
    const [id, final, other] = await w.add([
      { do: 'fail', times: 4 },
      { do: 'fail', error: { retryable: false } },
      { do: 'ok' },
    ])
    await clock.advance(50_000)
    expect(executor.began).toHaveLength(3)
    expect(await w.backend.get([String(id)])).toMatchObject([{ state: 'blocked', attempt: 1, why: expect.any(String) }])
    expect(await w.states([String(final), String(other)])).toEqual(['failed', 'completed'])
    // Whether there is a network is a hint: it is tried all the same, now and then.
    await clock.advance(130_000)
    expect(executor.began).toHaveLength(6)
    page.online = true
    // The page's event would tell at once (roles.test.ts); the next look does.
    await clock.advance(5_000)
    expect(executor.began).toHaveLength(7)
    expect(await w.states([String(id)])).toEqual(['completed'])
    expect(await w.backend.results([String(id)])).toMatchObject([{ attempts: 1 }])
  })

  test('what begins offline and fails once the network is back goes on at once, and costs no attempt', async () => {
    const { w, clock, page, executor } = await host({ slots: 2 })
    page.online = false
    const once = { retry: { attempts: 1 } }
    const [waits, runs] = await w.add([
      { input: { do: 'fail', times: 1 }, settings: once },
      { input: { do: 'fail', times: 1, ms: 1_500 }, settings: once },
    ])
    await clock.advance(1_000)
    page.online = true
    // What the page's event does (roles.test.ts).
    w.channel.post({ type: 'changed', change: 'missed' })
    expect(await w.ended([String(waits)], 100)).toEqual(['completed'])
    expect(executor.began).toHaveLength(3)
    await clock.advance(600)
    expect(executor.began).toHaveLength(4)
    expect(await w.ended([String(runs)], 2_000)).toEqual(['completed'])
    expect(await w.backend.results([String(waits), String(runs)])).toMatchObject([{ attempts: 1 }, { attempts: 1 }])
  })

  test('what fails within a second after the network is back is made again after that, and costs no attempt', async () => {
    const { w, clock, page, executor } = await host()
    page.online = false
    const [id, final] = await w.add([
      { input: { do: 'fail', times: 3 }, settings: { retry: { attempts: 2, delay: 10_000 } } },
      { input: { do: 'fail', error: { retryable: false }, ms: 1 } },
    ])
    await clock.advance(1_000)
    expect(executor.began).toHaveLength(2)
    expect(await w.states([String(id), String(final)])).toEqual(['blocked', 'failed'])
    page.online = true
    w.channel.post({ type: 'changed', change: 'missed' })
    await clock.advance(999)
    expect(executor.began).toHaveLength(3)
    expect(await w.backend.get([String(id)])).toMatchObject([{ state: 'scheduled', attempt: 1 }])
    await clock.advance(30)
    // From now on it is charged as ever.
    expect(executor.began).toHaveLength(4)
    expect(await w.backend.get([String(id)])).toMatchObject([{ state: 'scheduled', attempt: 2 }])
    expect(await w.ended([String(id)])).toEqual(['completed'])
    expect(await w.backend.results([String(id)])).toMatchObject([{ attempts: 2 }])
  })

  test('what failed offline goes on with the next host, at the latest', async () => {
    const { w, worker, page } = await host()
    page.online = false
    const ids = await w.add(Array.from({ length: 300 }, () => ({ do: 'fail' as const, times: 1 })))
    await w.clock.advance(5_000)
    expect(await w.backend.counts()).toMatchObject({ blocked: 300, scheduled: 0 })
    await worker.stop()
    const next = w.tab()
    await next.worker.start()
    await w.clock.advance(1_000)
    expect(next.executor.began.length).toBeGreaterThanOrEqual(300)
    expect(await w.ended(ids)).toEqual(ids.map(() => 'completed'))
  })

  test('a crash costs no attempt; the third is the last', async () => {
    const { w, clock, executor } = await host()
    const [poison, other] = await w.add([{ do: 'crash' }, { do: 'crash', times: 2 }])
    await clock.advance(1_000)
    expect(await w.backend.results([String(poison), String(other)])).toMatchObject([
      { status: 'failed', attempts: 1, error: { code: 'crashed' } },
      { status: 'completed', attempts: 1 },
    ])
    expect(executor.began).toHaveLength(6)
    expect(new Set(executor.began.map(({ attempt }) => attempt))).toEqual(new Set([1]))
  })

  test('a task that crashes while an exchange brings nothing runs again at once, not at the next poll', async () => {
    const { w, clock, executor, backend } = await host({ slots: 2 })
    const [first] = await w.add([{ do: 'hang' }, { do: 'ok', ms: 10 }])
    await clock.advance(0)
    const exchange = backend.exchange.bind(backend)
    let under = 0
    backend.exchange = async (x) => {
      const answer = await exchange(x)
      // The other one is recorded and nothing is left to claim; the answer is still on its way.
      if (under++ === 0) executor.kill()
      return answer
    }
    await clock.advance(100)
    expect(executor.began.map(({ id }) => id).filter((id) => id === first)).toHaveLength(2)
  })

  test('maxCrashes is what was asked for', async () => {
    const { w, executor } = await host({ maxCrashes: 1 })
    expect(await w.ended(await w.add([{ do: 'crash' }]))).toEqual(['failed'])
    expect(executor.began).toHaveLength(1)
  })
})

describe('cancelling and leases', () => {
  test('a running task that is cancelled is aborted at once, others go on', async () => {
    const { w, clock, executor, backend } = await host({ slots: 2 })
    const [a, b] = await w.add([{ do: 'hang' }, { do: 'ok', ms: 300 }])
    await clock.advance(10)
    const before = backend.exchanges.length
    await w.cancel(String(a))
    await clock.advance(0)
    expect(executor.aborted).toEqual([a])
    expect(backend.exchanges.length - before).toBeLessThanOrEqual(1)
    expect(await w.ended([String(b)])).toEqual(['completed'])
    expect(await w.states([String(a)])).toEqual(['cancelled'])
  })

  test('without a hint the next renewal tells', async () => {
    const { w, clock, executor } = await host({ slots: 1 })
    const [a] = await w.add([{ do: 'hang' }])
    await clock.advance(10)
    await w.backend.change({ type: 'cancel', ids: [String(a)], now: clock.now() })
    await clock.advance(9_000)
    expect(executor.aborted).toEqual([])
    await clock.advance(1_000)
    expect(executor.aborted).toEqual([a])
  })

  test('an outcome that comes after the cancellation counts for nothing', async () => {
    const { w, clock } = await host({ slots: 1 })
    const [a] = await w.add([{ do: 'ok', ms: 100 }])
    await clock.advance(99)
    await w.backend.change({ type: 'cancel', ids: [String(a)], now: clock.now() })
    w.hints.length = 0
    await clock.advance(1_000)
    expect(await w.states([String(a)])).toEqual(['cancelled'])
    expect(w.hints.filter(({ type }) => type === 'ended')).toEqual([])
  })

  test('the lease is renewed while something runs, and by ticks where timers stand still', async () => {
    const { w, clock, executor, backend } = await host()
    await w.add([{ do: 'hang' }])
    await clock.advance(10)
    await clock.advance(30_000)
    expect(backend.renewals).toBe(3)
    executor.tick()
    await clock.advance(0)
    expect(backend.renewals).toBe(3)
  })

  test('a voided host drops what it runs and begins again under another name', async () => {
    const { w, clock, worker, executor, backend } = await host()
    const [id] = await w.add([{ do: 'ok', ms: 8_000 }])
    await clock.advance(10)
    await w.backend.recover({ me: 'thief', dead: 'others', left: [], now: clock.now(), maxCrashes: 9 })
    await clock.advance(8_000)
    await clock.advance(2_000)
    expect(worker.role).toBe('host')
    expect(new Set(backend.exchanges.map(({ host }) => host)).size).toBe(2)
    expect(await w.ended([String(id)])).toEqual(['completed'])
    expect(executor.began).toHaveLength(2)
  })
})

describe('stop', () => {
  test('waits for what runs, gives back what has not begun, charges nothing', async () => {
    const { w, clock, worker, executor } = await host({ slots: 2 })
    await w.ended(await w.add(many(100, { do: 'ok', ms: 1 })))
    const ids = await w.add(many(30, { do: 'ok', ms: 1_000 }))
    await clock.advance(10)
    expect(executor.backlog).toBeGreaterThan(0)
    let stopped = false
    const stop = worker.stop({ grace: 5_000 }).then(() => {
      stopped = true
    })
    await clock.advance(500)
    expect(stopped).toBe(false)
    expect(await w.backend.counts()).toMatchObject({ available: 28, running: 2 })
    await clock.advance(600)
    await stop
    expect(worker.role).toBe('stopped')
    expect(await w.backend.counts()).toMatchObject({ available: 28, running: 0, completed: 102 })
    expect((await w.backend.get(ids)).filter((view) => view?.state === 'available')).toMatchObject(
      many(28, { attempt: 1, crashes: 0 }),
    )
  })

  test('aborts after the grace, without charging an attempt', async () => {
    const { w, clock, worker, executor, backend } = await host()
    const [id] = await w.add([{ do: 'hang' }])
    await clock.advance(10)
    const stop = worker.stop()
    await clock.advance(4_999)
    expect(executor.aborted).toEqual([])
    await clock.advance(1)
    await stop
    expect(executor.aborted).toEqual([id])
    expect(await w.backend.get([String(id)])).toMatchObject([{ state: 'available', attempt: 1, crashes: 0 }])
    expect(last(backend.exchanges)?.leave).toBe(true)
    expect(clock.timers).toBe(0)
  })

  test('asked twice, the shorter grace counts', async () => {
    const { w, clock, worker } = await host()
    await w.add([{ do: 'hang' }])
    await clock.advance(10)
    const first = worker.stop({ grace: 60_000 })
    await clock.advance(1_000)
    const second = worker.stop({ grace: 1_000 })
    await clock.advance(1_000)
    await Promise.all([first, second])
    expect(worker.role).toBe('stopped')
  })

  test('does not wait for a storage that never answers', async () => {
    const { w, clock, worker, backend } = await host()
    backend.faults.exchange.push('hang')
    await w.add([{ do: 'ok' }])
    await clock.advance(10)
    const stop = worker.stop({ grace: 1_000 })
    await clock.advance(6_000)
    await stop
    expect(worker.role).toBe('stopped')
  })

  test('what was claimed while it was asked to stop goes back', async () => {
    const { w, clock, worker, executor } = await host()
    const ids = await w.add([{ do: 'ok' }])
    const stop = worker.stop()
    await clock.advance(0)
    await stop
    expect(executor.began.length + (await w.backend.counts()).available).toBe(ids.length)
  })

  test('start, stop, start at once ends running; so do many', async () => {
    const w = world()
    const { worker, executor } = w.tab()
    const all = [worker.start(), worker.stop(), worker.start(), worker.start(), worker.stop(), worker.start()]
    await Promise.all(all)
    expect(worker.role).toBe('host')
    expect(executor.isOpen).toBe(true)
    await w.ended(await w.add([{ do: 'ok' }]))
    await Promise.all([worker.stop(), worker.start(), worker.stop()])
    expect(worker.role).toBe('stopped')
    expect(executor.isOpen).toBe(false)
  })

  test('can be started and stopped again and again, and leaves nothing behind', async () => {
    const w = world()
    const { worker, clock, backend } = w.tab()
    for (let i = 0; i < 5; i++) {
      expect(await worker.start()).toBe('host')
      await w.ended(await w.add([{ do: 'ok' }]))
      await worker.stop()
      expect(clock.timers).toBe(0)
    }
    expect(new Set(backend.exchanges.map(({ host }) => host)).size).toBe(5)
  })

  test('await using', async ({ skip }) => {
    skip(!('asyncDispose' in Symbol), 'the engine has no Symbol.asyncDispose')
    const w = world()
    const tab = w.tab()
    await tab.worker.start()
    // What the statement does, which WebKit can't even parse.
    await tab.worker[Symbol.asyncDispose]()
    expect(tab.worker.role).toBe('stopped')
  })
})

describe('the executor', () => {
  test('start rejects if it does not open, and can be tried again', async () => {
    const w = world()
    const { worker, executor } = w.tab()
    executor.failOpens = 1
    await expect(worker.start()).rejects.toThrow('The handlers cannot be loaded.')
    expect(worker.role).toBe('stopped')
    expect(await worker.start()).toBe('host')
  })

  test('stop does not wait for one that never opens', async () => {
    const w = world()
    const { worker, executor } = w.tab()
    executor.stuck = true
    const start = worker.start()
    await w.clock.advance(100)
    await worker.stop()
    expect(await start).toBe('stopped')
  })

  test('is told the concurrency only if there is one', async () => {
    const { executor } = await host({ concurrency: 3 })
    expect(executor.concurrency).toBe(3)
    const other = await host()
    expect(other.executor.concurrency).toBeUndefined()
  })

  test('can be looked at and a part of it killed', async () => {
    const { w, clock, worker } = await host()
    let heard = 0
    const deaf = worker.subscribe(() => heard++)
    const [id] = await w.add([{ do: 'ok', ms: 100 }])
    await clock.advance(50)
    expect(worker.workers()).toMatchObject([{ running: [{ id }] }])
    worker.kill(1)
    await clock.advance(50)
    expect(await w.backend.get([String(id)])).toMatchObject([{ crashes: 1, attempt: 1 }])
    await worker.stop({ grace: 0 })
    expect(worker.workers()).toEqual([])
    expect(heard).toBe(1)
    deaf()
  })
})

describe('drain', () => {
  test('runs what is there, then gives up the role', async () => {
    const w = world()
    await w.add([...many(10, { do: 'ok' } as const), { do: 'fail', error: { retryable: false } }, { do: 'fail' }])
    const { worker, clock } = w.tab()
    const drained = await worker.drain()
    expect(drained).toEqual({ ran: 12, completed: 10, failed: 1, more: false, wakeAt: clock.now() + 750 })
    expect(worker.role).toBe('stopped')
    expect(clock.timers).toBe(0)
  })

  test('runs what that leads to', async () => {
    const w = world()
    await w.add([
      { do: 'ok', followUps: [{ name: 'work', input: { do: 'ok', followUps: [{ name: 'work', input: 1 }] } }] },
    ])
    expect(await w.tab().worker.drain()).toMatchObject({ ran: 3, completed: 3, more: false })
  })

  test('an empty database is drained at once', async () => {
    const w = world()
    expect(await w.tab().worker.drain()).toEqual({ ran: 0, completed: 0, failed: 0, more: false })
  })

  test('runs as many as asked for', async () => {
    const w = world()
    await w.add(many(100, { do: 'ok' }))
    expect(await w.tab().worker.drain({ limit: 30 })).toMatchObject({ ran: 30, completed: 30, more: true })
    expect(await w.backend.counts()).toMatchObject({ available: 70, running: 0 })
  })

  test('a limit of none ends at once and touches nothing', async () => {
    const w = world()
    await w.add([{ do: 'ok' }])
    const { worker, backend } = w.tab()
    expect(await worker.drain({ limit: 0 })).toMatchObject({ ran: 0, completed: 0, failed: 0 })
    expect(backend.exchanges).toEqual([])
    expect(await worker.drain()).toMatchObject({ ran: 1, completed: 1 })
  })

  test('ends at its deadline and by its signal, and gives back what runs', async () => {
    const w = world()
    const ids = await w.add(many(3, { do: 'ok', ms: 1_000 }))
    const { worker, clock } = w.tab()
    const first = worker.drain({ deadline: new Date(clock.now() + 1_500) })
    await clock.advance(1_500)
    expect(await first).toMatchObject({ ran: 1, completed: 1 })
    const stop = new AbortController()
    const second = worker.drain({ signal: stop.signal })
    await clock.advance(500)
    stop.abort()
    expect(await second).toMatchObject({ ran: 0 })
    expect(await worker.drain({ signal: stop.signal })).toMatchObject({ ran: 0 })
    expect((await w.backend.get(ids)).slice(1)).toMatchObject(many(2, { state: 'available', attempt: 1, crashes: 0 }))
  })

  test('returns at once if there is a host, this worker or another', async () => {
    const { w, worker } = await host()
    const none = { ran: 0, completed: 0, failed: 0, more: false }
    expect(await worker.drain()).toEqual(none)
    const other = w.tab()
    expect(await other.worker.drain()).toEqual(none)
    expect(other.executor.opens).toBe(0)
  })

  test('two at once run one after the other; start waits for them', async () => {
    const w = world()
    await w.add(many(4, { do: 'ok' }))
    const { worker } = w.tab()
    const drains = Promise.all([worker.drain({ limit: 1 }), worker.drain({ limit: 2 })])
    expect(await worker.start()).toBe('host')
    expect((await drains).map(({ ran }) => ran)).toEqual([1, 2])
  })

  test('rejects if the executor does not open', async () => {
    const w = world()
    const { worker, executor } = w.tab()
    executor.failOpens = 1
    await expect(worker.drain()).rejects.toThrow('cannot be loaded')
    expect(await worker.drain()).toMatchObject({ ran: 0 })
  })
})

describe('chores', () => {
  test('ended tasks are pruned when there is nothing else to do, in slices with pauses', async () => {
    const { w, clock, backend } = await host({ retention: { age: 0 } })
    const ids = await w.add([{ do: 'ok' }, { do: 'hang' }])
    await clock.advance(59_000)
    expect(backend.prunes).toBe(0)
    backend.moreToPrune.push(true, true)
    await clock.advance(1_000)
    expect(backend.prunes).toBe(1)
    await clock.advance(49)
    expect(backend.prunes).toBe(1)
    await clock.advance(60)
    expect(backend.prunes).toBe(3)
    await clock.advance(60_000)
    expect(backend.prunes).toBe(4)
    expect(ids).toHaveLength(2)
  })

  test('pruning waits for work, but not for ever', async () => {
    const w = world()
    await w.add(many(2_000, { do: 'ok', ms: 1_000 }))
    const { worker, clock, backend } = w.tab({ slots: 1 })
    await worker.start()
    await clock.advance(300_000)
    expect(backend.prunes).toBe(0)
    await clock.advance(70_000)
    expect(backend.prunes).toBeGreaterThan(0)
  }, 60_000)

  test('dead hosts are looked for every minute', async () => {
    const { clock, backend } = await host()
    expect(backend.recoveries).toHaveLength(1)
    await clock.advance(121_000)
    expect(backend.recoveries).toHaveLength(3)
  })
})

describe('idle', () => {
  test('costs a look every 5 s and no renewals', async () => {
    const { clock, backend } = await host()
    await clock.advance(1_000)
    const before = backend.exchanges.length
    await clock.advance(50_000)
    expect(backend.exchanges.length - before).toBe(10)
    expect(backend.renewals).toBe(0)
  })

  test('a paused queue is left alone until it is resumed', async () => {
    const { w, clock, executor } = await host()
    await w.change({ type: 'pause', until: Number.POSITIVE_INFINITY })
    const ids = await w.add([{ do: 'ok' }])
    await clock.advance(20_000)
    await w.change({ type: 'pause', queue: 'default', until: Number.POSITIVE_INFINITY })
    const began = executor.began.length
    await w.change({ type: 'resume' })
    await clock.advance(0)
    expect(await w.states(ids)).toEqual(['completed'])
    expect(began).toBeLessThanOrEqual(1)
  })
})

describe('options', () => {
  test('are checked when the worker is made', () => {
    const clock = new ManualClock()
    const w = new World()
    expect(() => w.tab({ concurrency: 0 })).toThrow(InvalidOptionError)
    expect(() => w.tab({ lease: 1 })).toThrow('lease')
    expect(() => w.tab({ maxCrashes: 1.5 })).toThrow('maxCrashes')
    expect(() => w.tab(Object.assign({ slots: 1 }, { retries: 3 }))).toThrow("'retries'")
    expect(() => w.tab({ executor: Object.assign(new ScriptedExecutor({ clock }), { open: 1 }) })).toThrow('executor')
  })

  test('retention too', () => {
    const w = new World()
    expect(() => w.tab({ retention: { age: Number.NaN } })).toThrow('retention.age')
    expect(() => w.tab({ retention: { age: -1 } })).toThrow(InvalidOptionError)
    expect(() => w.tab({ retention: { count: 1.5 } })).toThrow('retention.count')
    expect(() => w.tab({ retention: Object.assign({ age: 1 }, { maxAge: 1 }) })).toThrow("'retention.maxAge'")
    const none = Number.POSITIVE_INFINITY
    expect(() => w.tab({ retention: { age: none, count: none } })).not.toThrow()
  })

  test('of stop and drain are checked when they are called', async () => {
    const { worker } = new World().tab()
    const stop = worker.stop(Object.assign({ grace: 1 }, { timeout: 1 }))
    await expect(stop).rejects.toMatchObject({ name: 'InvalidOptionError', option: 'timeout' })
    const drain = worker.drain(Object.assign({ limit: 1 }, { max: 1 }))
    await expect(drain).rejects.toMatchObject({ name: 'InvalidOptionError', option: 'max' })
    await expect(worker.drain({ limit: 1.5 })).rejects.toMatchObject({ option: 'limit' })
  })

  test('making a worker touches nothing', () => {
    const w = new World()
    const { executor } = w.tab()
    expect(executor.opens).toBe(0)
    expect(w.clock.timers).toBe(0)
  })
})

test('follow-ups are claimed at once, also when a claim just before brought nothing', async () => {
  const w = world()
  const tab = w.tab({ slots: 2 })
  await tab.worker.start()
  const next = { queue: 'default', name: 'work', input: { do: 'ok' }, priority: 0 }
  const [id = ''] = await w.add([{ do: 'ok', ms: 50, followUps: [next] }])
  await w.clock.advance(10)
  // A hint makes it look again, and the task ends while that look is on its way.
  const { exchange } = tab.backend
  const gates: (() => void)[] = []
  tab.backend.exchange = async (x) => {
    if (gates.length === 0) await new Promise<void>((resolve) => gates.push(resolve))
    return exchange.call(tab.backend, x)
  }
  w.channel.post({ type: 'added', queues: ['default'] })
  await w.clock.advance(100)
  expect(await w.states([id])).toEqual(['running'])
  gates[0]?.()
  await w.clock.advance(200)
  expect(await w.states([id])).toEqual(['completed'])
  expect(await w.backend.counts()).toMatchObject({ completed: 2, available: 0 })
})

describe("tasks that the host's own page stores", () => {
  async function page() {
    const clock = new ManualClock()
    const backend = new MemoryBackend({ clock })
    const queue = new TaskQueue<{ work: (script: object) => unknown }>({ backend, clock })
    const asked: string[] = []
    const { exchange, add } = backend
    backend.exchange = (x) => {
      asked.push(x.claim ? 'claim' : 'settle')
      return exchange.call(backend, x)
    }
    backend.add = async (...task) => {
      const ids = await add.apply(backend, task)
      asked.push('stored')
      return ids
    }
    const executor = new ScriptedExecutor({ clock, slots: 4 })
    const worker = new TaskWorker(queue, { executor })
    await worker.start()
    await clock.advance(1)
    onTestFinished(async () => {
      const stopped = worker.stop({ grace: 0 })
      await clock.advance(100)
      await stopped
    })
    asked.length = 0
    return { clock, queue, backend, executor, asked }
  }
  const long = { do: 'ok', ms: 1_000 } as const

  test('are asked for as they are stored, and not again when it is told', async () => {
    const { queue, clock, executor, asked } = await page()
    await queue.enqueue('work', long)
    await clock.advance(1)
    expect(executor.began).toHaveLength(1)
    expect(asked.sort()).toEqual(['claim', 'stored'])
    await queue.enqueueMany('work', [long, long])
    await clock.advance(1)
    expect(executor.began).toHaveLength(3)
    // What another page's backend has stored is told by its hint alone.
    asked.length = 0
    queue.backend.channel.post({ type: 'added', queues: ['default'], by: 'another' })
    await clock.advance(1)
    expect(asked).toEqual(['claim'])
  })

  test('are not asked for while everything is paused, but for those of a new queue', async () => {
    const { queue, clock, executor, asked } = await page()
    await queue.enqueue('work', { do: 'ok' })
    await queue.pause('default')
    await clock.advance(100)
    asked.length = 0
    for (let i = 0; i < 5; i++) await queue.enqueue('work', long)
    await clock.advance(100)
    expect(asked).toEqual(many(5, 'stored'))
    await queue.enqueue('work', long, { queue: 'new' })
    await clock.advance(100)
    expect(executor.began).toHaveLength(2)
    asked.length = 0
    await queue.enqueue('work', long)
    queue.backend.channel.post({ type: 'added', queues: ['default'] })
    await clock.advance(100)
    await queue.resume('default')
    await clock.advance(100)
    expect(executor.began.length).toBeGreaterThan(2)
  })
})
