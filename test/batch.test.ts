import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AddOptions, AlikeTasks, BatchChunk, Cursor, Reads } from '../src/backend.js'
import {
  type BatchProgress,
  type BatchResult,
  defineHandlers,
  MemoryBackend,
  StorageError,
  TaskQueue,
} from '../src/index.js'
import { parseId } from '../src/task.js'
import { ManualClock, settle } from './support/clock.js'
import { echo, Host, withHost } from './support/host.js'

const handlers = defineHandlers({ echo: (input: unknown) => input })
type Handlers = typeof handlers

/** Keeps a record of chunks and reads, and can fail an add. */
class WatchedBackend extends MemoryBackend {
  readonly chunks: { size: number; offset: number; open: boolean }[] = []
  readonly reads: { kind: string; query: unknown }[] = []
  fail: ((chunk: number) => Error | undefined) | undefined
  /** Adds wait for this. */
  gate: Promise<void> | undefined

  override async addAlike(tasks: AlikeTasks, options: AddOptions & { batch: BatchChunk }) {
    const { offset, open } = options.batch
    this.chunks.push({ size: tasks.inputs.length, offset, open })
    const error = this.fail?.(this.chunks.length - 1)
    if (error) throw error
    await this.gate
    return super.addAlike(tasks, options)
  }

  /** Results of the first so many positions are gone. */
  lost = 0

  override async read<K extends keyof Reads>(kind: K, query: Reads[K]['query'], cursor?: Cursor) {
    this.reads.push({ kind, query })
    const page = await super.read(kind, query, cursor)
    const isThere = (item: object) => !('id' in item) || (parseId(String(item.id))?.position ?? this.lost) >= this.lost
    return { ...page, items: page.items.filter(isThere) }
  }
}

const setup = () => withHost<Handlers, WatchedBackend>((options) => new WatchedBackend(options))

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)
async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}
const values = (results: readonly BatchResult[]) =>
  results.map((result) => (result.status === 'completed' ? result.value : result.status))

