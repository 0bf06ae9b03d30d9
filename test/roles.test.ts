import fc from 'fast-check'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Locks } from '../src/backend.js'
import { sleep } from '../src/clock.js'
import { ClosedError, StorageError } from '../src/errors.js'
import { ManualClock } from './support/clock.js'
import { type Tab, World, type WorldOptions } from './support/world.js'

function world(options?: WorldOptions): World {
  const made = new World(options)
  onTestFinished(() => made.end())
  return made
}

const old = { table: { work: {} } }
const newer = { table: { work: {}, fresh: {} } }

/** A host and a standby. */
async function pair(
  w: World,
  first: Parameters<World['tab']>[0] = {},
  second: Parameters<World['tab']>[0] = {},
): Promise<[Tab, Tab]> {
  const tabs: [Tab, Tab] = [w.tab(first), w.tab(second)]
  expect(await tabs[0].worker.start()).toBe('host')
  expect(await tabs[1].worker.start()).toBe('standby')
  return tabs
}

const roles = (...tabs: Tab[]) => tabs.map(({ worker }) => worker.role)

describe('with a lock', () => {
  test('one is host; the others stand by without opening their executors', async () => {
    const w = world()
    const [, b] = await pair(w)
    const c = w.tab()
    await c.worker.start()
    await w.clock.advance(60_000)
    expect(roles(...w.tabs)).toEqual(['host', 'standby', 'standby'])
    expect([b.executor.opens, c.executor.opens]).toEqual([0, 0])
    expect(b.backend.exchanges).toEqual([])
  })

  test('a standby takes over the moment the host stops, and what was given back goes on', async () => {
    const w = world()
    const [a, b] = await pair(w)
    const [id] = await w.add([{ do: 'hang' }])
    await w.clock.advance(10)
    await a.worker.stop({ grace: 0 })
    await w.clock.advance(0)
    expect(roles(a, b)).toEqual(['stopped', 'host'])
    expect(b.executor.began.map((run) => run.id)).toEqual([id])
    expect(b.executor.began[0]).toMatchObject({ attempt: 1 })
  })

  test('what a host that crashed was running counts a crash', async () => {
    const w = world()
    await w.add([{ do: 'hang' }])
    const dead = { host: 'dead', seq: 1, now: 0, until: Number.MAX_SAFE_INTEGER, settle: [], claim: { limit: 1 } }
    const [task] = (await w.backend.exchange(dead)).claimed
    const { worker } = w.tab()
    await worker.start()
    await w.clock.advance(0)
    expect(await w.backend.get([String(task?.id)])).toMatchObject([{ crashes: 1, attempt: 1, state: 'running' }])
  })

  test('what a page that was left was running counts nothing', async () => {
    const w = world()
    await w.add([{ do: 'hang' }])
    const dead = { host: 'dead', seq: 1, now: 0, until: Number.MAX_SAFE_INTEGER, settle: [], claim: { limit: 1 } }
    const [task] = (await w.backend.exchange(dead)).claimed
    w.departures.leave('dead')
    const { worker, backend } = w.tab()
    await worker.start()
    await w.clock.advance(0)
    expect(await w.backend.get([String(task?.id)])).toMatchObject([{ crashes: 0, attempt: 1, state: 'running' }])
    expect(backend.recoveries[0]).toEqual({ dead: 'others', left: ['dead'] })
    expect(w.departures.left()).toEqual([])
  })

  test('nor does it if the lock was faster than its last words', async () => {
    const w = world()
    await w.add([{ do: 'hang' }])
    const dead = { host: 'dead', seq: 1, now: 0, until: Number.MAX_SAFE_INTEGER, settle: [], claim: { limit: 1 } }
    const [task] = (await w.backend.exchange(dead)).claimed
    const { worker, backend } = w.tab()
    const heard = async () => {
      await sleep(w.clock, 5)
      w.departures.leave('dead')
    }
    Object.assign(backend, { departures: { ...w.departures, heard } })
    const started = worker.start()
    await w.clock.advance(4)
    expect(backend.recoveries).toEqual([])
    await w.clock.advance(1)
    await started
    await w.clock.advance(0)
    expect(await w.backend.get([String(task?.id)])).toMatchObject([{ crashes: 0, attempt: 1, state: 'running' }])
    expect(backend.recoveries).toEqual([{ dead: 'others', left: ['dead'] }])
  })

  test('who is robbed of the lock while it waits for last words takes nothing', async () => {
    const w = world()
    const host = w.tab()
    const heard = () => sleep(w.clock, 5)
    Object.assign(host.backend, { departures: { ...w.departures, heard } })
    const started = host.worker.start()
    await w.clock.advance(1)
    const stolen = w.locks?.hold({ steal: true }, async () => sleep(w.clock, 100))
    await w.clock.advance(10)
    expect(host.backend.recoveries).toEqual([])
    await w.clock.advance(100)
    await Promise.all([started, stolen])
    await w.clock.until(() => host.worker.role === 'host')
    expect(host.backend.recoveries).toHaveLength(1)
  })

  test('everyone is told of the roles', async () => {
    const w = world()
    const [a] = await pair(w)
    let heard = 0
    a.worker.subscribe(() => heard++)
    await a.worker.stop()
    await w.clock.advance(0)
    const said = w.hints.flatMap((hint) => (hint.type === 'role' ? hint.role : []))
    expect(said).toEqual(['host', 'standby', 'stopped', 'host'])
    expect(heard).toBe(1)
  })

  test('a standby that stops leaves nothing behind', async () => {
    const w = world()
    const [a, b] = await pair(w)
    await b.worker.stop()
    await a.worker.stop()
    expect(w.clock.timers).toBe(0)
    expect(roles(a, b)).toEqual(['stopped', 'stopped'])
  })

  test('a second worker in one page is warned about, once', async () => {
    const w = world()
    const [, b] = await pair(w)
    await w.clock.advance(20_000)
    expect(b.warnings).toHaveLength(1)
    expect(b.warnings[0]).toContain('another TaskWorker')
  })

  test('a standby whose executor does not open lets others try, then tries again, more and more rarely', async () => {
    const w = world()
    const [a, b] = await pair(w)
    b.executor.failOpens = 4
    await a.worker.stop()
    await w.clock.advance(0)
    expect(roles(b)).toEqual(['standby'])
    expect(b.errors).toHaveLength(1)
    const c = w.tab()
    expect(await c.worker.start()).toBe('host')
    await c.worker.stop()
    await w.clock.advance(750)
    expect(b.executor.opens).toBe(2)
    await w.clock.advance(1_499)
    expect(b.executor.opens).toBe(2)
    await w.clock.advance(60_000)
    expect(roles(b)).toEqual(['host'])
    expect(b.errors).toHaveLength(4)
  })

  test('a host that cannot recover does not begin', async () => {
    const w = world()
    const { worker, backend, executor } = w.tab()
    backend.faults.recover.push({ error: new StorageError('broken', 'no') })
    await expect(worker.start()).rejects.toThrow('no')
    expect(executor.isOpen).toBe(false)
    expect(await worker.start()).toBe('host')
  })
})

