import { describe, expect, it } from 'vitest'
import type { AddOptions, NewTask } from '../src/backend.js'
import {
  defineHandlers,
  type EnqueueOptions,
  InvalidInputError,
  MemoryBackend,
  type QueueEvent,
  StorageError,
  type Task,
  TaskQueue,
  type TaskState,
} from '../src/index.js'
import { ManualClock, settle } from './support/clock.js'
import { echo, withHost } from './support/host.js'

const handlers = defineHandlers({ echo: (input: unknown) => input, tick: () => 1 })
type Handlers = typeof handlers

/** Counts what it is asked, and can refuse tasks. */
class WatchedBackend extends MemoryBackend {
  readonly adds: { tasks: readonly NewTask[]; options: AddOptions }[] = []
  reads = 0
  refuse: (task: NewTask) => Error | undefined = () => undefined
  deaf = false

  override async add(tasks: readonly NewTask[], options: AddOptions) {
    this.adds.push({ tasks, options })
    for (const task of tasks) {
      const error = this.refuse(task)
      if (error) throw error
    }
    return super.add(tasks, options)
  }

  override results(ids: readonly string[]) {
    this.reads++
    return super.results(ids)
  }
}

const setup = () => withHost<Handlers, WatchedBackend>((options) => new WatchedBackend(options))

describe('a new queue', () => {
  it('touches nothing until it is used', () => {
    const untouched = new Proxy(new MemoryBackend(), {
      get: (_, key) => {
        throw new Error(`${String(key)} was touched`)
      },
    })
    expect(new TaskQueue({ backend: untouched }).backend).toBe(untouched)
  })
})

