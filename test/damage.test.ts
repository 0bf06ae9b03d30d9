import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { localChannel } from '../src/channel.js'
import { StorageError } from '../src/errors.js'
import { IndexedDBStorage } from '../src/indexeddb/storage.js'
import type { Key } from '../src/keys.js'
import { LocalBackend } from '../src/local.js'
import { MemoryStorage } from '../src/memory/storage.js'
import { sealed } from '../src/plan/ledger.js'
import type { Ledger, Table } from '../src/plan/records.js'
import { TaskQueue } from '../src/queue.js'
import type { Storage } from '../src/storage.js'
import { Bench, inputs, type TestHost, upTo } from './backend/bench.js'
import { audit } from './support/audit.js'
import { everything, type Stored, write } from './support/damage.js'
import { World } from './support/world.js'

/** Records that a person, a bug or a disk has spoiled: skipped and reported, never a stuck queue. */

const nothing = { damaged: {}, failed: 0, returned: 0 }
const MINUTE = 60_000
const YEAR = 365 * 24 * 60 * MINUTE

/** Pages have hosts of their own. */
class Page extends Bench {
  override host(id: string = crypto.randomUUID()): TestHost {
    return super.host(id)
  }
}

/** A database with a way to spoil its records; every page opened on it is a new one. */
async function begin(storage: Storage) {
  const channel = localChannel()
  const events: string[] = []
  channel.listen((hint) => hint.type === 'storage' && events.push(`${hint.event}: ${hint.message}`))
  const benches: Bench[] = []
  const now = () => benches.at(-1)?.now ?? NOW
  const open = (own = channel) => {
    const backend = new LocalBackend({ storage, channel: own, clock: { now, monotonic: now, timer: () => () => {} } })
    const bench = Object.assign(new Page({ backend, storage, repeats: false, close: async () => {} }), { now: now() })
    benches.push(bench)
    return bench
  }
  const b = open()
  const find = async (test: (stored: Stored) => boolean): Promise<Stored> => {
    const found = (await everything(storage)).find(test)
    if (!found) throw new Error('There is no such record.')
    return found
  }
  const repair = () => b.backend.repair?.()
  onTestFinished(async () => {
    await audit(storage)
    expect(await repair()).toEqual(nothing)
    await storage.close()
  })
  return {
    b,
    storage,
    events,
    open,
    repair,
    /** The record under a key, `undefined` if there is none. */
    at: async (store: Stored['store'], key: Key) =>
      (await everything(storage)).find((one) => one.store === store && JSON.stringify(one.key) === JSON.stringify(key))
        ?.record,
    async spoil(test: (stored: Stored) => boolean, change: (record: Record<string, unknown>) => unknown) {
      const { store, key, record } = await find(test)
      await write(storage, { kind: 'put', store, key, record: change(Object(record)) })
    },
    async lose(test: (stored: Stored) => boolean) {
      const { store, key } = await find(test)
      await write(storage, { kind: 'delete', store, key })
    },
  }
}
const NOW = 1_700_000_000_000

type Damaged = (database: Awaited<ReturnType<typeof begin>>) => Promise<unknown>
const none: Damaged = async () => {}

const mark =
  (kind: string) =>
  ({ store, key }: Stored) =>
    store === 'marks' && Array.isArray(key) && key[0] === kind
const block =
  (from: number) =>
  ({ store, key }: Stored) =>
    store === 'blocks' && Array.isArray(key) && key[1] === from
const outcome = ({ store }: Stored) => store === 'outcomes'
const ledger = ({ store, key }: Stored) => store === 'ledger' && key !== ''
const root = ({ store, key }: Stored) => store === 'ledger' && key === ''
const isLedger = (record: unknown): record is Ledger =>
  typeof record === 'object' && record !== null && 'lanes' in record

const storages: [string, () => Storage][] = [
  ['memory', () => new MemoryStorage()],
  ['IndexedDB', () => new IndexedDBStorage({ name: crypto.randomUUID() })],
]