describe('a frozen host', () => {
  /** A host with time of its own, and a standby. Freezing: its time stands still and it hears nothing. */
  async function frozen(w: World, page: { visible?: boolean } = {}) {
    const clock = new ManualClock()
    const host = w.tab({}, { clock })
    const standby = w.tab()
    Object.assign(standby.page, page)
    await host.worker.start()
    await standby.worker.start()
    await clock.advance(10)
    const freeze = () => {
      host.backend.deaf = true
    }
    return { host, standby, freeze }
  }

  test('is answered for while it lives', async () => {
    const w = world()
    const { host, standby } = await frozen(w)
    await w.clock.advance(120_000)
    expect(roles(host, standby)).toEqual(['host', 'standby'])
    expect(w.hints.filter(({ type }) => type === 'ping')).toHaveLength(121)
  })

  test('loses its lock once it has not answered for 10 s, and its results count for nothing', async () => {
    const w = world()
    const { host, standby, freeze } = await frozen(w)
    const [id] = await w.add([{ do: 'ok', ms: 1_000, value: 'late' }])
    await host.clock.advance(10)
    await w.clock.advance(20_000)
    freeze()
    await w.clock.advance(9_000)
    expect(roles(standby)).toEqual(['standby'])
    await w.clock.advance(4_000)
    expect(roles(standby)).toEqual(['host'])
    host.backend.deaf = false
    await host.clock.advance(1_000)
    expect(roles(host, standby)).toEqual(['standby', 'host'])
    expect(host.executor.isOpen).toBe(false)
    await w.ended([String(id)])
    expect(standby.executor.began.map((run) => run.id)).toEqual([id])
  })

  test('that never answered has as long as a lease lasts', async () => {
    const w = world()
    const { standby, freeze } = await frozen(w, { visible: false })
    freeze()
    standby.page.visible = true
    await w.clock.advance(29_000)
    expect(roles(standby)).toEqual(['standby'])
    await w.clock.advance(6_000)
    expect(roles(standby)).toEqual(['host'])
  })

  test('is left alone by hidden standbys', async () => {
    const w = world()
    const { standby, freeze } = await frozen(w)
    await w.clock.advance(10_000)
    standby.page.visible = false
    freeze()
    await w.clock.advance(300_000)
    expect(roles(standby)).toEqual(['standby'])
    standby.page.visible = true
    await w.clock.advance(9_000)
    expect(roles(standby)).toEqual(['standby'])
    await w.clock.advance(6_000)
    expect(roles(standby)).toEqual(['host'])
  })

  test('is not what a standby sees that stood still itself', async () => {
    const w = world()
    const host = w.tab()
    const clock = new ManualClock()
    const standby = w.tab({}, { clock })
    await host.worker.start()
    await standby.worker.start()
    for (let i = 0; i < 5; i++) await clock.advance(2_000)
    // Nothing is heard for a minute, and its timers fire once, late.
    host.backend.deaf = true
    for (let i = 0; i < 20; i++) await clock.freeze(60_000)
    expect(roles(host)).toEqual(['host'])
  }, 30_000)

  test('two standbys do not steal from each other for ever', async () => {
    const w = world()
    const { standby, freeze } = await frozen(w)
    const other = w.tab()
    await other.worker.start()
    await w.clock.advance(10_000)
    freeze()
    await w.clock.advance(60_000)
    expect(roles(standby, other).sort()).toEqual(['host', 'standby'])
    const begins = w.hints.filter((hint) => hint.type === 'role' && hint.role === 'host')
    expect(begins.length).toBeLessThanOrEqual(3)
  })

  test('is stolen from once: a thief that was robbed in its sleep looks anew', async () => {
    const w = world()
    const { standby: awake, freeze } = await frozen(w, { visible: false })
    const { locks } = w
    if (!locks) throw new Error('There are locks here.')
    let [thefts, thaw] = [0, () => {}]
    // The browser grants it the lock while it stands still, and then gives it to the other: it is never told.
    const robbed: Locks = {
      async hold(options, held) {
        if (!options.steal || thefts++ > 0) return await locks.hold(options, held)
        await new Promise<void>((resolve) => {
          thaw = resolve
        })
        return false
      },
    }
    const thief = w.tab({}, { locks: robbed })
    await thief.worker.start()
    await w.clock.advance(10_000)
    freeze()
    await w.clock.advance(15_000)
    expect(thefts).toBe(1)
    awake.page.visible = true
    await w.clock.advance(60_000)
    expect(roles(awake)).toEqual(['host'])
    thaw()
    await w.clock.advance(60_000)
    expect([thefts, ...roles(awake, thief)]).toEqual([1, 'host', 'standby'])
    // It watches the new host as it did the old one.
    awake.backend.deaf = true
    await w.clock.advance(15_000)
    expect([thefts, ...roles(thief)]).toEqual([2, 'host'])
  })
})

