import { describe, expect, it } from 'vitest'
import { localChannel } from '../src/channel.js'
import { LocalBackend } from '../src/local.js'
import { MemoryStorage } from '../src/memory/storage.js'
import type { Plan, RunOptions } from '../src/storage.js'
import { start as begin, inputs, upTo } from './backend/bench.js'
import { audit } from './support/audit.js'

// Setting aside: what one exchange parks and writes at most, and what shares a record.

class CountingStorage extends MemoryStorage {
  /** Records that the last transaction put. */
  puts = 0

  override run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    return super.run(() => this.#counted(plan()), options)
  }

  *#counted<T>(plan: Plan<T>): Plan<T> {
    const end = yield* plan
    this.puts = end.writes.filter(({ kind }) => kind !== 'delete').length
    return end
  }
}

async function start() {
  const storage = new CountingStorage()
  const backend = new LocalBackend({ storage, channel: localChannel() })
  const b = await begin({ make: async () => ({ backend, storage, repeats: false, close: () => backend.close() }) })
  return { b, storage }
}

const claim = { limit: 3, names: ['work'] }

describe('an exchange parks so much at most', () => {
  it.each([
    ['in line', {}],
    ['due', { runAt: 100 }],
  ])('that it writes about a thousand records, where each is a stretch of its own, %s', async (_, when) => {
    const { b, storage } = await start()
    const now = b.now
    b.now = 0
    await b.add([...upTo(1_500).map((i) => ({ name: `unknown ${i}`, ...when })), ...upTo(5).map(() => when)])
    b.now = now
    const host = b.host()
    const parked: number[] = []
    for (;;) {
      const { claimed, more, parked: names } = await host.exchange({ claim })
      parked.push(names.length)
      expect(storage.puts).toBeLessThan(1_100)
      if (claimed.length > 0) {
        expect(claimed).toHaveLength(3)
        break
      }
      expect(more).toBe(true)
    }
    expect(parked).toEqual([512, 512, 476])
    expect(await b.counts()).toMatchObject({ blocked: 1_500, running: 3 })
  })

  it.each([
    ['in line', {}],
    ['due', { runAt: 100 }],
  ])('of 4,096 tasks, where they go in long stretches, however little it claims, %s', async (_, when) => {
    const { b, storage } = await start()
    const now = b.now
    b.now = 0
    await b.add(upTo(100).map(() => ({ name: 'unknown', ...when })))
    await b.add([...upTo(5_900).map(() => ({ name: 'unknown', ...when })), ...upTo(5).map(() => when)])
    b.now = now
    const host = b.host()
    expect(await host.exchange({ claim })).toMatchObject({ claimed: [], more: true, parked: ['unknown'] })
    expect((await b.counts()).blocked).toBe(4_096)
    expect(storage.puts).toBeLessThan(100)
    expect((await host.exchange({ claim })).claimed).toHaveLength(3)
    expect(await b.counts()).toMatchObject({ blocked: 6_000, running: 3 })
    expect(storage.puts).toBeLessThan(100)
  })
})

describe('tasks that are set aside together', () => {
  it('are given back as one, where the head has not passed them yet', async () => {
    const { b, storage } = await start()
    const ids = await b.add(12)
    await b.cancel(ids.slice(2, 8), 6)
    await b.retry(ids.slice(2, 8), 6)
    const host = b.host()
    expect(await host.claim(6)).toHaveLength(6)
    await host.exchange({ leave: true })
    await audit(storage)
    expect(await b.counts()).toEqual({ available: 12 })
    expect(inputs(await b.host().claim(9))).toEqual([2, 3, 4, 5, 6, 7, 0, 1, 8])
  })

  it('are in no line and claimed once, where the head has not passed them yet', async () => {
    const { b, storage } = await start()
    const ids = await b.add(12)
    const some = ids.slice(2, 8)
    await b.cancel(some, 6)
    await b.retry(some, 6)
    // They go first: due, and still ahead of the head.
    const host = b.host()
    const claimed = await host.claim(6)
    expect(inputs(claimed)).toEqual([2, 3, 4, 5, 6, 7])
    await host.exchange({ settle: claimed.map((task) => host.aside(task, { gate: 'online', order: 5 })) })
    // Two marks, the ledger and no more.
    expect(storage.puts).toBe(3)
    await audit(storage)
    expect(await b.counts()).toEqual({ blocked: 6, available: 6 })
    // One of them alone can be cancelled and come back, and the head passes over the others.
    await b.cancel(ids.slice(4, 5), 1)
    expect(inputs(await host.claim(3))).toEqual([0, 1, 8])
    await audit(storage)
    await b.change({ type: 'open-gate', gate: 'online', limit: 3, now: b.now }, 3)
    await audit(storage)
    await b.change({ type: 'open-gate', gate: 'online', limit: 3, now: b.now }, 2)
    expect(inputs(await host.claim(20))).toEqual([2, 3, 5, 6, 7, 9, 10, 11])
  })

  it.each([
    [1, 1],
    [3, 2],
    [4, 4],
    [100, 100],
  ])('go on together or %i at a time, ahead of the head as behind it', async (limit, claims) => {
    const { b, storage } = await start()
    const ids = await b.add(10)
    const host = b.host()
    const first = await host.claim(3)
    const ahead = ids.slice(5, 9)
    await b.cancel(ahead, 4)
    await b.retry(ahead, 4)
    const second = await host.claim(4)
    const error = { name: 'E', message: 'no answer' }
    const held = [...first, ...second]
    await host.exchange({ settle: held.map((task) => host.aside(task, { gate: 'online', error })) })
    expect(await b.counts()).toEqual({ blocked: 7, available: 3 })
    for (let left = 7; left > 0; left -= limit) {
      await b.change({ type: 'open-gate', gate: 'online', limit, now: b.now }, Math.min(left, limit))
      await audit(storage)
    }
    expect(await b.view(ids[6] ?? '')).toMatchObject({ state: 'available', lastError: error })
    const order: unknown[] = []
    for (let more = await host.claim(claims); more.length > 0; more = await host.claim(claims))
      order.push(...inputs(more))
    expect(order).toEqual([0, 1, 2, 5, 6, 7, 8, 3, 4, 9])
  })
})
