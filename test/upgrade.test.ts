import { inline, type QueueEvent, StorageError, TaskQueue, TaskWorker, taskStates } from 'sitq'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { localChannel } from '../src/channel.js'
import { type Clock, systemClock } from '../src/clock.js'
import { partsOf } from '../src/indexeddb/parts.js'
import { IndexedDBStorage } from '../src/indexeddb/storage.js'
import { LocalBackend } from '../src/local.js'
import { MemoryStorage } from '../src/memory/storage.js'
import { currentLayout, type Layout } from '../src/plan/migrations.js'
import { LAYOUT, stores } from '../src/plan/records.js'
import { put, ROOT } from '../src/plan/tables.js'
import stored from './fixtures/layout-1.json' with { type: 'json' }
import { audit } from './support/audit.js'
import { ManualClock } from './support/clock.js'
import { type Dump, decode, dumpDatabase, restoreDatabase } from './support/dump.js'
import { failing, layouts } from './support/layouts.js'

// Databases that other versions of the app have left behind. test/fixtures/layout-1.json was stored by layout 1 (see
// test/fixtures/make.ts): a host has died in the middle of everything.

/** By then the dead host's lease has run out, for where there are no locks, and everything that was delayed is due. */
const later = stored.now + 600_000 - Date.now()
const clock: Clock = { ...systemClock, now: () => Date.now() + later }

function isDump(value: unknown): value is Dump {
  return typeof value === 'object' && value !== null && 'version' in value && 'stores' in value
}

let name = ''
let old: Dump

beforeEach(async () => {
  name = crypto.randomUUID()
  const decoded = decode(stored.dump)
  if (!isDump(decoded)) throw new Error('The fixture is none.')
  old = decoded
  await restoreDatabase(name, old)
  onTestFinished(() => new Promise((resolve) => (indexedDB.deleteDatabase(name).onsuccess = () => resolve())))
})

const handlers = {
  echo: (input: unknown) => input,
  double: (n: number) => ({ n: n * 2, fits: n % 3 !== 0 }),
  finish: ({ n }: { n: number }) => n + 1,
  later: (n: number) => n,
}

/** A page whose code is of a layout. */
function page(layout: Layout) {
  const parts = partsOf({ name, layout })
  const backend = new LocalBackend({ ...parts.local, clock })
  const queue = new TaskQueue<typeof handlers>({ backend, clock })
  const events: string[] = []
  queue.subscribe((event: QueueEvent) => event.type === 'storage' && events.push(event.event))
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)
  // Where there are no locks, a host that was closed out is waited for.
  const timing = { lease: 1_000, renewEvery: 300 }
  const worker = new TaskWorker(queue, { executor: inline(handlers), onError, warn: () => {}, ...timing })
  onTestFinished(async () => {
    await worker.stop({ grace: 0 })
    await queue.close()
  })
  return { parts, backend, queue, worker, events, errors }
}

type Page = ReturnType<typeof page>

/** Lets everything end that can, and says what came of it. */
async function finish({ queue, worker }: Page) {
  await worker.start()
  await queue.resume('mail')
  const left = async () => {
    const { available, running, scheduled, blocked } = await queue.counts()
    return available + running + scheduled + blocked
  }
  await expect.poll(left, { timeout: 10_000 }).toBe(0)
  await worker.stop()
}