describe('a backend that is closed under it', () => {
  test('ends a standby at once: it waits for no lock any more', async () => {
    const w = world()
    const [a, b] = await pair(w)
    await w.clock.advance(5_000)
    await b.backend.close()
    await w.clock.advance(0)
    expect(roles(a, b)).toEqual(['host', 'stopped'])
    expect(b.errors).toEqual([expect.any(ClosedError)])
    await a.worker.stop()
    await w.clock.advance(60_000)
    expect(roles(a, b)).toEqual(['stopped', 'stopped'])
    expect(w.clock.timers).toBe(0)
    await expect(b.worker.start()).rejects.toThrow(ClosedError)
  })

  test('ends a host at once, and what it held is charged nothing', async () => {
    const w = world()
    const [a, b] = await pair(w)
    const [id] = await w.add([{ do: 'hang' }])
    await w.clock.advance(10)
    await a.backend.close()
    await w.clock.advance(0)
    expect(roles(a, b)).toEqual(['stopped', 'host'])
    expect(a.executor.isOpen).toBe(false)
    expect(a.errors).toEqual([expect.any(ClosedError)])
    expect(await w.backend.get([String(id)])).toMatchObject([{ state: 'running', attempt: 1, crashes: 0 }])
  })

  test('is not taken for a frozen host, also if the backend does not tell that it was closed', async () => {
    const w = world()
    const [a, b] = await pair(w)
    await w.clock.advance(5_000)
    b.backend.deaf = true
    b.backend.open = () => Promise.reject(new ClosedError('backend'))
    await w.clock.advance(60_000)
    expect(roles(a, b)).toEqual(['host', 'stopped'])
    expect(b.errors).toEqual([expect.any(ClosedError)])
  })

  test('ends a worker that waits before it tries again', async () => {
    const w = world()
    const [a, b] = await pair(w)
    b.executor.failOpens = 1
    await a.worker.stop()
    await w.clock.advance(0)
    await b.backend.close()
    await w.clock.advance(0)
    expect(roles(b)).toEqual(['stopped'])
    expect(w.clock.timers).toBe(0)
  })
})

