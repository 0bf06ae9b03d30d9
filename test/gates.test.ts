import { describe, expect, onTestFinished, test } from 'vitest'
import type { Settlement } from '../src/backend.js'
import { StorageError } from '../src/errors.js'
import { MemoryStorage } from '../src/memory/storage.js'
import type { Plan, RunOptions } from '../src/storage.js'
import type { Script } from './support/executor.js'
import { type Tab, World } from './support/world.js'

// What waits behind gates, by the thousands: for the network, for a handler. Inputs that do not fit: misfits.test.ts.

/** Notes how many records each transaction writes. */
class CountingStorage extends MemoryStorage {
  writes: number[] = []

  override run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    return super.run(() => this.#counted(plan()), options)
  }

  *#counted<T>(plan: Plan<T>): Plan<T> {
    const end = yield* plan
    this.writes.push(end.writes.length)
    return end
  }
}

function world(locks = true) {
  const storage = new CountingStorage()
  const w = new World({ storage, locks })
  onTestFinished(() => w.end())
  return { w, storage }
}

/** Tasks that failed offline under an earlier host, each with an error of its own: nothing of them can be stored together. */
async function asleep(w: World, scripts: readonly Script[]): Promise<string[]> {
  const ids = await w.add(scripts)
  const now = w.clock.now()
  let settle: Settlement[] = []
  for (let seq = 1, leave = false; !leave; seq++) {
    leave = seq > Math.ceil(scripts.length / 512)
    const claim = leave ? {} : { claim: { limit: 512 } }
    const exchange = { host: 'earlier', seq, now, until: now + 30_000, settle, leave, ...claim }
    const { claimed } = await w.backend.exchange(exchange)
    settle = claimed.map(({ lane, position, ...task }) => {
      const error = { name: 'TypeError', message: `no answer from ${position}` }
      return { lane, position, seq: task.seq, to: 'aside', gate: 'online', order: 0, attempt: 1, crashes: 0, error }
    })
  }
  expect((await w.backend.counts()).blocked).toBe(scripts.length)
  return ids
}

interface Opened {
  at: number
  tasks: number
  /** The host's exchanges until then. */
  exchanges: number
}

/** Notes when gates are opened. `before` may fail it. */
function watch({ backend, clock }: Tab, before: (already: readonly Opened[]) => void = () => {}): Opened[] {
  const opened: Opened[] = []
  const change = backend.change
  backend.change = async (c) => {
    if (c.type === 'open-gate') before(opened)
    const tasks = await change(c)
    if (c.type === 'open-gate') {
      opened.push({ at: clock.monotonic(), tasks, exchanges: backend.exchanges.length })
    }
    return tasks
  }
  return opened
}

const many = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item)
const ok: Script = { do: 'ok', ms: 1 }
const sum = (opened: readonly Opened[]) => opened.reduce((all, { tasks }) => all + tasks, 0)
/** Lets time pass until so many have ended well: to ask for each of thousands at each moment takes long. */
const completed = (w: World, count: number, within = 600_000) =>
  w.clock.until(async () => (await w.backend.counts()).completed === count, { within })
const blocked = async (w: World) => (await w.backend.counts()).blocked