describe('enqueueMany', () => {
  it('stores arrays, iterables and async iterables in chunks', async () => {
    const { queue, backend } = setup()
    const sources = [
      numbers(10),
      new Set(numbers(10)),
      (function* () {
        yield* numbers(10)
      })(),
      (async function* () {
        for (const n of numbers(10)) yield n
      })(),
    ]
    for (const inputs of sources) {
      backend.chunks.length = 0
      const batch = await queue.enqueueMany('echo', inputs, { chunkSize: 4 })
      expect(backend.chunks).toEqual([
        { size: 4, offset: 0, open: true },
        { size: 4, offset: 4, open: true },
        { size: 2, offset: 8, open: false },
      ])
      expect(await batch.progress()).toMatchObject({ total: 10, done: 0, open: false })
    }
    expect((await queue.list({ state: 'available', limit: 40 })).items.map(({ input }) => input)).toEqual(
      sources.flatMap(() => numbers(10)),
    )
  })

  it('gives every task the options', async () => {
    const { queue, clock } = setup()
    const options = {
      queue: 'q',
      priority: 3,
      delay: 50,
      retry: { attempts: 1 },
      meta: 'm',
      durability: 'strict',
    } as const
    const batch = await queue.enqueueMany('echo', [1, 2], { ...options, id: 'mine' })
    expect(batch.id).toBe('mine')
    const { items } = await queue.list({ state: 'scheduled' })
    for (const view of items) {
      expect(view).toMatchObject({ queue: 'q', priority: 3, batch: 'mine', runAt: clock.now() + 50 })
      expect(view.settings).toEqual({ retry: { attempts: 1 }, meta: 'm' })
    }
    expect(items).toHaveLength(2)
  })

  it('closes chunks at about 4 MB', async () => {
    const { queue, backend } = setup()
    const megabyte = 'x'.repeat(1_000_000)
    await queue.enqueueMany('echo', Array(10).fill(megabyte))
    expect(backend.chunks.map(({ size }) => size)).toEqual([5, 5])
  })

  it('makes a batch of nothing, which has ended at once', async () => {
    const { queue } = setup()
    const batch = await queue.enqueueMany('echo', [])
    expect(await batch.progress()).toEqual({
      total: 0,
      done: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
      open: false,
      rate: 0,
      etaMs: 0,
    })
    expect(await batch.collect()).toEqual([])
    expect(await all(batch.results())).toEqual([])
  })

  it('does not store an empty chunk at the end where it can see the end coming', async () => {
    const { queue, backend } = setup()
    await queue.enqueueMany('echo', numbers(8), { chunkSize: 4 })
    expect(backend.chunks.map(({ size }) => size)).toEqual([4, 4])
    backend.chunks.length = 0
    const slow = (async function* () {
      yield* numbers(8)
    })()
    const batch = await queue.enqueueMany('echo', slow, { chunkSize: 4 })
    expect(backend.chunks.map(({ size }) => size)).toEqual([4, 4, 0])
    expect(await batch.progress()).toMatchObject({ total: 8, open: false })
  })

  it('collects and hands over one chunk while another is committed, and no more', async () => {
    const { queue, backend } = setup()
    let taken = 0
    const inputs = (function* () {
      for (;;) yield taken++
    })()
    let open = () => {}
    backend.gate = new Promise((resolve) => {
      open = resolve
    })
    const controller = new AbortController()
    const endless = queue.enqueueMany('echo', inputs, { id: 'e', chunkSize: 10, signal: controller.signal })
    const aborted = expect(endless).rejects.toBe('enough')
    await settle()
    expect(taken).toBe(21) // two chunks and a look ahead
    controller.abort('enough')
    open()
    await aborted
    expect(taken).toBeLessThanOrEqual(31)
    expect(await (await queue.batch('e'))?.progress()).toMatchObject({ total: 20, open: true })
    expect(inputs.next().done).toBe(true) // it was told to clean up
  })

  it('is called off while it waits for an input', async () => {
    const { queue } = setup()
    const controller = new AbortController()
    const never = (async function* () {
      yield 1
      await new Promise(() => {})
    })()
    const aborted = expect(queue.enqueueMany('echo', never, { signal: controller.signal })).rejects.toBe('enough')
    await settle()
    controller.abort('enough')
    await aborted
  })

  it('stores what a slow source has given within a second', async () => {
    const { queue, clock, backend } = setup()
    let give = (_: number) => {}
    const slow = (async function* () {
      for (;;) {
        const n = await new Promise<number>((resolve) => {
          give = resolve
        })
        if (n < 0) return
        yield n
      }
    })()
    const sizes = () => backend.chunks.map(({ size }) => size)
    const told: number[] = []
    const running = queue.enqueueMany('echo', slow, { id: 's', onProgress: ({ stored }) => told.push(stored) })
    await clock.advance(5_000)
    expect(sizes()).toEqual([])
    for (const n of [0, 1, 2]) {
      give(n)
      await clock.advance(400)
    }
    expect(sizes()).toEqual([3]) // a second after the first of them, while the fourth was not there
    give(3)
    await clock.advance(999)
    expect(sizes()).toEqual([3])
    await clock.advance(1)
    expect(sizes()).toEqual([3, 1])
    await clock.advance(60_000)
    give(-1)
    const batch = await running
    expect(told).toEqual([3, 4, 4])
    expect(await batch.progress()).toMatchObject({ total: 4, open: false })
    expect((await queue.list({ state: 'available' })).items.map(({ input }) => input)).toEqual([0, 1, 2, 3])
    expect(clock.timers).toBe(0)
  })

  it('stores it in time where timers are late, as in a hidden page', async () => {
    const { queue, clock, backend } = setup()
    const late = { now: () => clock.now(), monotonic: () => clock.monotonic(), timer: () => () => {} }
    const hidden = new TaskQueue<Handlers>({ backend, clock: late })
    const slow = (async function* () {
      for (const n of numbers(6)) {
        yield n
        await clock.advance(500)
      }
    })()
    const batch = await hidden.enqueueMany('echo', slow)
    expect(backend.chunks.map(({ size }) => size)).toEqual([3, 3, 0])
    expect(await (await queue.batch(batch.id))?.progress()).toMatchObject({ total: 6, open: false })
  })

  it('leaves nothing behind when a slow source fails or is called off', async () => {
    const { queue, clock, backend } = setup()
    let fail = (_: Error) => {}
    const source = (async function* () {
      yield 1
      await new Promise((_, reject) => {
        fail = reject
      })
    })()
    const cause = new Error('the file is gone')
    const running = expect(queue.enqueueMany('echo', source)).rejects.toBe(cause)
    await clock.advance(1_000)
    expect(backend.chunks.map(({ size }) => size)).toEqual([1])
    fail(cause)
    await running
    const controller = new AbortController()
    let taken = 0
    const endless = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          taken++
          await clock.advance(0)
          return { done: false as const, value: 1 }
        },
      }),
    }
    const aborted = expect(queue.enqueueMany('echo', endless, { signal: controller.signal })).rejects.toBe('enough')
    await settle()
    controller.abort('enough')
    await aborted
    const before = taken
    await settle(40)
    expect(taken).toBeLessThanOrEqual(before + 1)
    expect(clock.timers).toBe(0)
  })

  it('tells how far it is', async () => {
    const { queue } = setup()
    const stored: number[] = []
    await queue.enqueueMany('echo', numbers(10), {
      chunkSize: 4,
      onProgress: (progress) => stored.push(progress.stored),
    })
    expect(stored).toEqual([4, 8, 10])
  })

  it.each([
    { at: 4, open: true },
    { at: 8, open: true },
    { at: 10, open: false },
  ])(
    'ends with what onProgress throws at $at of 10; what is stored stays, and the call can be repeated',
    async (broken) => {
      const { queue, clock } = setup()
      const told: number[] = []
      const onProgress = ({ stored }: { stored: number }) => {
        told.push(stored)
        if (stored === broken.at) throw new Error('no progress bar')
      }
      const options = { id: 'b', chunkSize: 4 }
      const running = queue.enqueueMany('echo', numbers(10), { ...options, onProgress })
      await expect(running).rejects.toThrow('no progress bar')
      // A chunk that was on its way by then is stored, or not.
      await settle()
      const left = await (await queue.batch('b'))?.progress()
      expect(left?.open).toBe(broken.open)
      expect(left?.total).toBeGreaterThanOrEqual(broken.at)
      expect(told.at(-1)).toBe(broken.at)
      const batch = await queue.enqueueMany('echo', numbers(10), options)
      expect(await batch.progress()).toMatchObject({ total: 10, open: false })
      expect((await queue.list({ state: 'available' })).items.map(({ input }) => input)).toEqual(numbers(10))
      expect(clock.timers).toBe(0)
    },
  )

  it('refuses an input that cannot be cloned before its chunk is stored, and names it', async () => {
    const { queue } = setup()
    const inputs = numbers(10).map((n) => (n === 6 ? { user: { save: () => n } } : n))
    await expect(queue.enqueueMany('echo', inputs, { id: 'b', chunkSize: 4 })).rejects.toMatchObject({
      name: 'InvalidInputError',
      path: 'input[6].user.save',
    })
    expect(await (await queue.batch('b'))?.progress()).toMatchObject({ total: 4, open: true })
    const proxied = numbers(3).map((n) => (n === 1 ? { at: new Date(), state: new Proxy({ n }, {}) } : n))
    await expect(queue.enqueueMany('echo', proxied, { id: 'p' })).rejects.toMatchObject({ path: 'input[1].state' })
    expect(await queue.batch('p')).toBeUndefined()
  })

  it('takes reactive Proxies for the plain data they show', async () => {
    const { queue, host } = setup()
    const inputs = numbers(10).map((n) => (n === 6 ? new Proxy({ n, list: new Proxy([n], {}) }, {}) : { n, list: [n] }))
    const batch = await queue.enqueueMany('echo', inputs, { chunkSize: 4 })
    await host.run(echo)
    expect(values(await batch.collect())).toEqual(numbers(10).map((n) => ({ n, list: [n] })))
  })

  it('leaves the batch open when the inputs throw, and throws the same', async () => {
    const { queue } = setup()
    const cause = new RangeError('the file broke off')
    for (const inputs of [
      (function* () {
        yield* numbers(6)
        throw cause
      })(),
      (async function* () {
        yield* numbers(6)
        throw cause
      })(),
    ]) {
      await expect(queue.enqueueMany('echo', inputs, { id: 'b', chunkSize: 4 })).rejects.toBe(cause)
      expect(await (await queue.batch('b'))?.progress()).toMatchObject({ total: 4, open: true })
    }
  })

  it('goes on where it was interrupted', async () => {
    const { queue, backend } = setup()
    backend.fail = (chunk) => (chunk === 2 ? new StorageError('quota', 'full') : undefined)
    await expect(queue.enqueueMany('echo', numbers(20), { id: 'b', chunkSize: 4 })).rejects.toMatchObject({
      code: 'quota',
    })
    backend.fail = undefined
    backend.chunks.length = 0
    const batch = await queue.enqueueMany('echo', numbers(20), { id: 'b', chunkSize: 4 })
    expect(backend.chunks.map(({ offset }) => offset)).toEqual([8, 12, 16])
    backend.chunks.length = 0
    await queue.enqueueMany('echo', numbers(20), { id: 'b', chunkSize: 4 }) // it has ended
    expect(backend.chunks).toEqual([])
    expect(await batch.progress()).toMatchObject({ total: 20, open: false })
  })

  it('goes on where it was interrupted, however many tasks joined the batch meanwhile', async () => {
    const { queue, backend, clock } = setup()
    backend.fail = (chunk) => (chunk === 1 ? new StorageError('quota', 'full') : undefined)
    await expect(queue.enqueueMany('echo', numbers(10), { id: 'b', chunkSize: 4 })).rejects.toThrow('full')
    backend.fail = undefined
    const x = { host: 'h', now: clock.now(), until: clock.now() + 30_000, settle: [] }
    const { claimed } = await backend.exchange({ ...x, seq: 1, claim: { limit: 1 } })
    const followUps = ['p', 'q', 'r'].map((input) => ({
      queue: 'default',
      name: 'echo',
      input,
      priority: 0,
      batch: 'b',
    }))
    const settle = claimed.map(({ lane, position, seq, attempt }) => {
      const times = { startedAt: x.now, finishedAt: x.now, attempt }
      return { lane, position, seq, to: 'completed' as const, value: 0, ...times, followUps }
    })
    await backend.exchange({ ...x, seq: 2, settle })
    const stored: number[] = []
    const onProgress = (progress: { stored: number }) => stored.push(progress.stored)
    const batch = await queue.enqueueMany('echo', numbers(10), { id: 'b', chunkSize: 4, onProgress })
    expect(stored).toEqual([8, 10])
    expect(await batch.progress()).toMatchObject({ total: 13, open: false })
    const { items } = await queue.list({ state: 'available', limit: 1_000 })
    expect(items.map(({ input }) => input)).toEqual([1, 2, 3, 'p', 'q', 'r', 4, 5, 6, 7, 8, 9])
  })

  it('stores each input once, wherever it is interrupted, in chunks of any size', async () => {
    const runs = fc.array(fc.record({ size: fc.integer({ min: 1, max: 9 }), failAt: fc.nat(6) }), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(fc.nat(40), runs, fc.boolean(), async (count, attempts, slow) => {
        const backend = new WatchedBackend({ clock: new ManualClock() })
        const queue = new TaskQueue<Handlers>({ backend })
        const source = async function* () {
          yield* numbers(count)
        }
        const attempt = (size: number) =>
          queue.enqueueMany('echo', slow ? source() : numbers(count), { id: 'b', chunkSize: size })
        for (const { size, failAt } of attempts) {
          backend.chunks.length = 0
          backend.fail = (chunk) => (chunk === failAt ? new StorageError('quota', 'full') : undefined)
          await attempt(size).catch(() => undefined)
        }
        backend.fail = undefined
        const batch = await attempt(7)
        expect(await batch.progress()).toMatchObject({ total: count, open: false })
        const { items } = await queue.list({ state: 'available', limit: 1_000 })
        expect(items.map(({ input }) => input)).toEqual(numbers(count))
        await queue.close()
      }),
      { numRuns: 40 },
    )
  })

  it('stores each input once when two do the same import', async () => {
    const { queue } = setup()
    const [a] = await Promise.all(
      [3, 5].map((chunkSize) => queue.enqueueMany('echo', numbers(50), { id: 'b', chunkSize })),
    )
    expect(await a?.progress()).toMatchObject({ total: 50, open: false })
    const { items } = await queue.list({ state: 'available', limit: 1_000 })
    expect(items.map(({ input }) => input)).toEqual(numbers(50))
  })

  it('stops when the batch is cancelled in the middle', async () => {
    const { queue } = setup()
    let taken = 0
    const inputs = (async function* () {
      for (;;) {
        await settle(1)
        yield taken++
      }
    })()
    const running = queue.enqueueMany('echo', inputs, { id: 'b', chunkSize: 5 })
    while (taken < 20) await settle(1)
    const batch = await queue.batch('b')
    const cancelled = await batch?.cancel({ reason: 'enough' })
    await running
    expect(cancelled).toBeGreaterThanOrEqual(10)
    expect(await batch?.progress()).toMatchObject({ open: false, total: cancelled, cancelled })
    expect((await queue.counts()).available).toBe(0)
    await queue.enqueueMany('echo', numbers(50), { id: 'b' })
    expect((await queue.counts()).available).toBe(0)
  })

  it('leaves the batch open for handlers, if asked to', async () => {
    const { queue, host } = setup()
    for (const inputs of [[], [1, 2]]) {
      const batch = await queue.enqueueMany('echo', inputs, { open: true, chunkSize: 1 })
      await host.run(echo)
      expect(await batch.progress()).toMatchObject({ open: true, done: inputs.length })
      await batch.end()
      expect(values(await batch.collect())).toEqual(inputs)
    }
  })

  it('cannot be cancelled or ended once it is pruned', async () => {
    const { queue, host, clock } = setup()
    const batch = await queue.enqueueMany('echo', [1], { id: 'b', open: true })
    await host.run(echo)
    await batch.end()
    await batch.end() // it is there, and that is all there is to say
    expect(await batch.cancel()).toBe(0)
    await clock.advance(120_000)
    await queue.prune({ age: 0 })
    for (const call of [() => batch.progress(), () => batch.cancel(), () => batch.end()]) {
      await expect(call()).rejects.toMatchObject({ name: 'BatchNotFoundError', id: 'b' })
    }
  })

  it('refuses what is no list', async () => {
    const { queue, backend } = setup()
    for (const inputs of [JSON.parse('5'), JSON.parse('{}'), JSON.parse('null'), 'text']) {
      await expect(queue.enqueueMany('echo', inputs)).rejects.toMatchObject({ option: 'inputs' })
    }
    await expect(queue.enqueueMany('echo', [1], { chunkSize: 0 })).rejects.toMatchObject({ option: 'chunkSize' })
    await expect(queue.enqueueMany('echo', [1], { id: '' })).rejects.toMatchObject({ option: 'id' })
    await expect(queue.enqueueMany('echo', [1], { signal: AbortSignal.abort('no') })).rejects.toBe('no')
    expect(backend.chunks).toEqual([])
  })
})