describe('handing over', () => {
  test('a newer tab gets the role when tasks wait for its handlers', async () => {
    const w = world()
    const [a, b] = await pair(w, old, newer)
    const [id] = await w.add([{ name: 'fresh' }])
    await w.clock.advance(100)
    expect(await w.backend.get([String(id)])).toMatchObject([
      { state: 'blocked', why: expect.stringContaining('fresh') },
    ])
    await w.clock.advance(9_000)
    expect(roles(a, b)).toEqual(['host', 'standby'])
    await w.clock.advance(4_000)
    expect(roles(a, b)).toEqual(['standby', 'host'])
    expect(await w.states([String(id)])).toEqual(['completed'])
    expect(a.executor.isOpen).toBe(false)
  })

  test('also when they were parked by a host before', async () => {
    const w = world()
    const first = w.tab(old)
    await first.worker.start()
    const ids = await w.add([{ name: 'fresh' }])
    await w.clock.advance(10)
    await first.worker.stop()
    await pair(w, old, newer)
    expect(await w.ended(ids, 20_000)).toEqual(['completed'])
  })

  test('also behind any number of others', async () => {
    const w = world()
    const first = w.tab(old)
    await first.worker.start()
    await w.add(Array.from({ length: 1_200 }, (_, i) => ({ name: `aold${i}` })))
    const ids = await w.add([{ name: 'fresh' }])
    await w.clock.until(async () => (await w.backend.counts()).blocked === 1_201)
    await first.worker.stop()
    await pair(w, old, newer)
    expect(await w.ended(ids, 20_000)).toEqual(['completed'])
  })

  test('gates are read once a minute, however many tasks wait behind one, and only those of its own handlers opened', async () => {
    const w = world()
    const tab = w.tab(newer)
    let reads = 0
    const read = tab.backend.read
    tab.backend.read = (kind, query, cursor) => {
      reads++
      return read.call(tab.backend, kind, query, cursor)
    }
    const changes: string[] = []
    const { change } = tab.backend
    tab.backend.change = (asked) => {
      changes.push(asked.type)
      return change(asked)
    }
    await tab.worker.start()
    await w.clock.advance(180_000)
    expect(reads).toBe(4)
    await w.add(Array.from({ length: 1_200 }, () => ({ name: 'aold' })))
    await w.clock.advance(61_000)
    expect(reads).toBe(5)
    expect(changes).toEqual([])
  })

  test('not to a tab that does not have them either', async () => {
    const w = world()
    const [a, b] = await pair(w, old, old)
    await w.add([{ name: 'fresh' }])
    await w.clock.advance(60_000)
    expect(roles(a, b)).toEqual(['host', 'standby'])
    expect(w.hints.filter(({ type }) => type === 'wanted')).toEqual([])
    // It looked once.
    expect([b.executor.opens, b.executor.isOpen]).toEqual([1, false])
  })

  test('past older tabs that waited for longer', async () => {
    const w = world()
    const [a, b] = await pair(w, old, old)
    const c = w.tab(newer)
    await c.worker.start()
    const ids = await w.add([{ name: 'fresh' }])
    await w.ended(ids, 20_000)
    expect(roles(a, b, c)).toEqual(['standby', 'standby', 'host'])
  })

  test('what runs is waited for, what has not begun is given back', async () => {
    const w = world()
    const [a, b] = await pair(w, { ...old, slots: 2 }, newer)
    await w.clock.advance(10_000)
    const ids = await w.add([{ do: 'ok', ms: 8_000 }, { do: 'hang' }, { name: 'fresh' }])
    await w.clock.advance(7_000)
    expect(roles(a, b)).toEqual(['host', 'standby'])
    await w.clock.advance(28_000)
    expect(await w.states(ids)).toEqual(['completed', 'running', 'blocked'])
    await w.clock.advance(5_000)
    expect(roles(a, b)).toEqual(['standby', 'host'])
    expect(await w.backend.get(ids)).toMatchObject([
      {},
      { state: 'running', attempt: 1, crashes: 0 },
      { state: 'available' },
    ])
    expect(b.executor.began.map(({ id }) => id)).toEqual([ids[1]])
  })

  test('a worker that begins opens the gates of its handlers', async () => {
    const w = world()
    const first = w.tab(old)
    await first.worker.start()
    const ids = await w.add(Array.from({ length: 300 }, (_, i) => ({ name: `fresh${i % 3}` })))
    await w.clock.advance(1_000)
    expect(await w.backend.counts()).toMatchObject({ blocked: 300 })
    await first.worker.stop()
    const second = w.tab({ table: { work: {}, fresh0: {}, fresh2: {} } })
    await second.worker.start()
    await w.clock.advance(1_000)
    expect(await w.backend.counts()).toMatchObject({ blocked: 100, completed: 200 })
    expect(ids).toHaveLength(300)
  })
})