describe('enqueue', () => {
  it('stores a task with all its options', async () => {
    const { queue, clock } = setup()
    const options: EnqueueOptions = {
      queue: 'images',
      priority: -7,
      delay: 500,
      retry: { attempts: 5, delay: 10 },
      timeout: 900,
      meta: { tab: 1 },
    }
    const task = await queue.enqueue('echo', { some: 'input' }, options)
    expect(await task.get()).toEqual({
      id: task.id,
      queue: 'images',
      name: 'echo',
      state: 'scheduled',
      input: { some: 'input' },
      priority: -7,
      attempt: 1,
      crashes: 0,
      enqueuedAt: clock.now(),
      runAt: clock.now() + 500,
      settings: { retry: { attempts: 5, delay: 10 }, timeout: 900, meta: { tab: 1 } },
    })
  })

  it('takes a time as a Date or a number', async () => {
    const { queue, clock } = setup()
    const at = clock.now() + 1_000
    const tasks = [
      await queue.enqueue('tick', undefined, { runAt: new Date(at) }),
      await queue.enqueue('tick', undefined, { runAt: at }),
    ]
    for (const task of tasks) expect(await task.get()).toMatchObject({ state: 'scheduled', runAt: at })
    const past = await queue.enqueue('tick', undefined, { runAt: at - 5_000 })
    expect(await past.get()).toMatchObject({ state: 'available' })
  })

  it.each<[string, EnqueueOptions]>([
    ['delay', { delay: -1 }],
    ['delay', { delay: Number.NaN }],
    ['delay', { delay: 5, runAt: 5 }],
    ['runAt', { runAt: new Date('no date') }],
    ['runAt', { runAt: Number.NaN }],
    ['queue', { queue: '' }],
    ['priority', { priority: 101 }],
    ['priority', { priority: 0.5 }],
    ['timeout', { timeout: -5 }],
    ['retry.attempts', { retry: { attempts: 0 } }],
    ['retry.jitter', { retry: { jitter: 2 } }],
    ['prio', JSON.parse('{ "prio": 5 }')],
    ['retry.times', JSON.parse('{ "retry": { "times": 5 } }')],
    ['retry', JSON.parse('{ "retry": 3 }')],
    ['durability', JSON.parse('{ "durability": "best" }')],
    ['options', JSON.parse('5')],
    ['options', JSON.parse('[]')],
  ])('refuses a wrong %s before anything is stored', async (option, options) => {
    const { queue, backend } = setup()
    const refused = queue.enqueue('tick', undefined, options)
    await expect(refused).rejects.toMatchObject({ name: 'InvalidOptionError', code: 'invalid-option', option })
    await expect(queue.enqueueMany('echo', [1], options)).rejects.toMatchObject({ option })
    expect(backend.adds).toEqual([])
  })

  it('refuses an empty name', async () => {
    const { queue, backend } = setup()
    const any: TaskQueue = queue
    await expect(any.enqueue('')).rejects.toMatchObject({ option: 'name' })
    expect(backend.adds).toEqual([])
  })

  it('says what cannot be cloned, and where', async () => {
    const { queue, backend } = setup()
    const input = { user: { name: 'Eve', save: () => 1 } }
    await expect(queue.enqueue('echo', input)).rejects.toMatchObject({
      name: 'InvalidInputError',
      path: 'input.user.save',
    })
    await expect(queue.enqueue('tick', undefined, { meta: Symbol() })).rejects.toBeInstanceOf(InvalidInputError)
    const mixed = { at: new Date(), state: new Proxy({ a: 1 }, {}) }
    await expect(queue.enqueue('echo', mixed)).rejects.toMatchObject({ path: 'input.state' })
    expect(backend.adds).toEqual([])
  })

  it('stores the input as it was when enqueue was called', async () => {
    const { queue } = setup()
    const input = { steps: [1], buffer: new Uint8Array([1, 2]) }
    const meta = { note: 'before' }
    const enqueued = queue.enqueue('echo', input, { meta })
    input.steps.push(2)
    input.buffer[0] = 9
    meta.note = 'after'
    const view = await (await enqueued).get()
    expect(view?.input).toEqual({ steps: [1], buffer: new Uint8Array([1, 2]) })
    expect(view?.settings.meta).toEqual({ note: 'before' })
  })

  it('makes one transaction of all calls of one turn', async () => {
    const { queue, backend } = setup()
    const tasks = await Promise.all(Array.from({ length: 1_000 }, (_, i) => queue.enqueue('echo', i)))
    expect(backend.adds.map(({ tasks }) => tasks.length)).toEqual([1_000])
    const views = await backend.get(tasks.map(({ id }) => id))
    expect(views.map((view) => view?.input)).toEqual(Array.from({ length: 1_000 }, (_, i) => i))
  })

  it('does not wait for a group that is on its way, and keeps groups small', async () => {
    const { queue, backend } = setup()
    const first = queue.enqueue('echo', 1)
    await Promise.resolve()
    const second = queue.enqueue('echo', 2)
    await Promise.resolve()
    expect(backend.adds).toHaveLength(2)
    await Promise.all([first, second])
    await Promise.all(Array.from({ length: 5_000 }, () => queue.enqueue('tick')))
    expect(backend.adds.slice(2).map(({ tasks }) => tasks.length)).toEqual([4_096, 904])
  })

  it('gives a group the durability of its most demanding task', async () => {
    const { queue, backend } = setup()
    const enqueue = (durability?: 'relaxed' | 'strict') =>
      queue.enqueue('tick', undefined, durability ? { durability } : {})
    await enqueue('relaxed')
    await Promise.all([enqueue('relaxed'), enqueue()])
    await Promise.all([enqueue('relaxed'), enqueue('strict'), enqueue()])
    expect(backend.adds.map(({ options }) => options.durability)).toEqual(['relaxed', undefined, 'strict'])
  })

  it.each(['quota', 'uncloneable'] as const)('does not let a task fail for the sake of another: %s', async (code) => {
    const { queue, backend } = setup()
    const refusal = new StorageError(code, 'too much')
    backend.refuse = ({ input }) => (input === 17 || input === 555 ? refusal : undefined)
    const settled = await Promise.allSettled(Array.from({ length: 1_000 }, (_, i) => queue.enqueue('echo', i)))
    const refused = settled.flatMap((one, i) => (one.status === 'rejected' ? [[i, one.reason]] : []))
    expect(refused).toEqual([
      [17, refusal],
      [555, refusal],
    ])
    expect((await queue.counts()).available).toBe(998)
  })

  it('does not ask a storage that is gone again for every task', async () => {
    const { queue, backend } = setup()
    const lost = new StorageError('lost', 'gone')
    backend.refuse = () => lost
    const settled = await Promise.allSettled(Array.from({ length: 100 }, () => queue.enqueue('tick')))
    expect(settled.every((one) => one.status === 'rejected' && one.reason === lost)).toBe(true)
    expect(backend.adds).toHaveLength(1)
    backend.refuse = () => new StorageError('quota', 'full')
    backend.adds.length = 0
    await Promise.allSettled(Array.from({ length: 4_000 }, () => queue.enqueue('tick')))
    expect(backend.adds.length).toBeLessThan(70)
  })
})