describe.each(storages)('damaged records in %s', (_, storage) => {
  const start = () => begin(storage())

  it('a block that is gone: its tasks fail as damaged, the others run, their batch ends', async () => {
    const { b, lose, open, events } = await start()
    const ids = await b.add(600, { id: 'b' })
    await lose(block(256))
    expect(await open().runAll(600)).toEqual([...upTo(256), ...upTo(88).map((i) => 512 + i)])
    expect(await b.result(ids[300] ?? '')).toMatchObject({
      status: 'failed',
      error: { code: 'damaged', retryable: false },
    })
    expect(await b.backend.batch('b')).toMatchObject({
      total: 600,
      completed: 344,
      failed: 256,
      done: 600,
      endedAt: NOW,
    })
    expect(events).toEqual([
      'damaged: Stored records were damaged (1 × block). They are mended: 256 tasks have failed because of it.',
    ])
  })

  it('a block that cannot be read, the last one too, does not keep anyone from enqueueing', async () => {
    const spoilt: [(record: Record<string, unknown>) => unknown, number][] = [
      [(record) => ({ ...record, inputs: [1, 2] }), 3],
      [() => ({ lane: 0, from: 0, to: 5 }), 5],
      // Of a block that says nothing of itself nobody knows how long it was: no position is given out twice.
      [() => null, 256],
    ]
    for (const [junk, failed] of spoilt) {
      const { b, spoil, open } = await start()
      const [id = ''] = await b.add(3)
      await spoil(block(0), junk)
      const page = open()
      const [later = ''] = await page.add(1)
      expect(await page.runAll()).toEqual([0])
      expect((await page.result(id))?.status).toBe('failed')
      expect((await page.result(later))?.status).toBe('completed')
      expect((await page.counts()).failed).toBe(failed)
    }
  })

  type Kind = [Table, (stored: Stored) => boolean]
  it('a record is counted once, whether it is gone or cannot be read', async () => {
    const kinds: Kind[] = [
      ['block', block(0)],
      ['outcome', outcome],
      ['ledger', ledger],
      ['root', root],
      ...(['aside', 'gate', 'batch', 'part', 'dead', 'lane'] as const).map((kind): Kind => [kind, mark(kind)]),
    ]
    for (const [kind, test] of kinds) {
      for (const how of ['gone', 'unreadable'] as const) {
        const { b, lose, spoil, repair } = await start()
        await b.add(4, { id: 'b' })
        const host = b.host()
        const [first, second] = await host.claim(2)
        if (first && second) await host.exchange({ settle: [host.failed(first), host.aside(second)], leave: true })
        await (how === 'gone' ? lose(test) : spoil(test, () => null))
        expect((await repair())?.damaged, how).toEqual({ [kind]: 1 })
      }
    }
  })

  it('whoever appends where a lane ended before the repair appends behind what was lost', async () => {
    const junk = () => null
    for (const [sizes, spoilt] of [
      [[3], [0]],
      [[3], []],
      [[300], [256]],
      [
        [3, 2],
        [0, 3],
      ],
      [
        [3, 2, 4],
        [0, 3],
      ],
    ] as const) {
      const { b, spoil, open, storage } = await start()
      const channel = localChannel()
      // Pages that hear nothing of each other, each of which has seen another end.
      const pages = []
      for (const size of sizes) {
        const page = open(channel)
        await page.add(size)
        pages.push(page)
      }
      for (const from of spoilt) await spoil(block(from), junk)
      await b.backend.repair?.()
      for (const [i, page] of pages.entries()) {
        const [id = ''] = await page.add([{ input: `later ${i}` }])
        expect(await page.result(id)).toBeUndefined()
      }
      const ran = await open().runAll(600)
      expect(ran.filter((input) => String(input).startsWith('later'))).toEqual(pages.map((_, i) => `later ${i}`))
      await audit(storage)
    }
  })

  it('a block that is lost while its tasks run: what they come to is recorded', async () => {
    const { b, lose, open } = await start()
    const ids = await b.add(3)
    const host = b.host()
    const claimed = await host.claim()
    await lose(block(0))
    const page = open()
    await page.backend.repair?.()
    expect((await host.complete(claimed.slice(0, 2))).dropped).toEqual([])
    await host.exchange({ settle: claimed.slice(2).map((task) => host.aside(task)) })
    expect(await page.runAll()).toEqual([])
    expect((await page.backend.results(ids)).map((result) => result?.status)).toEqual([
      'completed',
      'completed',
      'failed',
    ])
    // Its input is lost for good.
    await page.retry(ids, 0)
  })

  it('a ledger that is gone: what has ended stays so, the rest runs', async () => {
    const { b, lose, open, repair } = await start()
    const ids = await b.add(300)
    await b.add(upTo(3).map((i) => ({ input: `later ${i}`, runAt: b.now + 10 })))
    const host = b.host()
    await host.complete(await host.claim(100))
    await b.cancel(ids.slice(200, 210))
    await host.claim(20)
    await lose(ledger)
    const page = open()
    expect(await page.counts()).toEqual({ available: 190, scheduled: 3, completed: 100, cancelled: 10 })
    page.now += MINUTE
    expect((await page.runAll(500)).length).toBe(193)
    expect(await repair()).toEqual(nothing)
  })

  it('a ledger whose head was moved back, or its counts: nothing runs twice', async () => {
    for (const change of [
      (l: Ledger) => l.lanes.map((lane) => Object.assign(lane, { head: 0, block: 0 })),
      (l: Ledger) => l.lanes.map((lane) => Object.assign(lane, { head: 1_000_000 })),
      (l: Ledger) => l.lanes.map((lane) => Object.assign(lane, { skips: 7 })),
      (l: Ledger) => Object.assign(l, { aside: { 0: { ready: 5, waiting: 0, nextAt: 0 } } }),
      (l: Ledger) => Object.assign(l, { ended: { completed: 'x', failed: 0, cancelled: 0 } }),
      (l: Ledger) =>
        l.lanes.push({
          ...(l.lanes[0] ?? { lane: 0, priority: 0, held: false }),
          lane: 5,
          head: 0,
          block: 0,
          skips: 0,
          sweep: 0,
        }),
    ]) {
      const { b, spoil, open, events } = await start()
      await b.add(100)
      const host = b.host()
      await host.complete(await host.claim(50))
      await spoil(ledger, (record) => {
        if (isLedger(record)) change(record)
        return record
      })
      expect(await open().runAll()).toEqual(upTo(50).map((i) => 50 + i))
      expect(await b.counts()).toEqual({ completed: 100 })
      expect(events).toHaveLength(1)
    }
  })

  it('a time far in the future, where tasks are due', async () => {
    const { b, spoil, open } = await start()
    await b.add([{ runAt: b.now + 10 }])
    await spoil(ledger, (record) => {
      if (isLedger(record)) for (const count of Object.values(record.aside)) count.nextAt = 1e15
      return record
    })
    const page = open()
    page.now += MINUTE
    expect(await page.runAll()).toEqual([0])
  })

  it('what a host holds cannot be read: it is fenced, and its tasks run again', async () => {
    const { b, spoil, open } = await start()
    await b.add(4)
    const host = b.host()
    const claimed = await host.claim()
    await spoil(ledger, (record) => {
      if (isLedger(record))
        for (const entry of Object.values(record.hosts)) entry.parts = new Float64Array(5).fill(Number.NaN)
      return record
    })
    const page = open()
    expect((await page.runAll()).sort()).toEqual([0, 1, 2, 3])
    expect((await host.complete(claimed)).fenced).toBe(true)
  })

  it('an outcome that is gone: the task has failed as damaged and does not run again', async () => {
    const { b, lose, open } = await start()
    const ids = await b.add(10, { id: 'b' })
    const host = b.host()
    for (const task of await host.claim(4)) await host.complete([task])
    await host.exchange({ leave: true })
    await lose(outcome)
    b.now += 10 * MINUTE
    const page = open()
    page.now = b.now
    await page.prune()
    expect(await page.runAll()).toEqual([4, 5, 6, 7, 8, 9])
    expect(await page.result(ids[0] ?? '')).toMatchObject({ status: 'failed', error: { code: 'damaged' } })
    expect(await page.backend.batch('b')).toMatchObject({ completed: 9, failed: 1 })
    expect(inputs(await page.list('failed'))).toEqual([0])
  })

  it('an outcome of which a part cannot be read keeps the rest', async () => {
    const { b, spoil, open } = await start()
    const ids = await b.add(3)
    await b.runAll()
    await spoil(outcome, (record) => ({ ...record, times: 'noon', attempts: [-1], name: 7 }))
    const results = await open().backend.results(ids)
    expect(results.map((result) => result?.status === 'completed' && result.value)).toEqual([0, 1, 2])
  })

  it('an outcome that cannot be read at all is a failure, once', async () => {
    const { b, spoil, open, repair } = await start()
    const ids = await b.add(3)
    await b.runAll()
    await spoil(outcome, (record) => ({ ...record, kinds: [9] }))
    const page = open()
    expect((await page.backend.results(ids)).map((result) => result?.status)).toEqual(['failed', 'failed', 'failed'])
    expect(await page.counts()).toEqual({ failed: 3 })
    expect(await repair()).toEqual(nothing)
    // What it did is not known, but its input is: it may be tried again.
    await page.retry(ids, 3)
    expect(await page.runAll()).toEqual([0, 1, 2])
  })

  it('an outcome of tasks that were enqueued apart: it tells their times, or its first one, or nothing', async () => {
    const { b, spoil, open } = await start()
    const ids: string[] = []
    for (let i = 0; i < 3; i++, b.now += 1_000) ids.push(...(await b.add(1)))
    await b.runAll()
    await spoil(outcome, (record) => ({ ...record, enqueued: [1, 2, 3] }))
    const first = { status: 'completed', enqueuedAt: NOW }
    expect(await open().backend.results(ids)).toMatchObject([first, first, first])
    // Where it began can't be read either: it may have been in any of the blocks before its last.
    await spoil(outcome, (record) => ({ to: record.to }))
    const page = open()
    expect((await page.backend.results(ids)).map((result) => result?.status)).toEqual(['failed', 'failed', 'failed'])
    expect(await page.counts()).toEqual({ failed: 3 })
  })

  it('a task aside without the mark of its gate, or the reverse, runs', async () => {
    for (const kind of ['gate', 'aside']) {
      for (const gate of [undefined, 'handler:work']) {
        const { b, lose, open } = await start()
        await b.add(1)
        const host = b.host()
        const [task] = await host.claim()
        if (task) await host.exchange({ settle: [host.aside(task, gate ? { gate } : {})], leave: true })
        await lose(mark(kind))
        const page = open()
        if (gate) expect(inputs(await page.list('blocked'))).toEqual([0])
        await page.change({ type: 'open-gate', gate: 'handler:work', now: page.now })
        expect(await page.runAll()).toEqual([0])
      }
    }
  })

  it('a skip that is gone: what was cancelled does not run', async () => {
    const { b, lose, open } = await start()
    const ids = await b.add(5)
    await b.cancel(ids.slice(2, 3))
    await lose(mark('aside'))
    expect(await open().runAll()).toEqual([0, 1, 3, 4])
  })

  it('the mark of a batch that is gone is made again, and the batch ends', async () => {
    const { b, lose, open } = await start()
    const ids = await b.add(300, { id: 'b' })
    const host = b.host()
    await host.complete(await host.claim(100))
    await host.fail(await host.claim(10))
    await b.cancel(ids.slice(200, 205))
    await lose(mark('batch'))
    const page = open()
    expect(await page.backend.batch('b')).toMatchObject({
      total: 300,
      completed: 100,
      failed: 10,
      cancelled: 5,
      open: false,
    })
    await page.runAll(300)
    expect(await page.backend.batch('b')).toMatchObject({ done: 300, endedAt: NOW })
  })

  it('a batch whose id was used before keeps nothing of the one that was pruned, whatever is damaged', async () => {
    const blocksOnly: Damaged = async ({ lose, spoil }) => {
      await lose(mark('part'))
      await spoil(mark('batch'), () => null)
    }
    const damaged: [Damaged, Damaged][] = [
      // Its own mark …
      [none, ({ spoil }) => spoil(mark('batch'), () => null)],
      [none, ({ spoil }) => spoil(mark('batch'), (record) => ({ ...record, total: 'x' }))],
      [none, ({ lose }) => lose(mark('batch'))],
      // … and where its tasks lie.
      [
        none,
        async ({ lose, spoil }) => {
          await lose(mark('part'))
          await spoil(mark('batch'), (record) => ({ ...record, total: 'x' }))
        },
      ],
      [none, blocksOnly],
      // What an earlier repair put in place is of the earlier batch.
      [
        async ({ lose, repair }) => {
          await lose(block(0))
          await repair()
        },
        ({ lose }) => lose(mark('part')),
      ],
    ]
    // Where nothing but the blocks is left, the latest time is believed, whatever the clock did.
    const backs = (then: Damaged) => (then === blocksOnly ? [0] : [0, -MINUTE])
    const runs = damaged.flatMap(([first, then]) => backs(then).map((back) => [first, then, back] as const))
    for (const [first, then, back] of runs) {
      const database = await start()
      const { b, open, repair } = database
      await b.add(3, { id: 'b' })
      await first(database)
      await b.runAll()
      b.now += YEAR
      await b.prune()
      expect(await b.backend.batch('b')).toBeUndefined()
      const page = open()
      const createdAt = back === 0 ? page.now : NOW + back
      page.now = createdAt
      await page.add(2, { id: 'b' })
      await then(database)
      page.now++
      await repair()
      expect(await page.backend.batch('b')).toMatchObject({ total: 2, done: 0, createdAt })
      await page.runAll()
      expect(await page.backend.batch('b')).toMatchObject({ total: 2, completed: 2, endedAt: page.now })
    }
  })

  it('the mark of a batch that is gone, and the last of its blocks: the others still count for it', async () => {
    const { b, lose, open } = await start()
    await b.add(3, { id: 'b', open: true })
    b.now++
    await b.add(2, { id: 'other' })
    await b.add(3, { id: 'b', offset: 3 })
    await b.add(2, { id: 'another' })
    await lose(
      ({ store, key, record }) => mark('batch')({ store, key, record }) && Array.isArray(key) && key[1] === 'b',
    )
    await lose(block(5))
    const page = open()
    await page.runAll()
    expect(await page.backend.batch('b')).toMatchObject({ total: 6, completed: 3, failed: 3, createdAt: NOW })
  })

  it('the mark of a pipeline that is gone is made again with its stages, and its items go on', async () => {
    const { b, lose, open } = await start()
    const zero = { completed: 0, failed: 0, dropped: 0, cancelled: 0 }
    const stages = [
      { kind: 'map' as const, name: 'work', ...zero },
      { kind: 'filter' as const, field: 'ok', ...zero },
      { kind: 'map' as const, name: 'two', ...zero },
    ]
    await b.add(4, { id: 'p', stages })
    const host = b.host()
    const claimed = await host.claim(4)
    await host.exchange({ settle: claimed.slice(0, 2).map((task, i) => host.done(task, { value: { ok: i === 0 } })) })
    await lose(mark('batch'))
    await host.exchange({ settle: claimed.slice(2).map((task) => host.done(task, { value: { ok: true } })) })
    await host.exchange({ leave: true })
    expect((await open().runAll()).length).toBe(3)
    const batch = await b.backend.batch('p')
    expect(batch).toMatchObject({ total: 4, completed: 3, dropped: 1, done: 4, endedAt: NOW })
    expect(batch?.stages).toMatchObject([{ completed: 4 }, { completed: 3, dropped: 1 }, { completed: 3 }])
  })

  it('the mark of a part that is gone is made again: every input has its place', async () => {
    const { b, lose } = await start()
    for (const [i, offset] of [0, 100, 200].entries()) {
      await b.add(100, { id: 'b', offset, open: true })
      await b.add([{ priority: i }])
    }
    const parts = await b.all('parts', { batch: 'b', stage: 0, limit: 10 })
    await lose(({ store, key }) => mark('part')({ store, key, record: 0 }) && Array.isArray(key) && key[3] === 100)
    expect(await b.all('parts', { batch: 'b', stage: 0, limit: 10 })).toEqual(parts)
  })

  it('the marks of lanes and of failed tasks are made again', async () => {
    const { b, lose, storage, repair } = await start()
    await b.add(3)
    const host = b.host()
    await host.fail(await host.claim())
    const before = await everything(storage)
    await lose(mark('lane'))
    await lose(mark('dead'))
    expect(await repair()).toEqual({ damaged: { lane: 1, dead: 1 }, failed: 0, returned: 0 })
    expect(await everything(storage)).toEqual(before)
  })

  it('the root that is gone, or cannot be read: ids stay valid', async () => {
    for (const change of [undefined, () => null, () => ({ origin: 7 }), (r: object) => ({ ...r, nextLane: 0 })]) {
      const { b, lose, spoil, open } = await start()
      const [id = ''] = await b.add(1)
      await (change ? spoil(root, change) : lose(root))
      const page = open()
      const [other = ''] = await page.add([{ queue: 'new' }])
      await page.runAll()
      expect((await page.result(id))?.status).toBe('completed')
      expect((await page.result(other))?.status).toBe('completed')
    }
  })

  it('a lane whose mark names no queue, and whose ledger is gone: its tasks run, and the root stays the root', async () => {
    const { b, lose, spoil, open } = await start()
    const [id = ''] = await b.add(1)
    await lose(ledger)
    await spoil(mark('lane'), (lane) => ({ ...lane, queue: '' }))
    const page = open()
    await page.runAll()
    expect((await page.result(id))?.status).toBe('completed')
  })

  it('keys that are none of ours are removed where they would be read, and marks of unknown kinds stay', async () => {
    const { b, storage, open, at } = await start()
    await b.add(3)
    const keys: [Stored['store'], Key][] = [
      ['blocks', [0, 'x']],
      ['blocks', [0, 1e12]],
      ['blocks', [77, 0]],
      ['blocks', 5],
      ['outcomes', [0, 1e15]],
      ['outcomes', [0, [1]]],
      ['ledger', ['default']],
      ['ledger', 'x'],
      ['marks', ['aside', 0, 'x']],
      ['marks', ['gate', 'default', 0, 0, 0, 1]],
      ['marks', ['lane', 1e9]],
    ]
    if (storage instanceof IndexedDBStorage) {
      keys.push(
        ['blocks', [0, new Date(0)]],
        ['ledger', new ArrayBuffer(2)],
        ['marks', ['dead', 'default', new Date(1)]],
      )
    }
    await write(storage, ...keys.map(([store, key]) => ({ kind: 'put' as const, store, key, record: { junk: true } })))
    await write(storage, { kind: 'put', store: 'marks', key: ['newer', 1], record: 'kept' })
    const page = open()
    expect(await page.runAll()).toEqual([0, 1, 2])
    await page.backend.repair?.()
    for (const [store, key] of keys) expect(await at(store, key), `${store} ${JSON.stringify(key)}`).toBeUndefined()
    expect(await at('marks', ['newer', 1])).toBe('kept')
  })

  it('records that have changed places are not taken for each other', async () => {
    const { b, storage, open } = await start()
    const swap = async (test: (stored: Stored) => boolean) => {
      const [one, other] = (await everything(storage)).filter(test)
      if (!one || !other) throw new Error('There are no two of them.')
      const put = ({ store, key }: Stored, record: unknown) => ({ kind: 'put' as const, store, key, record })
      await write(storage, put(one, other.record), put(other, one.record))
    }
    await b.add(10, { id: 'a' })
    await b.add(20, { id: 'b' })
    await b.add([{ queue: 'q', input: 'q' }])
    await swap(mark('batch'))
    expect(await open().backend.batch('a')).toMatchObject({ id: 'a', total: 10 })
    expect(await open().backend.batch('b')).toMatchObject({ id: 'b', total: 20 })
    await swap(ledger)
    expect(await open().counts('q')).toEqual({ available: 1 })
    await swap(({ store, key }) => store === 'blocks' && Array.isArray(key) && key[0] === 0)
    expect(await open().runAll()).toEqual(['q'])
    expect(await b.counts()).toEqual({ completed: 1, failed: 30 })
  })

  it('two lanes for one priority: the tasks of both run', async () => {
    const { b, spoil, open } = await start()
    await b.add([{ priority: 0 }, { input: 1, priority: 5 }])
    await spoil(ledger, (record) => {
      if (!isLedger(record)) return record
      for (const lane of record.lanes) lane.priority = 0
      return sealed(record)
    })
    await spoil(
      ({ store, key }) => store === 'marks' && JSON.stringify(key) === '["lane",1]',
      (record) => ({ ...record, priority: 0 }),
    )
    expect(await open().runAll()).toEqual([1, 0])
  })
})