describe('without locks', () => {
  test('all are hosts and share the work, and nothing runs twice', async () => {
    const w = world({ locks: false })
    const [a, b] = [w.tab(), w.tab()]
    expect(await Promise.all([a.worker.start(), b.worker.start()])).toEqual(['host', 'host'])
    const ids = await w.add(Array.from({ length: 100 }, () => ({ do: 'ok', ms: 30 })))
    await w.ended(ids)
    const began = [...a.executor.began, ...b.executor.began].map(({ id }) => id)
    expect(began).toHaveLength(100)
    expect(new Set(began).size).toBe(100)
    expect(Math.min(a.executor.began.length, b.executor.began.length)).toBeGreaterThan(20)
    expect([...a.warnings, ...b.warnings]).toEqual([])
  })

  test('a living host keeps its lease, a dead one is noticed when its lease has run out', async () => {
    const w = world({ locks: false })
    const clock = new ManualClock()
    const [a, b] = [w.tab({}, { clock }), w.tab()]
    await a.worker.start()
    const [id] = await w.add([{ do: 'hang' }])
    await clock.advance(10)
    await b.worker.start()
    for (let i = 0; i < 12; i++) await Promise.all([clock.advance(10_000), w.clock.advance(10_000)])
    expect(b.executor.began).toEqual([])
    // It dies.
    a.backend.deaf = true
    await w.clock.advance(29_000)
    expect(b.executor.began).toEqual([])
    await w.clock.advance(20_000)
    expect(b.executor.began.map((run) => run.id)).toEqual([id])
    expect(await w.backend.get([String(id)])).toMatchObject([{ crashes: 1, attempt: 1 }])
    // It was only asleep: its next word to the storage tells it.
    await clock.advance(10_000)
    expect(a.executor.aborted.length + a.executor.closes).toBeGreaterThan(0)
    await clock.advance(2_000)
    expect(roles(a, b)).toEqual(['host', 'host'])
  })

  test('an idle host keeps its place as well', async () => {
    const w = world({ locks: false })
    const [a, b] = [w.tab(), w.tab()]
    await a.worker.start()
    await b.worker.start()
    await w.clock.advance(200_000)
    expect(new Set(a.backend.exchanges.map(({ host }) => host)).size).toBe(1)
    expect(new Set(b.backend.exchanges.map(({ host }) => host)).size).toBe(1)
  })

  test('tasks that one host parked are run by the other', async () => {
    const w = world({ locks: false })
    const [a, b] = [w.tab(old), w.tab(newer)]
    await a.worker.start()
    await b.worker.start()
    expect(await w.ended(await w.add([{ name: 'fresh' }]), 60_000)).toEqual(['completed'])
  })
})

