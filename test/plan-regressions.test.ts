import { expect, it } from 'vitest'
import { localChannel } from '../src/channel.js'
import { LocalBackend } from '../src/local.js'
import { MemoryStorage } from '../src/memory/storage.js'
import { sealed } from '../src/plan/ledger.js'
import { allLedgers, one, put, range, remove } from '../src/plan/tables.js'
import type { Read, Storage } from '../src/storage.js'
import { start as begin, inputs, upTo } from './backend/bench.js'
import { audit } from './support/audit.js'

const MINUTE = 60_000

/** Counts the requests that a storage is asked for, by store. */
function counting(storage: Storage) {
  const log: string[] = []
  let waves = 0
  const run: Storage['run'] = (plan, options) =>
    storage.run(function* () {
      const steps = plan()
      let step = steps.next()
      while (!step.done) {
        waves++
        log.push(...step.value.map((read: Read) => `read ${read.store}`))
        yield step.value
        step = steps.next()
      }
      log.push(...step.value.writes.map((write) => `${write.kind} ${write.store}`))
      return step.value
    }, options)
  const wrapped = new Proxy(storage, {
    get: (target, key) => {
      if (key === 'run') return run
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const take = () => {
    const taken = { log: log.splice(0), waves }
    waves = 0
    return taken
  }
  return { wrapped, take }
}

const start = async () => {
  const storage = new MemoryStorage()
  const { wrapped, take } = counting(storage)
  const make = () => new LocalBackend({ storage: wrapped, channel: localChannel() })
  const backend = make()
  const b = await begin({ make: async () => ({ backend, storage, repeats: false, close: () => backend.close() }) })
  return { b, storage, take, make, audit: () => audit(storage) }
}
type B = Awaited<ReturnType<typeof start>>['b']
const crash = async (b: B, limit: number, times = 1) => {
  for (let i = 0; i < times; i++) {
    await b.host().claim(limit)
    await b.recover(b.host())
  }
}

it('a part across the head that is given back is claimed once', async () => {
  const { b, audit } = await start()
  const ids = await b.add(10)
  const one = b.host()
  const first = await one.claim(5)
  await one.exchange({
    settle: [...first.slice(0, 3).map((t) => one.done(t)), ...first.slice(3).map((t) => one.failed(t))],
  })
  await b.cancel(ids.slice(5, 8), 3)
  await b.retry(ids.slice(3, 8), 5)
  expect(inputs(await one.claim(5))).toEqual([3, 4, 5, 6, 7])
  await audit()
  await one.exchange({ leave: true })
  await audit()
  const two = b.host()
  const again = await two.claim(3)
  await audit()
  expect(inputs([...again, ...(await two.claim(100))])).toEqual([3, 4, 5, 6, 7, 8, 9])
})

it('a twice-crashed task that gets parked does not stop the others', async () => {
  const { b } = await start()
  await b.add([{ name: 'poison' }])
  await crash(b, 9, 2)
  await b.add(3)
  const host = b.host()
  const reply = await host.exchange({ claim: { limit: 9, names: ['work'] } })
  expect([reply.parked, reply.claimed.length || reply.more]).toEqual([['poison'], 3])
})

it('what is parked on the way costs a claim nothing, and lets nobody by', async () => {
  const { b } = await start()
  const due = [...upTo(5).map((i) => ({ name: 'unknown', input: i })), ...upTo(3).map((i) => ({ input: `due ${i}` }))]
  await b.add(due.map((task, i) => ({ ...task, runAt: b.now + 1 + i })))
  b.now += 100
  await b.add([{ input: 'later' }])
  const { claimed, parked } = await b.host().exchange({ claim: { limit: 2, names: ['work'] } })
  expect([inputs(claimed), parked]).toEqual([['due 0', 'due 1'], ['unknown']])
  expect(await b.counts()).toEqual({ blocked: 5, running: 2, scheduled: 1, available: 1 })
})

it('crashed tasks that are parked leave room for those that are served', async () => {
  const { b } = await start()
  await b.add([...upTo(16).map(() => ({ name: 'unknown' })), ...upTo(4).map((i) => ({ input: i }))])
  await crash(b, 20)
  const { claimed } = await b.host().exchange({ claim: { limit: 9, names: ['work'] } })
  expect(inputs(claimed)).toEqual([0, 1, 2, 3])
  expect(await b.counts()).toEqual({ blocked: 16, running: 4 })
})

it('more, where the limit alone kept crashed tasks back', async () => {
  const { b } = await start()
  await b.add(10)
  await crash(b, 10)
  const { claimed, more } = await b.host().exchange({ claim: { limit: 4 } })
  expect([claimed.length, more]).toEqual([4, true])
})

it('follow-ups that join a batch in mid-import cost it no input', async () => {
  const { b } = await start()
  await b.add(
    upTo(3).map((i) => ({ input: `in${i}` })),
    { id: 'b', open: true },
  )
  const host = b.host()
  const [task] = await host.claim(1)
  if (!task) throw new Error('nothing was claimed')
  const followUps = upTo(2).map((i) => ({ queue: 'default', name: 'work', input: `f${i}`, priority: 0, batch: 'b' }))
  await host.exchange({ settle: [host.done(task, { followUps })] })
  await b.add(
    upTo(3).map((i) => ({ input: `in${i + 3}` })),
    { id: 'b', offset: 3 },
  )
  const all = [...(await host.claim())].map(({ input }) => input)
  expect(all.sort()).toEqual(['f0', 'f1', 'in1', 'in2', 'in3', 'in4', 'in5'])
})

it('a large value has a block of its own', async () => {
  const { b, storage } = await start()
  await b.add([{ input: 1 }, { input: 'x'.repeat(70_000) }, { input: 2 }, { input: 3 }])
  const sizes = await storage.run(
    function* () {
      const r = range('block', [0], [9])
      yield [r]
      return { writes: [], value: r.found.map(({ from, to }) => to - from) }
    },
    { stores: ['blocks'], write: false },
  )
  expect(sizes).toEqual([1, 1, 2])
})

it('tasks of a batch that was pruned count nothing in another of the same id', async () => {
  const { b } = await start()
  const ids = await b.add(3, { id: 'b' })
  const host = b.host()
  await host.fail(await host.claim())
  b.now += 10 * MINUTE
  await b.prune({ age: MINUTE })
  expect(await b.backend.batch('b')).toBeUndefined()
  await b.add(2, { id: 'b' })
  await b.retry(ids, 3)
  expect(await b.backend.batch('b')).toMatchObject({ total: 2, failed: 0, done: 0 })
  await host.complete(await host.claim(3))
  await b.cancel(ids)
  expect(await b.backend.batch('b')).toMatchObject({ total: 2, completed: 0, done: 0 })
  await b.runAll()
  expect(await b.backend.batch('b')).toMatchObject({ total: 2, completed: 2, done: 2, endedAt: b.now })
})

const lose = (storage: Storage, lane: number, last: number) =>
  storage.run(
    function* () {
      const o = one('outcome', [lane, last])
      yield [o]
      const l = allLedgers()
      const bs = range('batch', [], [[]])
      yield [l, bs]
      const found = o.found[0]
      if (!found) throw new Error('no outcome there')
      const writes = [remove('outcome', [lane, last])]
      for (const batch of bs.found)
        if (batch.id === found.batch) {
          batch.completed -= found.to - found.from
          writes.push(put('batch', batch.id, batch))
        }
      for (const ledger of l.found)
        if (ledger.lanes.some((s) => s.lane === lane)) {
          ledger.ended.completed -= found.to - found.from
          writes.push(put('ledger', ledger.queue, sealed(ledger)))
        }
      return { writes, value: undefined }
    },
    { stores: ['outcomes', 'ledger', 'marks'], write: true },
  )

it('a position that is nowhere comes back, in the last block too', async () => {
  const { b, storage } = await start()
  await b.add(5)
  const host = b.host()
  const claimed = await host.claim()
  for (const task of claimed) await host.complete([task])
  await lose(storage, 0, 2)
  b.now += 10 * MINUTE
  await b.prune()
  expect(await b.counts()).toEqual({ completed: 4, available: 1 })
  expect(await b.runAll()).toEqual([2])
})

it('a position that is nowhere comes back in a batch that cannot end without it', async () => {
  const { b, storage } = await start()
  await b.add(600, { id: 'b' })
  const host = b.host()
  const claimed = await host.claim(600)
  for (const i of [0, 256, 300, 400]) await host.complete(claimed.slice(i, i + 1))
  await lose(storage, 0, 300)
  await b.backend.prune({ now: b.now + MINUTE })
  const rest = claimed.filter((_, i) => ![0, 256, 300, 400].includes(i))
  await host.complete(rest)
  b.now += 10 * MINUTE
  await b.prune()
  await b.prune()
  expect((await b.counts()).available).toBe(1)
  expect(await b.runAll()).toEqual([300])
})

it('pruning ends in few slices with two long lanes that have much to step over', async () => {
  const { b } = await start()
  for (const queue of ['a', 'z']) await b.add(upTo(256 * 100).map(() => ({ queue })))
  const host = b.host()
  const claimed = await host.claim(256 * 200)
  await host.complete(claimed.filter(({ position }) => position % 256))
  b.now += 10 * MINUTE
  let slices = 1
  while (await b.backend.prune({ now: b.now, age: MINUTE })) slices++
  expect(slices).toBeLessThan(12)
}, 60_000)

it('counts of a pipeline stage are kept when its items go on', async () => {
  const { b } = await start()
  const zero = { completed: 0, failed: 0, dropped: 0, cancelled: 0 }
  const stages = [
    { kind: 'map' as const, name: 'work', ...zero },
    { kind: 'map' as const, name: 'two', ...zero },
  ]
  await b.add(2, { id: 'p', stages })
  const host = b.host()
  const reply = await host.complete(await host.claim())
  expect((await b.backend.batch('p'))?.stages?.[0]).toMatchObject({ completed: 2 })
  expect(reply.batches).toEqual(['p'])
})

it('settling, getting and listing read a block once, however many of its tasks', async () => {
  const { b, take, make } = await start()
  const ids = await b.add(200)
  const host = b.host()
  const claimed = await host.claim(200)
  const fresh = make()
  take()
  await fresh.get(ids)
  const got = take().log.filter((r) => r === 'read blocks').length
  const other = make()
  await other.read('tasks', { state: 'running', limit: 100 })
  const listed = take().log.filter((r) => r === 'read blocks').length
  const third = make()
  await third.exchange({
    host: host.id,
    seq: host.seq + 1,
    now: b.now,
    until: b.now,
    settle: claimed.map((t) => host.done(t)),
  })
  const settled = take().log.filter((r) => r === 'read blocks').length
  expect({ got, listed, settled }).toEqual({
    got: expect.toSatisfy((n) => n <= 2),
    listed: expect.toSatisfy((n) => n <= 2),
    settled: expect.toSatisfy((n) => n <= 2),
  })
})

it('a page of a huge cancellation is as cheap as any', async () => {
  /** The fastest ten of several, in ms: other things that the machine does meanwhile only add to the time. */
  const cancelled = async (tasks: number) => {
    const { b } = await start()
    for (let stored = 0; stored < tasks; stored += 10_000) await b.add(Math.min(tasks, 10_000))
    await b.change({ type: 'clear', now: b.now })
    const times: number[] = []
    let cursor: string | undefined
    for (let i = 0; i < 8; i++) {
      const at = performance.now()
      for (let page = 0; page < 10; page++) {
        cursor = (await b.backend.read('tasks', { state: 'cancelled', limit: 10 }, cursor)).next
      }
      times.push(performance.now() - at)
    }
    return Math.min(...times)
  }
  const [few, many] = [await cancelled(1_000), await cancelled(100_000)]
  // A browser's clock may tick no more than once a ms.
  expect(many).toBeLessThan(10 * Math.max(few, 1))
}, 60_000)

it('the line behind a long skip is found at once', async () => {
  const { b } = await start()
  const ids = await b.add(20_000)
  await b.cancel(ids.slice(0, 1))
  await b.change({ type: 'clear', now: b.now })
  await b.add([{ input: 'last' }])
  const { items } = await b.backend.read('tasks', { state: 'available', limit: 10 })
  expect(inputs(items)).toEqual(['last'])
})

it('a task that is parked keeps its last error', async () => {
  const { b } = await start()
  const [id = ''] = await b.add([{ name: 'x' }])
  const host = b.host()
  const [task] = await host.claim()
  if (!task) throw new Error('nothing was claimed')
  const error = { name: 'E', message: 'm' }
  await host.exchange({ settle: [host.aside(task, { order: b.now + 5, attempt: 2, error })] })
  b.now += 10
  await host.claim(5, { names: ['work'] })
  expect(await b.view(id)).toMatchObject({ state: 'blocked', attempt: 2, lastError: error })
})

it('an exchange on an empty or drained lane asks for it once, in the first wave', async () => {
  const { b, take } = await start()
  await b.add(300)
  const host = b.host()
  await host.complete(await host.claim(512))
  await host.claim(512)
  take()
  await host.claim(512)
  expect(take()).toEqual({ log: ['read blocks', 'read ledger'], waves: 1 })
})

it('pruned ids stay unknown to a backend that has their block cached', async () => {
  const { b } = await start()
  const ids = await b.add(300)
  await b.backend.get(ids)
  await b.change({ type: 'clear', now: b.now })
  await b.runAll()
  b.now += 10 * MINUTE
  await b.prune({ age: MINUTE })
  expect(await b.result(ids[0] ?? '')).toBeUndefined()
  expect(await b.view(ids[0] ?? '')).toBeUndefined()
  await b.retry(ids.slice(0, 1), 0)
})

it('pruned ids stay unknown even where the head has not passed them', async () => {
  const { b } = await start()
  const ids = await b.add(2, { id: 'batch' })
  await b.add(1)
  const host = b.host()
  await host.complete(await host.claim(1))
  await b.cancel(ids.slice(1))
  b.now += 10 * MINUTE
  await b.prune({ age: MINUTE })
  expect(await b.view(ids[0] ?? '')).toBeUndefined()
  expect(await b.view(ids[1] ?? '')).toBeUndefined()
})

it('batches are listed once each when one that a cursor names is pruned', async () => {
  const { b } = await start()
  for (const i of upTo(6)) {
    b.now += 1000
    await b.add(1, { id: `b${i}` })
  }
  const page = await b.backend.read('batches', { limit: 3 })
  const host = b.host()
  const claimed = await host.claim(3)
  await host.complete(claimed)
  await b.backend.prune({ now: b.now + 2 * MINUTE, age: MINUTE })
  const rest = await b.backend.read('batches', { limit: 3 }, page.next)
  expect(rest.items.map(({ id }) => id)).toEqual([])
})

it('a task put aside in the exchange whose claim passes its skip is not lost', async () => {
  const { b, audit } = await start()
  const ids = await b.add(1)
  await b.cancel(ids)
  await b.retry(ids)
  const host = b.host()
  const [task] = await host.claim(1)
  if (!task) throw new Error('nothing was claimed')
  await host.exchange({ settle: [host.aside(task)], claim: { limit: 1 } })
  await audit()
  expect(await b.runAll()).toEqual([0])
})