it('damage that cannot be mended is an error, not a loop', async () => {
  const memory = new MemoryStorage()
  let repairs = 0
  const storage: Storage = {
    open: () => memory.open(),
    close: () => memory.close(),
    get generation() {
      return memory.generation
    },
    run(plan, options) {
      // A disk that takes no more writes, and does not say so.
      return memory.run(function* () {
        const end = yield* plan()
        if (!broken) return end
        repairs++
        return { ...end, writes: [] }
      }, options)
    },
  }
  let broken = false
  const backend = new LocalBackend({ storage, channel: localChannel() })
  await backend.add([{ queue: 'q', name: 'n', input: 1, priority: 0 }], { now: 1 })
  broken = true
  await write(memory, { kind: 'put', store: 'ledger', key: 'q', record: 'junk' })
  const refused = backend.counts()
  await expect(refused).rejects.toThrow(StorageError)
  await expect(refused).rejects.toMatchObject({ code: 'broken', message: expect.stringContaining("kind 'ledger'") })
  expect(repairs).toBe(3)
})

it('everyone who meets the damage waits for one repair, which tells nothing of the tasks', async () => {
  const storage = new MemoryStorage()
  const channel = localChannel()
  const messages: string[] = []
  channel.listen((hint) => hint.type === 'storage' && messages.push(hint.message))
  const first = new LocalBackend({ storage, channel })
  await first.add([{ queue: 'secret-queue', name: 'secretName', input: 'secret input', priority: 0 }], { now: 1 })
  await write(storage, { kind: 'put', store: 'ledger', key: 'secret-queue', record: 'junk' })
  const backend = new LocalBackend({ storage, channel })
  await Promise.all([backend.counts(), backend.counts(), backend.read('tasks', { state: 'available', limit: 1 })])
  await Promise.resolve()
  expect(messages).toEqual(['Stored records were damaged (1 × ledger). They are mended.'])
})