/** Everything in the fixture has survived and ended as it should. */
async function expectAll({ queue }: Page): Promise<void> {
  expect(await queue.counts()).toEqual({
    ...Object.fromEntries(taskStates.map((state) => [state, 0])),
    completed: 44 + 92 + 3 + 10 + 4,
    failed: 5,
    cancelled: 3,
  })
  const middle = await queue.batch('middle')
  expect(await middle?.progress()).toMatchObject({ total: 100, done: 100, completed: 92, failed: 5, cancelled: 3 })
  const results = (await middle?.collect()) ?? []
  expect(results[0]).toMatchObject({ status: 'completed', value: { was: { i: 0 } } })
  expect(results[42]).toMatchObject({ status: 'failed', error: { code: 'range', cause: { message: 'deep' } } })
  // Leased by the host that died; and one that had failed once.
  expect(results[50]).toMatchObject({ status: 'completed', value: { i: 50 }, attempts: 1 })
  expect(results[55]).toMatchObject({ status: 'completed', value: { i: 55 }, attempts: 2 })
  expect(results.filter(({ status }) => status === 'cancelled')).toMatchObject(
    Array(3).fill({ status: 'cancelled', reason: 'no need' }),
  )
  const run = await queue.batch('run')
  expect(await run?.progress()).toMatchObject({ total: 6, done: 6 })
  const ended = (await run?.collect()) ?? []
  expect(ended.flatMap((result) => (result.status === 'completed' ? [result.value] : []))).toEqual([3, 5, 9, 11])
  // The import that was interrupted goes on where it stopped.
  const open = await queue.enqueueMany('echo', [1, 2, 3, 4, 5], { id: 'open', queue: 'mail' })
  expect(await open.progress()).toMatchObject({ total: 5, done: 3, open: false })
  const { items } = await queue.list({ state: 'completed', queue: 'default', limit: 200 })
  expect(items.find(({ input }) => input instanceof Object && 'odd' in input)?.input).toEqual({
    date: new Date(0),
    map: new Map([['a', 1]]),
    set: new Set([1, 'b']),
    bytes: new Uint8Array([1, 2, 255]),
    none: undefined,
    big: 12345678901234567890n,
    odd: [Number.NaN, Number.POSITIVE_INFINITY],
  })
  await audit(new IndexedDBStorage({ name, layout: { version: await versionOf(), migrations: [] } }))
}

async function versionOf(): Promise<number> {
  return (await dumpDatabase(name)).version
}

describe('a database of layout 1', () => {
  it('is opened by the code of today: all tasks, leases and batches are there and go on', async () => {
    const today = page(currentLayout)
    expect(await today.queue.counts()).toMatchObject({
      running: 11,
      blocked: 1,
      scheduled: 2,
      failed: 5,
      cancelled: 3,
    })
    await finish(today)
    await expectAll(today)
    // It is read as it is: nothing in it was taken for damaged and mended.
    expect(today.events).toEqual([])
    expect((await dumpDatabase(name)).stores.ledger?.[0]).toMatchObject(['', { layout: LAYOUT }])
  })

  it('comes to layout 2, and goes on there', async () => {
    const newer = page(layouts[2])
    expect(await newer.queue.counts()).toMatchObject({
      running: 11,
      blocked: 1,
      scheduled: 2,
      failed: 5,
      cancelled: 3,
    })
    const now = await dumpDatabase(name)
    expect(now.version).toBe(2)
    expect(now.stores.ledger).toEqual(
      old.stores.ledger?.map(([key, record]) => [
        key,
        Object.assign({}, record, key === ROOT ? { layout: 2 } : { since: 2 }),
      ]),
    )
    const isBatch = (key: IDBValidKey) => Array.isArray(key) && key[0] === 'batch'
    expect(now.stores.marks).toEqual(
      old.stores.marks?.map(([key, record]) => [key, isBatch(key) ? Object.assign({}, record, { since: 2 }) : record]),
    )
    expect([now.stores.blocks, now.stores.outcomes]).toEqual([old.stores.blocks, old.stores.outcomes])
    await finish(newer)
    await expectAll(newer)
    expect(newer.events).toEqual([])
  })

  it('comes to layout 3 by way of 2, each step once, also when many open at once', async () => {
    await Promise.all([page(layouts[3]), page(layouts[3])].map(({ queue }) => queue.counts()))
    await page(layouts[3]).queue.counts()
    const { version, stores: now } = await dumpDatabase(name)
    expect(version).toBe(3)
    expect(now.ledger?.map(([, record]) => record)).toMatchObject([{ layout: 3 }, ...Array(4).fill({ since: 3 })])
  })

  it('stays as it is, and works, where its migration fails', async () => {
    for (const [error, code] of [
      [new TypeError('a bug in the migration'), 'broken'],
      [new DOMException('no space', 'QuotaExceededError'), 'quota'],
    ] as const) {
      const newer = page(failing(error))
      await expect(newer.queue.counts()).rejects.toMatchObject({ name: 'StorageError', code })
      expect(await dumpDatabase(name)).toEqual(old)
    }
    const today = page(currentLayout)
    expect(await today.queue.counts()).toMatchObject({ running: 11, failed: 5 })
  })

  it('is migrated again after the connection broke in the middle of it', async () => {
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(() => {
      throw new DOMException('Connection to Indexed Database server lost.', 'UnknownError')
    })
    onTestFinished(() => void vi.restoreAllMocks())
    expect(await page(layouts[2]).queue.counts()).toMatchObject({ running: 11, failed: 5 })
    expect((await dumpDatabase(name)).version).toBe(2)
  })

  it('takes the time it takes: no watchdog cuts a migration short', async () => {
    const clock = new ManualClock()
    const [two] = layouts[2].migrations
    let slow = () => {}
    const slowly = new Promise<void>((resolve) => {
      slow = resolve
    })
    const watched: Layout = {
      version: 2,
      migrations: [
        {
          to: 2,
          steps: [
            function* () {
              slow()
              yield []
              return { writes: [], value: undefined }
            },
            ...(two?.steps ?? []),
          ],
        },
      ],
    }
    const storage = new IndexedDBStorage({ name, clock, layout: watched })
    const opening = storage.open()
    await slowly
    await clock.advance(60_000)
    expect(await opening).toBe(true)
    expect(clock.timers).toBe(0)
    await storage.close()
  })

  it('of somebody else is not touched, whatever its version', async () => {
    const foreign = crypto.randomUUID()
    const theirs: Dump = { version: 1, stores: { things: [[1, 'one']] } }
    await restoreDatabase(foreign, theirs)
    for (const layout of [layouts[1], layouts[2]]) {
      const storage = new IndexedDBStorage({ name: foreign, layout })
      await expect(storage.open()).rejects.toMatchObject({ code: 'broken' })
      await expect(storage.destroy()).rejects.toMatchObject({ code: 'broken' })
      expect(await dumpDatabase(foreign)).toEqual(theirs)
    }
  })
})