describe('tasks that failed offline', () => {
  test('go on in portions, 10,000 of them, with other work between', { timeout: 60_000 }, async () => {
    const { w, storage } = world()
    const ids = await asleep(w, many(10_000, ok))
    const tab = w.tab({ slots: 4 })
    const opened = watch(tab)
    storage.writes = []
    await tab.worker.start()
    await w.clock.until(() => opened.length === 3)
    const others = await w.add(many(100, ok))
    await w.ended(others)
    expect(await blocked(w)).toBeGreaterThan(5_000)
    await completed(w, 10_100)
    expect(new Set(await w.states(ids))).toEqual(new Set(['completed']))
    expect(sum(opened)).toBe(10_000)
    expect(Math.max(...opened.map(({ tasks }) => tasks))).toBe(512)
    // Two records for each at most, one request to shut their gate, and the ledger.
    expect(Math.max(...storage.writes)).toBeLessThan(1_100)
    for (const [i, { at, exchanges }] of opened.entries()) {
      const before = opened[i - 1]
      if (!before) continue
      expect(at - before.at).toBeGreaterThanOrEqual(50)
      expect(exchanges).toBeGreaterThan(before.exchanges)
    }
    expect(tab.executor.began).toHaveLength(10_100)
  })

  test('leave the host time to renew its lease', async () => {
    const { w } = world()
    const [hang = ''] = await w.add([{ do: 'hang' }])
    const tab = w.tab({ lease: 3_000, renewEvery: 1_000 })
    await tab.worker.start()
    await w.clock.advance(1_000)
    // Nobody may claim them: nothing but renewals extends the lease.
    await asleep(w, many(5_000, ok))
    await w.change({ type: 'pause', until: Number.POSITIVE_INFINITY })
    tab.page.online = false
    const opened = watch(tab)
    await w.clock.until(() => opened.length === 1)
    tab.page.online = true
    const renewals: number[] = []
    const renew = tab.backend.renew.bind(tab.backend)
    tab.backend.renew = (...args) => {
      renewals.push(sum(opened))
      return renew(...args)
    }
    await w.clock.advance(15_000)
    expect(sum(opened)).toBe(5_000)
    expect(renewals.filter((already) => already > 1_000 && already < 5_000).length).toBeGreaterThan(2)
    expect(await w.states([hang])).toEqual(['running'])
  })

  test('are tried a portion each minute while the page says that it is offline, and each has its turn', async () => {
    const { w } = world()
    const fail: Script = { do: 'fail' }
    const tab = w.tab({ slots: 4 })
    tab.page.online = false
    const opened = watch(tab)
    await tab.worker.start()
    // They fail wherever the page is; those behind them would not.
    const bad = await w.add(many(600, fail))
    await w.clock.advance(1_000)
    const good = await w.add(many(500, { do: 'fail', times: 1 } as const))
    await w.clock.advance(1_000)
    expect(await blocked(w)).toBe(1_100)
    await w.clock.advance(120_000)
    expect(opened.map(({ tasks }) => tasks)).toEqual([512, 512])
    expect(await w.states(good)).toEqual(many(500, 'completed').map((state, i) => (i < 424 ? state : 'blocked')))
    await w.clock.advance(60_000)
    expect(await w.states(good)).toEqual(many(500, 'completed'))
    expect(new Set(await w.states(bad))).toEqual(new Set(['blocked']))
  })

  test('are not forgotten when the page goes offline again in the middle', { timeout: 60_000 }, async () => {
    const { w } = world()
    const ids = await asleep(w, many(3_000, ok))
    const tab = w.tab({ slots: 4 })
    const opened = watch(tab)
    await tab.worker.start()
    await w.clock.until(() => opened.length === 2)
    tab.page.online = false
    const began = opened.length
    await w.clock.advance(40_000)
    // The one that was due meanwhile is not one too many.
    expect(opened).toHaveLength(began)
    expect(await blocked(w)).toBe(3_000 - 1_024)
    tab.page.online = true
    await completed(w, 3_000, 15_000)
    expect(new Set(await w.states(ids))).toEqual(new Set(['completed']))
  })

  test('are not forgotten when the storage fails in the middle', { timeout: 60_000 }, async () => {
    const { w } = world()
    const ids = await asleep(w, many(3_000, ok))
    const tab = w.tab({ slots: 4 })
    let faults = 3
    const opened = watch(tab, (already) => {
      if (already.length === 2 && faults-- > 0) throw new StorageError('lost', 'gone for a moment')
    })
    await tab.worker.start()
    await completed(w, 3_000, 20_000)
    expect(new Set(await w.states(ids))).toEqual(new Set(['completed']))
    expect(tab.errors).toHaveLength(3)
    expect(sum(opened)).toBe(3_000)
  })

  test('are not forgotten where the first try to wake them fails', async () => {
    const { w } = world()
    const tab = w.tab()
    let faults = 2
    watch(tab, () => {
      if (faults-- > 0) throw new StorageError('lost', 'gone for a moment')
    })
    await tab.worker.start()
    tab.page.online = false
    const ids = await w.add([{ do: 'fail', times: 1 }])
    await w.clock.advance(1_000)
    expect(await w.states(ids)).toEqual(['blocked'])
    tab.page.online = true
    expect(await w.ended(ids, 10_000)).toEqual(['completed'])
    expect(tab.errors).toHaveLength(2)
  })

  test('go on at once if the network is back before it is stored that they wait for it', async () => {
    const { w } = world()
    const tab = w.tab()
    await tab.worker.start()
    const exchange = tab.backend.exchange.bind(tab.backend)
    let parked = 0
    tab.backend.exchange = async (x) => {
      const parks = x.settle.some((one) => one.to === 'aside' && one.gate === 'online')
      if (parks) {
        parked++
        tab.page.online = true
      }
      return await exchange(x)
    }
    tab.page.online = false
    const ids = await w.add([{ do: 'fail', times: 1 }])
    expect(await w.ended(ids, 1_000)).toEqual(['completed'])
    expect(parked).toBe(1)
  })

  test('go on at once if the answer that says so was lost', async () => {
    const { w } = world()
    const tab = w.tab()
    await tab.worker.start()
    tab.page.online = false
    const ids = await w.add([{ do: 'fail', times: 1, ms: 100 }])
    await w.clock.advance(50)
    tab.backend.faults.exchange.push({ error: new StorageError('lost', 'nobody knows'), committed: true })
    await w.clock.advance(80)
    tab.page.online = true
    expect(await w.ended(ids, 1_000)).toEqual(['completed'])
  })

  test('share what is stored of them if they failed in the same way', async () => {
    const { w, storage } = world()
    const tab = w.tab({ slots: 300 })
    await tab.worker.start()
    tab.page.online = false
    const ids = await w.add(many(300, { do: 'fail', ms: 10, times: 1, error: { message: 'no answer' } } as const))
    await w.clock.advance(5)
    storage.writes = []
    await w.clock.advance(1_000)
    expect(await blocked(w)).toBe(300)
    expect(Math.max(...storage.writes)).toBeLessThan(20)
    expect(await w.backend.get(ids.slice(7, 8))).toMatchObject([{ lastError: { message: 'no answer' }, attempt: 1 }])
    tab.page.online = true
    expect(await w.ended(ids)).toEqual(many(300, 'completed'))
  })
})