it('TaskQueue.repair() mends what nobody has met yet', async () => {
  const storage = new MemoryStorage()
  const queue = new TaskQueue({ backend: new LocalBackend({ storage, channel: localChannel() }) })
  await queue.enqueue('work', 1)
  expect(await queue.repair()).toEqual(nothing)
  await write(storage, { kind: 'delete', store: 'marks', key: ['lane', 0] })
  expect(await queue.repair()).toEqual({ damaged: { lane: 1 }, failed: 0, returned: 0 })
  await queue.close()
  await expect(queue.repair()).rejects.toMatchObject({ code: 'closed' })
})

it('a worker goes on: damage in the middle of its work costs what was damaged, and nothing else', async () => {
  for (const spoil of [ledger, block(256), mark('batch'), mark('part')]) {
    const world = new World()
    const tab = world.tab()
    await tab.worker.start()
    const ids = await world.add(
      upTo(300).map(() => ({ do: 'ok' })),
      { batch: { id: 'b', offset: 0, open: false }, silent: true },
    )
    const [hit] = (await everything(world.storage)).filter(spoil)
    if (hit) await write(world.storage, { kind: 'put', store: hit.store, key: hit.key, record: 'junk' })
    world.channel.post({ type: 'added', queues: ['default'] })
    const states = await world.ended(ids)
    expect(states.filter((state) => state === 'failed').length).toBe(hit?.store === 'blocks' ? 44 : 0)
    const batch = new TaskQueue({ backend: world.backend, clock: world.clock })
    const collected = (await batch.batch('b'))?.collect()
    expect(await collected).toHaveLength(300)
    expect(world.hints).toContainEqual(expect.objectContaining({ type: 'storage', event: 'damaged' }))
    await world.end()
  }
})

