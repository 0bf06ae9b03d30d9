import { expect, it } from 'vitest'
import { localChannel } from '../src/channel.js'
import { LocalBackend } from '../src/local.js'
import { MemoryStorage } from '../src/memory/storage.js'
import type { Plan, Storage } from '../src/storage.js'
import { Bench, inputs, upTo } from './backend/bench.js'

/** Speed is, mostly, the number of requests to the database: these are the numbers of the design, and must not grow. */

/** Counts what is asked of a storage: reads, and writes by their kind. */
class CountingStorage implements Storage {
  readonly #inner = new MemoryStorage()
  waves = 0
  /** Blocks that were read. */
  blocks = 0
  requests: string[] = []

  get generation(): number {
    return this.#inner.generation
  }
  *count<T>(plan: Plan<T>): Plan<T> {
    for (let step = plan.next(); ; step = plan.next()) {
      if (step.done) {
        this.requests.push(...step.value.writes.map(({ kind, store }) => `${kind} ${store}`))
        return step.value
      }
      if (step.value.length > 0) this.waves++
      this.requests.push(...step.value.map(({ table }) => `get ${table}`))
      yield step.value
      for (const read of step.value) if (read.table === 'block') this.blocks += read.found.length
    }
  }
  open = () => this.#inner.open()
  close = () => this.#inner.close()
  transactions = 0
  run: Storage['run'] = (plan, options) => {
    this.transactions++
    this.requests.push(...(options.first ?? []).map(({ kind, store }) => `${kind} ${store}`))
    return this.#inner.run(() => this.count(plan()), options)
  }
}

async function make() {
  const storage = new CountingStorage()
  const backend = new LocalBackend({ storage, channel: localChannel() })
  const b = new Bench({ backend, storage, repeats: false, close: () => backend.close() })
  /** What an operation asks for, sorted, and in how many waves it reads. */
  const cost = async (work: () => Promise<unknown>) => {
    storage.requests = []
    storage.waves = storage.blocks = 0
    await work()
    return { requests: storage.requests.sort(), waves: storage.waves }
  }
  return { b, backend, storage, cost }
}

it('enqueues with one request', async () => {
  const { b, cost } = await make()
  await b.add(1)
  for (let i = 0; i < 3; i++) expect(await cost(() => b.add(1))).toEqual({ requests: ['add blocks'], waves: 0 })
  expect(await cost(() => b.add(100))).toEqual({ requests: ['add blocks'], waves: 0 })
  expect((await cost(() => b.add(600))).requests).toEqual(['add blocks', 'add blocks', 'add blocks'])
})

it('stores and claims in one transaction what an idle host of the same page hears of as it is enqueued', async () => {
  const { b, backend, storage, cost } = await make()
  const host = b.host()
  for (let i = 0; i < 3; i++) {
    await b.add(1)
    await host.exchange({ settle: (await host.claim(8)).map((task) => host.done(task)), claim: { limit: 8 } })
  }
  let asked: ReturnType<typeof host.exchange> | undefined
  const begun: string[] = []
  const stop = backend.appends.listen({
    offered: () => {
      asked = host.exchange({ claim: { limit: 8 } })
    },
    begun: () => begun.push('begun'),
  })
  storage.transactions = 0
  const { requests, waves } = await cost(async () => {
    await b.add(3)
    expect((await asked)?.claimed).toHaveLength(3)
  })
  expect(requests).toEqual(['add blocks', 'get block', 'get ledger', 'put ledger'])
  expect(waves).toBe(1)
  expect(storage.transactions).toBe(1)
  expect(begun).toEqual([])
  stop()
})

it('stores a chunk of a batch with a block for each 256 tasks', async () => {
  const { b, cost } = await make()
  await b.add(1_000, { id: 'b', open: true })
  const { requests, waves } = await cost(() => b.add(1_024, { id: 'b', offset: 1_000, open: true }))
  expect(requests.filter((request) => request === 'add blocks')).toHaveLength(4)
  expect(requests.filter((request) => request !== 'add blocks')).toEqual(['get batch', 'put marks', 'put marks'])
  expect(waves).toBe(1)
})

it('settles and claims 128 of a batch with 6 requests, a block read for each 256 tasks, an outcome for each block', async () => {
  const { b, cost } = await make()
  await b.add(128 * 60, { id: 'b' })
  const host = b.host()
  let held = await host.claim(256)
  const costs = []
  for (let i = 0; i < 40; i++) {
    const done = held.slice(0, 128)
    const settle = done.map((task) => host.done(task))
    costs.push(
      await cost(async () => {
        const { claimed } = await host.exchange({ settle, claim: { limit: 128 } })
        expect(claimed).toHaveLength(128)
        held = [...held.slice(128), ...claimed]
      }),
    )
  }
  const steady = costs.slice(4)
  const blockReads = steady.flatMap(({ requests }) => requests.filter((request) => request === 'get block'))
  expect(blockReads.length).toBeLessThanOrEqual(steady.length / 2 + 1)
  for (const { requests, waves } of steady) {
    const others = requests.filter((request) => request !== 'get block')
    expect(others).toEqual(['get batch', 'get ledger', 'put ledger', 'put marks', 'put outcomes'])
    expect(waves).toBe(1)
  }
})