describe('progress', () => {
  it('counts, and tells the rate and the time left', async () => {
    const { queue, host, clock } = setup()
    const batch = await queue.enqueueMany('echo', numbers(1_000))
    expect(await batch.progress()).toEqual({
      total: 1_000,
      done: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
      open: false,
      rate: 0,
    })
    for (let i = 0; i < 50; i++) {
      await host.run((n) => (n === 7 ? Promise.reject(new Error('no')) : n), { limit: 10, rounds: 1 })
      await clock.advance(100)
    }
    const progress = await batch.progress()
    expect(progress).toMatchObject({ total: 1_000, done: 500, completed: 499, failed: 1 })
    expect(progress.rate).toBeGreaterThan(90)
    expect(progress.rate).toBeLessThan(110)
    expect(progress.etaMs).toBeGreaterThan(4_500)
    expect(progress.etaMs).toBeLessThan(5_600)
    await host.run(echo)
    expect(await batch.progress()).toMatchObject({ done: 1_000, rate: 0, etaMs: 0 })
  })

  it('can be watched', async () => {
    const { queue, host } = setup()
    const batch = await queue.enqueueMany('echo', numbers(30))
    const seen: number[] = []
    const watching = (async () => {
      for await (const { done } of batch.watch()) seen.push(done)
    })()
    await settle()
    for (let i = 0; i < 3; i++) {
      await host.run(echo, { limit: 10, rounds: 1 })
      await settle()
    }
    await watching
    expect(seen).toEqual([0, 10, 20, 30])
  })

  it('belongs to batches that exist', async () => {
    const { queue, backend } = setup()
    expect(await queue.batch('none')).toBeUndefined()
    const batch = await queue.enqueueMany('echo', [1])
    backend.batch = async () => undefined
    const gone = { name: 'BatchNotFoundError', id: batch.id, code: 'not-found' }
    await expect(batch.progress()).rejects.toMatchObject(gone)
    await expect(batch.collect()).rejects.toMatchObject(gone)
    await expect(batch.results().next()).rejects.toMatchObject(gone)
  })

  it('is listed for all batches', async () => {
    const { queue, clock } = setup()
    for (const id of ['a', 'b', 'c']) {
      await queue.enqueueMany('echo', id === 'b' ? [] : [1], { id })
      await clock.advance(10)
    }
    const first = await queue.batches({ limit: 2 })
    expect(first.items).toMatchObject([
      { id: 'c', queue: 'default', total: 1, open: false },
      { id: 'b', total: 0, endedAt: clock.now() - 20 },
    ])
    const rest = await queue.batches({ limit: 2, ...(first.next === undefined ? {} : { cursor: first.next }) })
    expect(rest.items.map(({ id }) => id)).toEqual(['a'])
    expect(rest.next).toBeUndefined()
  })
})