describe('the page', () => {
  afterEach(() => vi.unstubAllGlobals())

  test('is looked at again when it becomes visible, is shown or is online; nothing listens after stop', async ({
    skip,
  }) => {
    skip(typeof document !== 'undefined', 'a real page cannot be stubbed: this runs in Node')
    const page = new EventTarget()
    const listeners = new Map<string, number>()
    const count = (type: string, by: number) => listeners.set(type, (listeners.get(type) ?? 0) + by)
    const add = (type: string, hear: EventListener) => {
      count(type, 1)
      page.addEventListener(type, hear)
    }
    const remove = (type: string, hear: EventListener) => {
      count(type, -1)
      page.removeEventListener(type, hear)
    }
    const target = { addEventListener: add, removeEventListener: remove }
    vi.stubGlobal('document', { ...target, visibilityState: 'visible' })
    vi.stubGlobal('addEventListener', add)
    vi.stubGlobal('removeEventListener', remove)
    const w = world()
    const tab = w.tab()
    const { worker, clock, executor } = tab
    await worker.start()
    await clock.advance(1_000)
    for (const [i, type] of ['visibilitychange', 'resume', 'pageshow', 'online'].entries()) {
      await w.add([{ do: 'ok' }], { silent: true })
      page.dispatchEvent(new Event(type))
      await clock.advance(0)
      expect(executor.began).toHaveLength(i + 1)
    }
    // What failed offline goes on at once.
    tab.page.online = false
    await w.add([{ do: 'fail', times: 1 }])
    await clock.advance(1_000)
    expect(executor.began).toHaveLength(5)
    tab.page.online = true
    page.dispatchEvent(new Event('online'))
    await clock.advance(0)
    expect(executor.began).toHaveLength(6)
    // The network came and went while it ran: the page's events are all that tells.
    const [away] = await w.add([{ do: 'fail', ms: 3_000, times: 1, settings: { retry: { attempts: 1 } } }])
    await clock.advance(2_000)
    for (const online of [false, true]) {
      tab.page.online = online
      page.dispatchEvent(new Event(online ? 'online' : 'offline'))
    }
    expect(await w.ended([String(away)], 10_000)).toEqual(['completed'])
    await worker.stop()
    expect(Object.fromEntries(listeners)).toEqual({
      visibilitychange: 0,
      resume: 0,
      pageshow: 0,
      online: 0,
      offline: 0,
      pagehide: 0,
    })
  })
})