// Made with fake-indexeddb; unreadable.node.test.ts loses such a record in a real Chromium.
describe('records that the browser itself cannot read', () => {
  beforeEach(({ skip }) => skip(typeof document !== 'undefined', 'it takes fake-indexeddb'))

  /** Requests for such a record fail, and with them their transaction, until something else is stored there. */
  function unreadable(test: (record: object) => boolean): void {
    const clone = globalThis.structuredClone
    // fake-indexeddb copies what it has stored when it is asked for.
    vi.stubGlobal('structuredClone', (value: unknown, options?: StructuredSerializeOptions) => {
      if (typeof value === 'object' && value !== null && test(value)) {
        throw new DOMException('Data lost due to missing file.', 'NotReadableError')
      }
      return clone(value, options)
    })
    onTestFinished(() => {
      vi.unstubAllGlobals()
    })
  }
  const start = () => begin(new IndexedDBStorage({ name: crypto.randomUUID() }))

  it('a block: its tasks fail as damaged, the others run, and one event tells', async () => {
    const { b, open, events } = await start()
    const ids = await b.add(600)
    unreadable((record) => 'inputs' in record && 'from' in record && record.from === 256 && !('lost' in record))
    expect(await open().runAll(600)).toEqual([...upTo(256), ...upTo(88).map((i) => 512 + i)])
    expect(await b.result(ids[300] ?? '')).toMatchObject({ status: 'failed', error: { code: 'damaged' } })
    expect(events).toEqual([
      'damaged: Stored records were damaged (1 × block). They are mended: 256 tasks have failed because of it.',
    ])
  })

  it('an outcome: its tasks have failed as damaged', async () => {
    const { b, open, events } = await start()
    const ids = await b.add(3)
    await b.runAll()
    unreadable((record) => 'kinds' in record && 'values' in record)
    const page = open()
    expect((await page.backend.results(ids)).map((result) => result?.status)).toEqual(['failed', 'failed', 'failed'])
    expect(await page.counts()).toEqual({ failed: 3 })
    expect(events).toHaveLength(1)
  })

  it('the last block, where it is looked for from the end', async () => {
    const { b, open } = await start()
    await b.add(2)
    unreadable((record) => 'inputs' in record && !('lost' in record) && Reflect.get(record, 'from') === 0)
    const page = open()
    const [later = ''] = await page.add(1)
    await page.runAll()
    expect((await page.result(later))?.status).toBe('completed')
  })
})