describe('a database of a newer layout', () => {
  it('is never damaged by older code: it opens nothing, changes nothing, deletes nothing', async () => {
    const newer = page(layouts[2])
    await newer.queue.counts()
    await newer.queue.close()
    const before = await dumpDatabase(name)
    const today = page(currentLayout)
    const outdated = { name: 'StorageError', code: 'newer-version' }
    await expect(today.queue.enqueue('echo', 1)).rejects.toMatchObject(outdated)
    await expect(today.queue.enqueueMany('echo', [1], { id: 'middle' })).rejects.toMatchObject(outdated)
    await expect(today.queue.clear()).rejects.toMatchObject(outdated)
    await expect(today.queue.prune({ age: 0, count: 0 })).rejects.toMatchObject(outdated)
    await expect(today.worker.start()).rejects.toMatchObject(outdated)
    await today.queue.close()
    await expect(today.parts.destroy()).rejects.toMatchObject(outdated)
    expect(await dumpDatabase(name)).toEqual(before)
  })

  it('is known by its root too, should its version have been lost on the way', async () => {
    const storage = new MemoryStorage()
    const root = { layout: LAYOUT + 1, origin: 'newer000', nextLane: 3 }
    await storage.run(
      function* () {
        yield []
        return { writes: [put('root', ROOT, root)], value: undefined }
      },
      { stores, write: true },
    )
    const backend = new LocalBackend({ storage, channel: localChannel() })
    await expect(backend.open()).rejects.toMatchObject({ code: 'newer-version' })
    await expect(backend.counts()).rejects.toBeInstanceOf(StorageError)
  })
})

describe('an older page, when a newer one comes', () => {
  it('lets go of the database and says so; its operations say what to do; its worker stops, its tasks pay nothing', async () => {
    const today = page(currentLayout)
    await today.worker.start()
    await today.queue.counts()
    const newer = page(layouts[2])
    expect(await newer.queue.counts()).toMatchObject({ failed: 5 })
    await expect.poll(() => today.worker.role).toBe('stopped')
    expect(today.events).toEqual(['closed-by-upgrade'])
    expect(newer.events).toEqual([])
    await expect(today.queue.counts()).rejects.toMatchObject({ code: 'newer-version' })
    await expect(today.worker.start()).rejects.toMatchObject({ code: 'newer-version' })
    await finish(newer)
    await expectAll(newer)
    expect(today.errors).toEqual([expect.objectContaining({ code: 'newer-version' })])
  })

  it('stops standing by, too', async () => {
    const [host, standby] = [page(currentLayout), page(currentLayout)]
    await host.worker.start()
    if (!host.backend.locks) return
    expect(await standby.worker.start()).toBe('standby')
    await page(layouts[2]).queue.counts()
    await expect.poll(() => [host.worker.role, standby.worker.role]).toEqual(['stopped', 'stopped'])
    expect(standby.errors).toEqual([expect.objectContaining({ code: 'newer-version' })])
  })
})