describe('whatever happens', () => {
  const script = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('ok' as const), ms: fc.constantFrom(0, 0, 1, 30, 2_000) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('fail' as const), ms: fc.constantFrom(0, 10) }) },
    { weight: 1, arbitrary: fc.constant({ do: 'crash' as const, times: 1 }) },
  )
  const tab = fc.nat(2)
  const fault = fc.constantFrom('lost' as const, 'lost, but committed' as const, 'quota' as const)
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), scripts: fc.array(script, { minLength: 1, maxLength: 60 }) }),
    fc.record({ do: fc.constant('start' as const), tab }),
    fc.record({ do: fc.constant('stop' as const), tab, grace: fc.constantFrom(0, 5_000) }),
    fc.record({ do: fc.constant('fault' as const), tab, fault }),
    fc.record({ do: fc.constant('freeze' as const), tab }),
    fc.record({ do: fc.constant('thaw' as const), tab }),
    fc.record({ do: fc.constant('kill' as const), tab }),
    fc.record({ do: fc.constant('cancel' as const), pick: fc.nat(1_000) }),
    fc.record({ do: fc.constant('void' as const) }),
    { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 40, 700, 12_000) }) },
  )

  test.each([true, false])(
    'every task ends once (locks: %s)',
    async (locks) => {
      const history = fc.array(step, { minLength: 5, maxLength: 25 })
      await fc.assert(
        fc.asyncProperty(history, async (steps) => {
          const w = new World({ locks })
          const tabs = [0, 1, 2].map(() => w.tab({ slots: 2, maxCrashes: 1_000 }))
          const ids: string[] = []
          for (const s of steps) {
            const { worker, backend, executor } = tabs['tab' in s ? s.tab : 0] ?? w.tab()
            if (s.do === 'add') ids.push(...(await w.add(s.scripts)))
            else if (s.do === 'start') worker.start().catch(() => {})
            else if (s.do === 'stop') void worker.stop({ grace: s.grace })
            else if (s.do === 'fault') {
              const error = new StorageError(s.fault === 'quota' ? 'quota' : 'lost', s.fault)
              backend.faults.exchange.push(s.fault === 'lost, but committed' ? { error, committed: true } : { error })
            } else if (s.do === 'freeze') backend.deaf = true
            else if (s.do === 'thaw') backend.deaf = false
            else if (s.do === 'kill') executor.kill()
            else if (s.do === 'cancel') await w.cancel(ids[s.pick % ids.length] ?? '')
            else if (s.do === 'wait') await w.clock.advance(s.ms)
            else await w.backend.recover({ me: 'x', dead: 'others', left: [], now: w.clock.now(), maxCrashes: 1_000 })
          }
          for (const { backend, worker } of tabs) {
            backend.deaf = false
            worker.start().catch(() => {})
          }
          const states = await w.ended(ids)
          expect(states.every((state) => ['completed', 'failed', 'cancelled'].includes(state))).toBe(true)
          await w.end()
        }),
        { numRuns: 60 },
      )
    },
    60_000,
  )
})