it('settles and claims 256 that were stored one by one with 4 requests: one outcome, and no block is read twice', async () => {
  const { b, storage, cost } = await make()
  for (let i = 0; i < 256 * 12; i++) await b.add([{ input: i }])
  const host = b.host()
  let held = [...(await host.claim(256)), ...(await host.claim(256))]
  for (let i = 0; i < 10; i++) {
    const done = held.slice(0, 256)
    const settle = done.map((task) => host.done(task))
    const { requests, waves } = await cost(async () => {
      const { claimed } = await host.exchange({ settle, claim: { limit: 256 } })
      expect(inputs(claimed)).toEqual(upTo(256).map((input) => 256 * (i + 2) + input))
      held = [...held.slice(256), ...claimed]
    })
    expect(requests).toEqual(['get block', 'get ledger', 'put ledger', 'put outcomes'])
    expect([waves, storage.blocks]).toEqual([1, 256])
  }
})

it('exchanges one task at a time with 6 requests', async () => {
  const { b, cost } = await make()
  await b.add(600, { id: 'b' })
  const host = b.host()
  let held = await host.claim(1)
  for (let i = 0; i < 500; i++) {
    const { requests, waves } = await cost(async () => {
      held = (await host.exchange({ settle: held.map((task) => host.done(task)), claim: { limit: 1 } })).claimed
    })
    expect(held).toHaveLength(1)
    expect(requests.length).toBeLessThanOrEqual(6)
    expect(waves).toBe(1)
  }
})

it('writes nothing when there is nothing to do', async () => {
  const { b, cost } = await make()
  await b.add(1)
  const host = b.host()
  await host.complete(await host.claim())
  await host.exchange({ claim: { limit: 5 } })
  expect(await cost(() => host.exchange({ claim: { limit: 5 } }))).toEqual({
    requests: ['get block', 'get ledger'],
    waves: 1,
  })
})

it('reads a result with one request, neighbours with two, whatever the database holds', async () => {
  const { b, backend, cost } = await make()
  const ids = await b.add(2_000)
  const host = b.host()
  for (let claimed = await host.claim(128); claimed.length > 0; claimed = await host.claim(128))
    await host.complete(claimed)
  expect(await cost(() => backend.results(ids.slice(700, 701)))).toEqual({ requests: ['get outcome'], waves: 1 })
  expect(await cost(() => backend.results(ids.slice(700, 900)))).toEqual({
    requests: ['get outcome', 'get outcome'],
    waves: 1,
  })
  expect((await cost(() => backend.get(ids.slice(700, 701)))).requests.length).toBeLessThanOrEqual(4)
})

it('gives back hundreds of tasks in one mark', async () => {
  const { b, cost } = await make()
  await b.add(500)
  const host = b.host()
  const claimed = await host.claim(400)
  const { requests } = await cost(() => host.exchange({ settle: claimed.map((task) => host.aside(task)) }))
  expect(requests.filter((request) => request === 'put marks')).toHaveLength(2)
  expect(requests.length).toBeLessThanOrEqual(6)
})

it('passes over hundreds that must wait in a few waves, and claims no more than it is asked for', async () => {
  const { b, cost } = await make()
  await b.add(417)
  const crowd = b.host()
  const [last, ...rest] = await crowd.claim(417)
  // Of tasks that crashed once a host takes 16, until they have ended. No two neighbours share a mark.
  const settle = rest.map((task, i) => crowd.aside(task, { crashes: 1, attempt: 1 + (i % 2) }))
  if (last) settle.push(crowd.aside(last, { order: b.now }))
  await crowd.exchange({ settle })
  const host = b.host()
  expect(inputs(await host.claim(16))).toEqual(upTo(16).map((i) => 1 + i))
  let claimed: unknown[] = []
  const { waves } = await cost(async () => {
    claimed = inputs(await host.claim(1))
  })
  expect(claimed).toEqual([0])
  expect(waves).toBeLessThanOrEqual(8)
  expect(await b.counts()).toEqual({ available: 400, running: 17 })
})

it('reads no more than it claims of what goes on together, however many those are, each in a block of its own', async () => {
  const { b, storage, cost } = await make()
  for (let i = 0; i < 600; i++) await b.add([{ name: i < 300 ? 'later' : 'never' }])
  const early = b.host()
  const settle = (await early.claim(600)).map((task) => early.aside(task, { gate: 'online' }))
  await early.exchange({ settle })
  await b.change({ type: 'open-gate', gate: 'online', limit: 1_000, now: b.now }, 600)
  const host = b.host()
  const names = ['later']
  for (let from = 0; from < 300; from += 4) {
    const { waves } = await cost(async () => {
      expect(await host.claim(4, { names })).toHaveLength(4)
    })
    expect(storage.blocks).toBeLessThanOrEqual(8)
    expect(waves).toBeLessThanOrEqual(4)
  }
  // What is parked on the way is looked at as a whole.
  const { waves } = await cost(() => host.claim(4, { names }))
  expect(waves).toBeLessThanOrEqual(8)
  expect(await b.counts()).toEqual({ running: 300, blocked: 300 })
})