describe('results', () => {
  const odd = (n: unknown) => {
    if (typeof n === 'number' && n % 2 === 1) throw new Error('odd')
    return n
  }

  it.each(['ended', 'input'] as const)('come %s-wise, each once, while tasks end', async (order) => {
    const { queue, host } = setup()
    const batch = await queue.enqueueMany('echo', numbers(500), { chunkSize: 100 })
    const seen: number[] = []
    const reading = (async () => {
      for await (const { index } of batch.results({ order })) seen.push(index)
    })()
    const claimed = await host.claim(500)
    const shuffled = [...claimed.slice(250), ...claimed.slice(0, 250)]
    for (let i = 0; i < 500; i += 50) {
      await host.settle(shuffled.slice(i, i + 50), odd)
      await settle()
      if (i < 250) expect(seen).toHaveLength(order === 'ended' ? i + 50 : 0)
    }
    await reading
    expect(seen).toEqual(order === 'input' ? numbers(500) : [...numbers(250, 250), ...numbers(250)])
  })

  it('tell values, errors and cancellations', async () => {
    const { queue, host } = setup()
    const batch = await queue.enqueueMany('echo', numbers(4))
    await host.run(odd, { limit: 2, rounds: 1 })
    await batch.cancel({ reason: 'enough' })
    expect(await batch.collect()).toMatchObject([
      { index: 0, status: 'completed', value: 0, name: 'echo' },
      { index: 1, status: 'failed', error: { message: 'odd' } },
      { index: 2, status: 'cancelled', reason: 'enough' },
      { index: 3, status: 'cancelled', reason: 'enough' },
    ])
  })

  it('come from batches that go on growing', async () => {
    const { queue, host } = setup()
    const batch = await queue.enqueueMany('echo', [0], { id: 'b', open: true })
    const seen: number[] = []
    const reading = (async () => {
      for await (const { index } of batch.results()) seen.push(index)
    })()
    const [task] = await host.claim(1)
    if (!task) throw new Error('nothing to claim')
    await settle()
    await host.settle([task], echo)
    await settle()
    expect(seen).toEqual([0])
    const [more] = [await queue.enqueueMany('echo', numbers(6), { id: 'b', open: true })]
    await host.run(echo)
    await settle()
    expect(seen).toEqual(numbers(6))
    await more.end()
    await reading
  })

  it('come by polling when every hint is lost', async () => {
    const { queue, host, clock } = setup()
    host.mute = true
    const batch = await queue.enqueueMany('echo', numbers(300))
    const seen: number[] = []
    const progress: number[] = []
    const reading = (async () => {
      for await (const { index } of batch.results()) seen.push(index)
    })()
    const collecting = batch.collect({ onProgress: ({ done }) => progress.push(done) })
    await settle()
    await host.run(echo, { limit: 100, rounds: 2 })
    await clock.advance(1_000)
    expect(seen).toEqual(numbers(200))
    await host.run(echo)
    await clock.advance(5_000)
    await reading
    expect(seen).toEqual(numbers(300))
    expect(values(await collecting)).toEqual(numbers(300))
    expect(progress.at(-1)).toBe(300)
  })

  it('are read where something ended, and nowhere else', async () => {
    const { queue, host, backend } = setup()
    const batch = await queue.enqueueMany('echo', numbers(2_000))
    const reading = (async () => {
      for await (const _ of batch.results());
    })()
    await settle()
    backend.reads.length = 0
    for (let i = 0; i < 4; i++) {
      await host.run(echo, { limit: 500, rounds: 1 })
      await settle()
    }
    await reading
    expect(backend.reads).toHaveLength(4)
    expect(backend.reads.map(({ query }) => query)).toMatchObject([
      { from: 0, to: 500 },
      { from: 500, to: 1_000 },
      { from: 1_000, to: 1_500 },
      { from: 1_500, to: 2_000 },
    ])
  })

  it('of other batches do not matter', async () => {
    const { queue, host, backend } = setup()
    const batch = await queue.enqueueMany('echo', [1], { priority: 5 })
    const reading = batch.results().next()
    await settle()
    backend.reads.length = 0
    await queue.enqueueMany('echo', numbers(100))
    await host.run(echo, { limit: 50, rounds: 2 })
    await settle()
    expect(backend.reads).toEqual([])
    await host.run(echo)
    expect(await reading).toMatchObject({ value: { index: 0, value: 1 } })
  })

  it('are there again after a reload, whatever had ended by then', async () => {
    const { queue, host, backend, clock } = setup()
    await queue.enqueueMany('echo', numbers(1_000), { id: 'b' })
    await host.run(odd, { limit: 300, rounds: 1 })
    const reloaded = new TaskQueue<Handlers>({ backend, clock })
    const batch = await reloaded.batch('b')
    if (!batch) throw new Error('no batch')
    const seen: number[] = []
    const reading = (async () => {
      for await (const { index } of batch.results({ order: 'input' })) seen.push(index)
    })()
    await settle()
    expect(seen).toEqual(numbers(300))
    await host.run(odd)
    await reading
    expect(seen).toEqual(numbers(1_000))
  })

  it('do not hang when some were pruned', async () => {
    const { queue, host, backend } = setup()
    const batch = await queue.enqueueMany('echo', numbers(10))
    await host.run(odd)
    backend.lost = 5
    expect(await all(batch.results())).toHaveLength(5)
    expect(await all(batch.results({ order: 'input' }))).toHaveLength(5)
  })

  it('come once, even for a task that is retried', async () => {
    const { queue, host } = setup()
    const batch = await queue.enqueueMany('echo', numbers(3))
    const seen: unknown[] = []
    const reading = (async () => {
      for await (const result of batch.results()) seen.push([result.index, result.status])
    })()
    await settle()
    const claimed = await host.claim()
    await host.settle(claimed.slice(1, 2), odd)
    await settle()
    expect(seen).toEqual([[1, 'failed']])
    expect(await queue.task(claimed[1]?.id ?? '').retry()).toBe(true)
    await host.run(echo)
    await settle()
    await host.settle([...claimed.slice(0, 1), ...claimed.slice(2)], echo)
    await reading
    expect(seen).toEqual([
      [1, 'failed'],
      [0, 'completed'],
      [2, 'completed'],
    ])
    expect(values(await batch.collect())).toEqual([0, 1, 2])
  })

  it('in input order show how a retried task ended in the end', async () => {
    const { queue, host } = setup()
    const batch = await queue.enqueueMany('echo', numbers(3))
    const seen: unknown[] = []
    const reading = (async () => {
      for await (const result of batch.results({ order: 'input' })) seen.push([result.index, result.status])
    })()
    await settle()
    const claimed = await host.claim()
    await host.settle(claimed.slice(1), odd)
    await settle()
    await queue.task(claimed[1]?.id ?? '').retry()
    await host.settle(claimed.slice(0, 1), odd)
    await settle()
    expect(seen).toEqual([[0, 'completed']])
    await host.run(echo)
    await reading
    expect(seen).toEqual([
      [0, 'completed'],
      [1, 'completed'],
      [2, 'completed'],
    ])
  })

  it('are given up on when the signal aborts, or the reader goes away', async () => {
    const { queue, clock } = setup()
    const batch = await queue.enqueueMany('echo', [1])
    const controller = new AbortController()
    const waiting = expect(batch.results({ signal: controller.signal }).next()).rejects.toBe('enough')
    const collecting = expect(batch.collect({ signal: controller.signal })).rejects.toBe('enough')
    await settle()
    controller.abort('enough')
    await Promise.all([waiting, collecting])
    expect(clock.timers).toBe(0)
  })

  it('come in any order tasks are settled in, each exactly once', async () => {
    const steps = fc.array(
      fc.record({ claim: fc.integer({ min: 1, max: 40 }), mute: fc.boolean(), flip: fc.boolean() }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 120 }),
        steps,
        fc.constantFrom('ended', 'input'),
        async (count, plan, order) => {
          const clock = new ManualClock()
          const queue = new TaskQueue<Handlers>({ backend: new MemoryBackend({ clock }), clock })
          const host = new Host(queue.backend, clock)
          const batch = await queue.enqueueMany('echo', numbers(count), { chunkSize: 17 })
          const seen: number[] = []
          const reading = (async () => {
            for await (const { index } of batch.results({ order })) seen.push(index)
          })()
          for (const { claim, mute, flip } of plan) {
            host.mute = mute
            const tasks = await host.claim(claim)
            await host.settle(flip ? tasks.reverse() : tasks, odd)
            if (flip) await settle(2)
          }
          host.mute = true
          await host.run(odd)
          await clock.advance(10_000)
          await reading
          expect(order === 'input' ? seen : [...seen].sort((a, b) => a - b)).toEqual(numbers(count))
          await queue.close()
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('collect', () => {
  it('waits for the end, and tells the progress', async () => {
    const { queue, host } = setup()
    const batch = await queue.enqueueMany('echo', numbers(20))
    const seen: BatchProgress[] = []
    const collecting = batch.collect({ onProgress: (progress) => seen.push(progress) })
    await settle()
    await host.run(echo, { limit: 10 })
    expect(values(await collecting)).toEqual(numbers(20))
    expect(seen[0]).toMatchObject({ done: 0 })
    expect(seen.at(-1)).toMatchObject({ done: 20, etaMs: 0 })
  })

  it('gives what there is when the time is up', async () => {
    const { queue, host, clock } = setup()
    const batch = await queue.enqueueMany('echo', numbers(10))
    await host.run(echo, { limit: 3, rounds: 1 })
    const results = [{ index: 0 }, { index: 1 }, { index: 2 }]
    await expect(batch.collect({ timeout: 0 })).rejects.toMatchObject({ name: 'TimeoutError', results })
    const late = expect(batch.collect({ timeout: 5_000 })).rejects.toMatchObject({ name: 'TimeoutError', results })
    await clock.advance(5_000)
    await late
    expect(clock.timers).toBe(0)
    await host.run(echo)
    expect(await batch.collect({ timeout: 0 })).toHaveLength(10)
    await expect(batch.collect({ timeout: Number.NaN })).rejects.toMatchObject({ option: 'timeout' })
  })

  it('throws what onProgress throws', async () => {
    const { queue } = setup()
    const batch = await queue.enqueueMany('echo', [1])
    const onProgress = () => {
      throw new Error('mine')
    }
    await expect(batch.collect({ onProgress })).rejects.toThrow('mine')
  })
})
