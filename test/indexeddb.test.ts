import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { localChannel } from '../src/channel.js'
import { ClosedError } from '../src/errors.js'
import { FallbackStorage } from '../src/indexeddb/fallback.js'
import type { DatabaseEvent } from '../src/indexeddb/link.js'
import { IndexedDBStorage } from '../src/indexeddb/storage.js'
import { LocalBackend } from '../src/local.js'
import { LAYOUT, stores } from '../src/plan/records.js'
import type { Plan, Read } from '../src/storage.js'
import { ManualClock } from './support/clock.js'
import { layouts } from './support/layouts.js'

afterEach(() => {
  vi.restoreAllMocks()
})

const all = { stores, write: true }

/** A storage, what it tells, and how often its plan was called. */
function make(name = crypto.randomUUID(), clock = new ManualClock(), layout = layouts[1]) {
  const events: DatabaseEvent['event'][] = []
  const storage = new IndexedDBStorage({ name, clock, layout, onEvent: ({ event }) => events.push(event) })
  onTestFinished(() => storage.close())
  const seen: number[] = []
  const read = (): Read => ({ table: 'raw', store: 'marks', key: 'n', keys: [], found: [] })
  /** Adds one to a stored number; resolves with it. */
  const count = () =>
    storage.run(function* (): Plan<number> {
      seen.push(storage.generation)
      const before = read()
      yield [before]
      const found: unknown = before.found[0]
      const value = (typeof found === 'number' ? found : 0) + 1
      return { writes: [{ kind: 'put', store: 'marks', key: 'n', record: value }], value }
    }, all)
  return { name, clock, events, storage, seen, count }
}

/** The platform's handle that a storage uses, to take it away. */
async function handleOf({ count }: { count(): Promise<number> }): Promise<IDBDatabase> {
  const spy = vi.spyOn(IDBDatabase.prototype, 'transaction')
  await count()
  const handle = spy.mock.contexts.at(-1)
  spy.mockRestore()
  if (!(handle instanceof IDBDatabase)) throw new Error('No transaction was made.')
  return handle
}

/** Counts, and lets the time pass that healing takes. */
async function inTime({ clock, count }: { clock: ManualClock; count(): Promise<number> }): Promise<number> {
  let done = false
  const end = () => {
    done = true
  }
  const counted = count()
  counted.then(end, end)
  await clock.until(() => done, { patience: 100 })
  return counted
}

const refuse = (name: string) => () => {
  throw new DOMException('Connection to Indexed Database server lost. Refresh the page to try again', name)
}

const opened = (request: IDBOpenDBRequest) =>
  new Promise<IDBDatabase>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