describe('results', () => {
  it('come when the task ends', async () => {
    const { queue, host, clock } = setup()
    const task = await queue.enqueue('echo', { a: 1 })
    const [waiting, result] = [task.result(), queue.getResult(task.id)]
    await settle()
    await host.run(echo)
    expect(await waiting).toEqual({ a: 1 })
    expect(await result).toMatchObject({
      id: task.id,
      name: 'echo',
      status: 'completed',
      value: { a: 1 },
      attempts: 1,
      enqueuedAt: clock.now(),
      startedAt: clock.now(),
      finishedAt: clock.now(),
    })
    expect(await task.result({ timeout: 0 })).toEqual({ a: 1 })
  })

  it('tell failures and cancellations apart', async () => {
    const { queue, host } = setup()
    const [bad, gone] = [await queue.enqueue('echo', 'bad'), await queue.enqueue('echo', 'gone')]
    const cancelled = expect(gone.result()).rejects.toMatchObject({ name: 'TaskCancelledError', reason: 'not needed' })
    expect(await gone.cancel({ reason: 'not needed' })).toBe(true)
    expect(await gone.cancel()).toBe(false)
    await cancelled
    const failed = expect(bad.result()).rejects.toMatchObject({ name: 'TaskFailedError', error: { message: 'no' } })
    await host.run(() => {
      throw new RangeError('no')
    })
    await failed
    expect(await queue.getResult(bad.id)).toMatchObject({
      status: 'failed',
      error: { name: 'RangeError', message: 'no' },
    })
    expect(await queue.getResult(gone.id)).toMatchObject({ status: 'cancelled', reason: 'not needed' })
  })

  it('can be waited for again after a retry', async () => {
    const { queue, host } = setup()
    const task = await queue.enqueue('echo', 5)
    await host.run(() => Promise.reject(new Error('no')))
    expect(await task.retry()).toBe(true)
    expect(await task.retry()).toBe(false)
    const result = task.result()
    await host.run(echo)
    expect(await result).toBe(5)
  })

  it('are undefined when the time is up', async () => {
    const { queue, clock } = setup()
    const task = await queue.enqueue('tick')
    expect(await queue.getResult(task.id, { timeout: 0 })).toBeUndefined()
    const late = queue.getResult(task.id, { timeout: 2_500 })
    const thrown = expect(task.result({ timeout: 2_500 })).rejects.toMatchObject({
      name: 'TimeoutError',
      code: 'timeout',
    })
    await clock.advance(2_499)
    await clock.advance(1)
    expect(await late).toBeUndefined()
    await thrown
    await expect(queue.getResult(task.id, { timeout: -1 })).rejects.toMatchObject({ option: 'timeout' })
  })

  it('are looked at once more when the time is up', async () => {
    const { queue, clock, host } = setup()
    host.mute = true
    const task = await queue.enqueue('tick')
    const result = queue.getResult(task.id, { timeout: 500 })
    await settle()
    await host.run(() => 1)
    await clock.advance(500)
    expect(await result).toMatchObject({ value: 1 })
  })

  it('come by polling when every hint is lost', async () => {
    const { queue, clock, host } = setup()
    host.mute = true
    const tasks = await Promise.all(Array.from({ length: 2_000 }, (_, i) => queue.enqueue('echo', i)))
    const results = Promise.all(tasks.map((task) => task.result()))
    await settle()
    await host.run(echo)
    await clock.advance(1_000)
    expect(await results).toEqual(tasks.map((_, i) => i))
  })

  it('of many tasks are read together', async () => {
    const { queue, backend, host, clock } = setup()
    const tasks = await Promise.all(Array.from({ length: 1_000 }, (_, i) => queue.enqueue('echo', i)))
    const results = Promise.all(tasks.map((task) => task.result()))
    await clock.advance(5)
    expect(backend.reads).toBe(1)
    await host.run(echo, { limit: 500 })
    await results
    expect(backend.reads).toBeLessThan(5)
  })

  it('of a task that was stored just now is read when it has ended, not before', async () => {
    const { queue, backend, host, clock } = setup()
    const task = await queue.enqueue('echo', 'now')
    const result = task.result()
    await settle()
    expect(backend.reads).toBe(0)
    await host.run(echo)
    expect(await result).toBe('now')
    expect(backend.reads).toBe(1)
    expect(clock.timers).toBe(0)
    // It may have ended before anyone listened.
    const other = await queue.enqueue('echo', 'soon')
    await host.run(echo)
    const late = other.result()
    await settle()
    expect(backend.reads).toBe(1)
    await clock.advance(5)
    expect(await late).toBe('soon')
    const once = await queue.enqueue('echo', 'at once')
    await expect(once.result({ timeout: 0 })).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  it.each([1, 2, 3, 4, 5])(
    'of a task that was stored just now are there after %i ms, or they are not',
    async (timeout) => {
      const { queue, backend, host, clock } = setup()
      host.mute = true
      const [ended, open] = [
        await queue.enqueue('echo', 'now'),
        await queue.enqueue('tick', undefined, { delay: 60_000 }),
      ]
      let answered = false
      const found = ended.result({ timeout })
      const late = open.result({ timeout }).catch((error: unknown) => error)
      void late.then(() => {
        answered = true
      })
      await settle()
      await host.run(echo)
      expect(backend.reads).toBe(0)
      await clock.advance(timeout - 1)
      expect(answered).toBe(false)
      await clock.advance(1)
      expect(await found).toBe('now')
      expect(await late).toMatchObject({ name: 'TimeoutError' })
      expect(clock.timers).toBe(0)
    },
  )

  it.each([0, 3, 500])(
    'of a task that was pruned since are not taken for late, whoever has its handle (%i ms)',
    async (timeout) => {
      const { queue, host, clock } = setup()
      const task = await queue.enqueue('tick')
      await host.run(echo)
      await Promise.all(Array.from({ length: 300 }, () => queue.enqueue('tick')))
      await host.run(echo)
      await clock.advance(100_000)
      await queue.prune({ age: 0, count: 0 })
      const gone = expect(task.result({ timeout })).rejects.toMatchObject({ name: 'TaskNotFoundError', id: task.id })
      await clock.advance(timeout)
      await gone
    },
  )

  it('do not exist for ids that nobody gave out', async () => {
    const { queue, host, clock } = setup()
    const task = await queue.enqueue('tick')
    const other = setup()
    const foreign = await other.queue.enqueue('tick')
    for (const id of ['nonsense', '', foreign.id, `${task.id.slice(0, -1)}9`]) {
      await expect(queue.getResult(id)).rejects.toMatchObject({ name: 'TaskNotFoundError', id })
      await expect(queue.task(id).result({ timeout: 5 })).rejects.toMatchObject({ name: 'TaskNotFoundError' })
      expect(await queue.task(id).get()).toBeUndefined()
      expect(await queue.task(id).cancel()).toBe(false)
      expect(await queue.task(id).retry()).toBe(false)
    }
    await host.run(echo)
    await Promise.all(Array.from({ length: 300 }, () => queue.enqueue('tick')))
    await host.run(echo)
    await clock.advance(100_000)
    await queue.prune({ age: 0, count: 0 })
    await expect(queue.getResult(task.id)).rejects.toMatchObject({ name: 'TaskNotFoundError' })
  })

  it('are given up on when the signal aborts', async () => {
    const { queue, clock } = setup()
    const task = await queue.enqueue('tick')
    const controller = new AbortController()
    const waiting = expect(task.result({ signal: controller.signal })).rejects.toBe('enough')
    await settle()
    expect(clock.timers).toBeGreaterThan(0)
    controller.abort('enough')
    await waiting
    expect(clock.timers).toBe(0)
    await expect(queue.getResult(task.id, { signal: AbortSignal.abort('at once') })).rejects.toBe('at once')
  })

  it('reject with what the storage rejects with', async () => {
    const { queue, backend, clock } = setup()
    const task = await queue.enqueue('tick')
    const lost = new StorageError('lost', 'gone')
    backend.results = () => Promise.reject(lost)
    const refused = expect(task.result()).rejects.toBe(lost)
    await clock.advance(5)
    await refused
  })
})

describe('many tasks', () => {
  it('are listed by state, in pages', async () => {
    const { queue, host } = setup()
    await queue.enqueueMany(
      'echo',
      Array.from({ length: 120 }, (_, i) => i),
    )
    const inputs: unknown[] = []
    let page = await queue.list({ state: 'available' })
    expect(page.items).toHaveLength(50)
    inputs.push(...page.items.map(({ input }) => input))
    while (page.next !== undefined) {
      page = await queue.list({ state: 'available', cursor: page.next })
      inputs.push(...page.items.map(({ input }) => input))
    }
    expect(inputs).toEqual(Array.from({ length: 120 }, (_, i) => i))
    await host.run(echo, { rounds: 1, limit: 100 })
    const all: unknown[] = []
    for await (const { input } of queue.tasks({ state: 'completed', limit: 7 })) all.push(input)
    expect(all).toEqual(Array.from({ length: 100 }, (_, i) => 99 - i))
    expect((await queue.list({ state: 'available', queue: 'other' })).items).toEqual([])
    const wrong: TaskState = JSON.parse('"done"')
    await expect(queue.list({ state: wrong })).rejects.toMatchObject({ option: 'state' })
    await expect(queue.list({ state: 'running', limit: 0 })).rejects.toMatchObject({ option: 'limit' })
  })

  it('are counted, paused, resumed and cleared', async () => {
    const { queue, host, clock } = setup()
    for (const name of ['a', 'b']) {
      await queue.enqueueMany('echo', [1, 2, 3], { queue: name })
      await queue.enqueue('tick', undefined, { queue: name, delay: 100 })
    }
    expect(await queue.counts('a')).toMatchObject({ available: 3, scheduled: 1 })
    expect(await queue.counts()).toMatchObject({ available: 6, scheduled: 2 })
    await queue.pause('a')
    expect(await host.run(echo)).toBe(3)
    await queue.resume('a')
    await queue.pause(undefined, { until: new Date(clock.now() + 5_000) })
    expect(await host.run(echo)).toBe(0)
    await clock.advance(5_000)
    expect((await host.claim(2)).length).toBe(2)
    expect(await queue.clear({ queue: 'a', reason: 'enough' })).toBe(4)
    expect(await queue.counts('a')).toMatchObject({ available: 0, scheduled: 0, running: 0, cancelled: 4 })
    expect(await queue.clear()).toBe(1)
    await expect(queue.pause('a', { until: Number.NaN })).rejects.toMatchObject({ option: 'until' })
    await expect(queue.counts('')).rejects.toMatchObject({ option: 'queue' })
  })

  it('reject for who waits for them when all is cleared', async () => {
    const { queue } = setup()
    const task = await queue.enqueue('tick')
    const rejected = expect(task.result()).rejects.toMatchObject({ name: 'TaskCancelledError', reason: 'all' })
    await settle()
    await queue.clear({ reason: 'all' })
    await rejected
  })

  it('are pruned', async () => {
    const { queue, host, clock } = setup()
    await queue.enqueueMany(
      'echo',
      Array.from({ length: 600 }, (_, i) => i),
    )
    for (let i = 0; i < 600; i++) queue.enqueue('tick')
    await settle()
    await host.run(echo)
    await clock.advance(120_000)
    await queue.prune({ count: 100 })
    expect((await queue.list({ state: 'completed', limit: 1_000 })).items.length).toBeLessThan(1_000)
    await expect(queue.prune({ age: -1 })).rejects.toMatchObject({ option: 'age' })
  })
})

describe('subscribe', () => {
  it('tells what happens', async () => {
    const { queue, host } = setup()
    const events: QueueEvent[] = []
    const stop = queue.subscribe((event) => events.push(event))
    const batch = await queue.enqueueMany('echo', [1, 2])
    await host.run(echo)
    await queue.pause()
    await settle()
    expect(events).toEqual([
      { type: 'added', queues: ['default'] },
      { type: 'ended', count: 2, batches: [batch.id] },
      { type: 'changed', change: 'pause' },
    ])
    queue.backend.channel.post({ type: 'role', from: 'h', role: 'host' })
    queue.backend.channel.post({ type: 'ping', from: 'h' })
    queue.backend.channel.post({ type: 'storage', event: 'quota', message: 'full' })
    await settle()
    expect(events.slice(3)).toEqual([
      { type: 'role', host: 'h', role: 'host' },
      { type: 'storage', event: 'quota', message: 'full' },
    ])
    stop()
    await queue.resume()
    await settle()
    expect(events).toHaveLength(5)
  })
})

describe('close', () => {
  it('stores what was enqueued, then refuses everything', async () => {
    const { queue, backend } = setup()
    const enqueued = queue.enqueue('tick')
    const closing = queue.close()
    expect(queue.close()).toBe(closing)
    expect((await enqueued).id).toMatch(/-/)
    await closing
    expect(backend.adds).toHaveLength(1)
    const closed = { name: 'ClosedError', code: 'closed' }
    await expect(queue.enqueue('tick')).rejects.toMatchObject(closed)
    await expect(queue.enqueueMany('echo', [1])).rejects.toMatchObject(closed)
    await expect(queue.counts()).rejects.toMatchObject(closed)
    await expect(queue.getResult('x')).rejects.toMatchObject(closed)
    await expect(queue.clear()).rejects.toMatchObject(closed)
    expect(() => queue.task('x')).toThrow(expect.objectContaining(closed))
    expect(() => queue.subscribe(() => {})).toThrow(expect.objectContaining(closed))
    expect(backend.adds).toHaveLength(1)
  })

  it('ends all waiting', async () => {
    const { queue, clock } = setup()
    const tasks = await Promise.all(Array.from({ length: 3 }, () => queue.enqueue('tick')))
    const batch = await queue.enqueueMany('echo', [1])
    const closed = { name: 'ClosedError' }
    const waiting = [
      ...tasks.map((task: Task<number>) => expect(task.result()).rejects.toMatchObject(closed)),
      expect(batch.collect()).rejects.toMatchObject(closed),
      expect(batch.results().next()).rejects.toMatchObject(closed),
    ]
    await settle()
    await queue.close()
    await Promise.all(waiting)
    expect(clock.timers).toBe(0)
  })

  it('happens by itself at the end of a block', async ({ skip }) => {
    skip(!('asyncDispose' in Symbol), 'the engine has no Symbol.asyncDispose')
    const clock = new ManualClock()
    const queue = new TaskQueue<Handlers>({ backend: new MemoryBackend({ clock }), clock })
    await queue.enqueue('tick')
    await queue[Symbol.asyncDispose]()
    await expect(queue.enqueue('tick')).rejects.toMatchObject({ name: 'ClosedError' })
  })
})