describe('tasks whose handler came', () => {
  test('go on in portions that are bounded by what is written', { timeout: 60_000 }, async () => {
    const { w, storage } = world()
    // Two names in turn: each task is a stretch of its own; then many in stretches of 256.
    const single = Array.from({ length: 3_000 }, (_, i) => ({ name: i % 2 ? 'a' : 'b', input: ok }))
    const long = many(6_000, { name: 'c', input: ok })
    const ids = await w.add([...single, ...long])
    const old = w.tab()
    await old.worker.start()
    await w.clock.until(async () => (await blocked(w)) === 9_000)
    await old.worker.stop()
    const next = w.tab({ table: { a: {}, b: {}, c: {} }, slots: 8 })
    const opened = watch(next)
    storage.writes = []
    await next.worker.start()
    await completed(w, 9_000)
    expect(new Set(await w.states(ids))).toEqual(new Set(['completed']))
    expect(sum(opened)).toBe(9_000)
    expect(Math.max(...opened.map(({ tasks }) => tasks))).toBeLessThanOrEqual(4_096)
    expect(Math.max(...storage.writes)).toBeLessThan(1_100)
    expect(opened.length).toBeGreaterThan(6)
    expect(opened.length).toBeLessThan(12)
  })

  test('all run before a drain ends, however many portions that takes', { timeout: 60_000 }, async () => {
    const { w } = world()
    await asleep(w, many(2_000, { do: 'ok' } as const))
    const { worker, clock } = w.tab({ slots: 4 })
    const drained = worker.drain()
    await completed(w, 2_000)
    await clock.advance(1_000)
    expect(await drained).toMatchObject({ ran: 2_000, completed: 2_000, more: false })
  })

  test('do not keep a drain from ending where the page is offline', async () => {
    const { w } = world()
    await asleep(w, many(2_000, { do: 'fail' } as const))
    const { worker, clock, page } = w.tab({ slots: 4 })
    page.online = false
    const drained = worker.drain()
    await clock.advance(10_000)
    expect(await drained).toMatchObject({ ran: 512 })
    expect(await blocked(w)).toBe(2_000)
  })

  test('are opened as often as there are tasks in a look, where another host sets them aside at once', async () => {
    const { w } = world(false)
    const old = w.tab({ slots: 8 })
    await old.worker.start()
    await w.add(many(1_500, { name: 'late' }))
    await w.clock.until(async () => (await blocked(w)) === 1_500)
    await old.worker.stop()
    const tab = w.tab({ table: { late: {} } })
    const limits: unknown[] = []
    const change = tab.backend.change
    // To this host it looks as if nothing had happened: what it opens is shut again.
    tab.backend.change = async (c) => {
      if (c.type !== 'open-gate') return await change(c)
      limits.push(c.limit)
      return Math.min(c.limit ?? 0, 512)
    }
    await tab.worker.start()
    await w.clock.advance(9_000)
    expect(limits).toEqual([1_500, 988, 476])
    tab.backend.change = change
    await w.clock.advance(10_000)
    expect(await w.backend.counts()).toMatchObject({ completed: 1_500, blocked: 0 })
  })
})