describe('IndexedDB: a lost connection', () => {
  it('is made good: the plan runs again, of the next generation', async () => {
    const made = make()
    const { storage, count, events, seen } = made
    await count()
    for (const name of ['InvalidStateError', 'UnknownError']) {
      vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(refuse(name))
      await inTime(made)
    }
    vi.spyOn(IDBObjectStore.prototype, 'get').mockImplementationOnce(refuse('UnknownError'))
    expect(await inTime(made)).toBe(4)
    expect(seen).toEqual([1, 2, 3, 3, 4])
    expect(storage.generation).toBe(4)
    expect(events).toEqual(['lost', 'reopened', 'lost', 'reopened', 'lost', 'reopened'])
    expect(await storage.open()).toBe(false)
  })

  it('counts once, however many plans it meets', async () => {
    const made = make()
    const handle = await handleOf(made)
    handle.close()
    const counts = await Promise.all(Array.from({ length: 20 }, made.count))
    expect(counts).toEqual(Array.from({ length: 20 }, (_, i) => i + 2))
    expect(made.events).toEqual(['lost', 'reopened'])
    const next = await handleOf(made)
    next.close()
    expect(await inTime(made)).toBe(23)
  })

  it('is an error if it happens twice to one plan; nothing was stored', async () => {
    const made = make()
    await made.count()
    vi.spyOn(IDBDatabase.prototype, 'transaction')
      .mockImplementationOnce(refuse('UnknownError'))
      .mockImplementationOnce(refuse('UnknownError'))
    await expect(inTime(made)).rejects.toMatchObject({ name: 'StorageError', code: 'unavailable' })
    expect(await inTime(made)).toBe(2)
  })

  it('is made good 3 times within 10 s, and then not until they have passed', async () => {
    const made = make()
    for (let i = 0; i < 3; i++) {
      const handle = await handleOf(made)
      handle.close()
      await inTime(made)
    }
    const handle = await handleOf(made)
    handle.close()
    await expect(inTime(made)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(inTime(made)).rejects.toMatchObject({ code: 'unavailable' })
    await made.clock.advance(10_000)
    expect(await inTime(made)).toBe(8)
    expect(made.events).toEqual(['lost', 'reopened', 'lost', 'reopened', 'lost', 'reopened', 'lost', 'reopened'])
  })

  it('does not run a plan on a database that replaced the one it was made for', async () => {
    const { name, storage, count, events, seen } = make()
    await count()
    await make(name).storage.destroy()
    expect(events).toEqual(['lost'])
    await expect(count()).rejects.toMatchObject({ code: 'lost' })
    expect(seen).toEqual([1])
    expect(events).toEqual(['lost', 'reopened'])
    expect(storage.generation).toBe(2)
    expect(await count()).toBe(1)
  })
})

describe('IndexedDB: a page that is left', () => {
  const task = { queue: 'default', name: 'work', input: 1, priority: 0 }
  const now = Date.now()
  const host = (id: string) => ({ host: id, now, until: now + 30_000 })
  const claiming = (id: string) => ({ ...host(id), seq: 1, settle: [], claim: { limit: 10 } })
  const recovering = { me: 'a', dead: 'others', left: [], now, maxCrashes: 3 } as const

  /** The page is left as soon as there is a transaction, before anything in it is answered. */
  function leaveInTransaction(storage: IndexedDBStorage): Promise<void> {
    const { transaction } = IDBDatabase.prototype
    return new Promise((resolve) => {
      vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(function (this: IDBDatabase, ...args) {
        queueMicrotask(() => {
          storage.leave()
          resolve()
        })
        return transaction.apply(this, args)
      })
    })
  }

  async function pages() {
    const { name, storage } = make()
    const a = new LocalBackend({ storage, channel: localChannel() })
    const b = new LocalBackend({ storage: make(name).storage, channel: localChannel() })
    await a.open()
    await b.add([task], { now })
    return { storage, a, b }
  }

  it('does when it is back what it was asked for', async () => {
    const { storage, a, b } = await pages()
    const left = leaveInTransaction(storage)
    const pausing = a.change({ type: 'pause', queue: 'default', until: now + 60_000 })
    await left
    await b.counts()
    storage.back()
    await expect(pausing).resolves.toBeTypeOf('number')
    expect((await b.exchange(claiming('b'))).claimed).toHaveLength(0)
  })

  it('hears no answer while it is away; what it wanted to read, it reads when it is back', async () => {
    const { storage, a, b } = await pages()
    await a.counts()
    const left = leaveInTransaction(storage)
    let answered = false
    const counting = a.counts().finally(() => {
      answered = true
    })
    await left
    await b.add([task, task], { now })
    expect(answered).toBe(false)
    storage.back()
    expect(await counting).toMatchObject({ available: 3 })
  })

  it('does nothing more for its host, which is dropped', async () => {
    const { storage, a, b } = await pages()
    const asked = [
      () => a.exchange(claiming('a')),
      () => a.recover(recovering),
      () => a.renew('a', now + 60_000),
    ] as const
    for (const ask of asked) {
      await a.open()
      const left = leaveInTransaction(storage)
      const answer = expect(ask()).rejects.toMatchObject({ name: 'StorageError', code: 'unavailable' })
      await left
      // It hears of it while it is away.
      await answer
      storage.back()
    }
    // Nor is it begun when it was the opening that had to wait.
    const left = leaveInTransaction(storage)
    const answer = expect(a.exchange(claiming('a'))).rejects.toMatchObject({ code: 'unavailable' })
    await left
    storage.back()
    await answer
    const { claimed } = await b.exchange(claiming('b'))
    expect(claimed).toMatchObject([{ crashes: 0 }])
  })

  it('stores when it is back what it was storing, without the exchange of its host that went with it', async () => {
    const { storage, a, b } = await pages()
    await a.add([task], { now })
    const answers: Promise<unknown>[] = []
    a.appends.listen({ offered: () => void answers.push(a.exchange(claiming('a'))), begun: () => {} })
    const { generation } = storage
    const left = leaveInTransaction(storage)
    const adding = a.add([task], { now })
    await left
    // What it did is handed over or not: it does not wait to hear.
    await expect(answers[0]).rejects.toMatchObject({ name: 'StorageError', code: 'lost' })
    expect(await b.counts()).toMatchObject({ available: 2 })
    expect(storage.generation).toBe(generation)
    storage.back()
    await adding
    expect(answers).toHaveLength(1)
    expect(await b.counts()).toMatchObject({ available: 3, running: 0 })
  })

  it('does not open the database for that, where memory is there to fall to', async () => {
    const { storage } = make()
    const falling = new FallbackStorage(storage)
    const backend = new LocalBackend({ storage: falling, channel: localChannel() })
    await backend.open()
    const { generation } = storage
    const left = leaveInTransaction(storage)
    const answer = expect(backend.exchange(claiming('a'))).rejects.toMatchObject({ code: 'unavailable' })
    await left
    await answer
    expect([storage.generation, falling.durable]).toEqual([generation, true])
  })

  it('does for its host what was asked for after it was left', async () => {
    const { storage, a } = await pages()
    storage.leave()
    expect((await a.exchange(claiming('a'))).claimed).toHaveLength(1)
  })

  it('and was closed while away: what waits for it to be back is not run again', async () => {
    const { storage, a, b } = await pages()
    const left = leaveInTransaction(storage)
    const pausing = expect(a.change({ type: 'pause', queue: 'default', until: now + 60_000 })).rejects.toBeInstanceOf(
      ClosedError,
    )
    await left
    await a.close()
    await pausing
    await storage.destroy()
    expect(await storage.open()).toBe(true)
    storage.back()
    await b.close()
  })
})

describe('IndexedDB: opening', () => {
  it('touches nothing until it is asked to', async () => {
    const open = vi.spyOn(IDBFactory.prototype, 'open')
    const { count } = make()
    expect(open).not.toHaveBeenCalled()
    await count()
    expect(open).toHaveBeenCalledOnce()
  })

  it('is tried again when it fails, and an error in the end', async () => {
    const { count, clock } = make()
    const open = vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(refuse('UnknownError'))
    const failed = expect(count()).rejects.toMatchObject({ code: 'unavailable', cause: { name: 'UnknownError' } })
    await clock.advance(1_000)
    await failed
    expect(open).toHaveBeenCalledTimes(4)
    open.mockRestore()
    await clock.advance(10_000)
    expect(await count()).toBe(1)
  })

  it('is tried once more after 5 s without an answer; what opens late is closed', async () => {
    const { name, count, clock } = make()
    // As long as another opening upgrades, ours hangs.
    let upgrading = true
    const request = indexedDB.open(name, LAYOUT)
    request.onupgradeneeded = () => {
      const store = stores.map((store) => request.result.createObjectStore(store))[0]
      const go = () => {
        if (upgrading && store) store.get(0).onsuccess = go
      }
      go()
    }
    const other = opened(request)
    await expect.poll(() => request.readyState === 'done').toBe(true)

    const open = vi.spyOn(IDBFactory.prototype, 'open')
    const counted = count()
    await clock.advance(4_999)
    expect(open).toHaveBeenCalledTimes(1)
    await clock.advance(1)
    expect(open).toHaveBeenCalledTimes(2)
    upgrading = false
    expect(await counted).toBe(1)
    expect(clock.timers).toBe(0)
    const otherHandle = await other
    otherHandle.close()

    // Were the late one open still, this would wait for ever: it doesn't listen for versionchange.
    const { storage, events } = make(name)
    await storage.destroy()
    expect(events).toEqual([])
  })

  it('is an error after 10 s without an answer', async () => {
    const { name, count, clock, events } = make()
    const stubborn = await opened(indexedDB.open(name, LAYOUT))
    onTestFinished(() => stubborn.close())
    // A deletion that waits for the stubborn handle; whoever opens waits for the deletion.
    indexedDB.deleteDatabase(name)
    const failed = expect(count()).rejects.toMatchObject({ name: 'StorageError', code: 'unavailable' })
    await clock.until(() => clock.timers === 1, { patience: 10 })
    await clock.advance(10_000)
    await failed
    expect(events).toEqual([])
  })

  it('that hangs where the database is of an older layout is blocked, whether the browser says so or not', async () => {
    const { name, storage, count: countIn } = make()
    await countIn()
    await storage.close()
    const { count, clock, events } = make(name, undefined, layouts[2])
    const stubborn = await opened(indexedDB.open(name, LAYOUT))
    onTestFinished(() => stubborn.close())
    // Nobody is told that he waits for a deletion that waits.
    indexedDB.deleteDatabase(name)
    const failed = expect(count()).rejects.toMatchObject({ name: 'StorageError', code: 'blocked' })
    await clock.until(() => clock.timers === 1, { patience: 10 })
    await clock.advance(5_000)
    await expect.poll(() => events).toEqual(['blocked'])
    // That it waits is nobody else's business: Firefox, once it was asked what databases there are, would open no other.
    await make().count()
    await clock.advance(5_000)
    await failed
  })

  it('refuses a database with other stores, and does not delete it', async () => {
    const { name, storage, count } = make()
    const foreign = await opened(indexedDB.open(name, LAYOUT))
    foreign.close()
    await expect(count()).rejects.toMatchObject({ code: 'broken' })
    await expect(storage.destroy()).rejects.toMatchObject({ code: 'broken' })
  })

  it('a deletion looks at the version, however often the connection was lost', async () => {
    const made = make()
    for (let i = 0; i < 4; i++) {
      const handle = await handleOf(made)
      handle.close()
      if (i < 3) await inTime(made)
    }
    await expect(inTime(made)).rejects.toMatchObject({ code: 'unavailable' })
    const newer = await opened(indexedDB.open(made.name, LAYOUT + 1))
    newer.close()
    await expect(made.storage.destroy()).rejects.toMatchObject({ code: 'newer-version' })
    expect((await indexedDB.databases()).map(({ name }) => name)).toContain(made.name)
  })

  it('a deletion is possible, however often the connection was lost', async () => {
    const made = make()
    for (let i = 0; i < 4; i++) {
      const handle = await handleOf(made)
      handle.close()
      if (i < 3) await inTime(made)
    }
    await expect(inTime(made)).rejects.toMatchObject({ code: 'unavailable' })
    await made.storage.destroy()
    expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain(made.name)
  })

  it('a database that is damaged is deleted unopened', async () => {
    const made = make()
    await made.count()
    await made.storage.close()
    vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(refuse('UnknownError'))
    let done = false
    const destroyed = made.storage.destroy().finally(() => {
      done = true
    })
    await made.clock.until(() => done, { patience: 100 })
    await destroyed
    vi.restoreAllMocks()
    expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain(made.name)
  })

  it('is closed by close, also while it opens; what was asked for before is done', async () => {
    const { name, storage, count, clock, seen } = make()
    expect(await Promise.all([count(), storage.close()])).toEqual([1, undefined])
    expect(await Promise.all([count(), count(), storage.close()])).toEqual([2, 3, undefined])
    await count()
    expect(await Promise.all([count(), storage.close()])).toEqual([5, undefined])
    // Each was really closed, and none was opened again behind the back.
    expect(seen).toEqual([1, 2, 2, 3, 3])
    expect(storage.generation).toBe(3)
    const handle = await opened(indexedDB.open(name, LAYOUT + 1))
    handle.close()
    expect(clock.timers).toBe(0)
  })
})

describe('IndexedDB: other tabs', () => {
  it('lets go when a newer version comes, and says so from then on', async () => {
    const { name, storage, count, events } = make()
    await count()
    const newer = await opened(indexedDB.open(name, LAYOUT + 1))
    onTestFinished(() => newer.close())
    expect(events).toEqual(['closed-by-upgrade'])
    for (let i = 0; i < 6; i++)
      await expect(count()).rejects.toMatchObject({ name: 'StorageError', code: 'newer-version' })
    await expect(storage.destroy()).rejects.toMatchObject({ code: 'newer-version' })
    expect(newer.objectStoreNames).toHaveLength(stores.length)
  })

  it('tells that an older tab blocks a deletion, and deletes once it can', async () => {
    const { name, storage, count, events } = make()
    await count()
    const stubborn = await opened(indexedDB.open(name, LAYOUT))
    const gone = storage.destroy()
    await expect.poll(() => events).toEqual(['blocked'])
    stubborn.close()
    await gone
    expect(await storage.open()).toBe(true)
    expect(await count()).toBe(1)
  })
})
