import { describe, expect, it, vi } from 'vitest'
import type { Claimed, Settlement } from '../../src/backend.js'
import { defineHandlers, inline, pipeline, TaskQueue, TaskWorker } from '../../src/index.js'
import type { ShardedBackend } from '../../src/sharded/backend.js'
import { shardOf } from '../../src/sharded/route.js'
import { NOW, upTo } from '../backend/bench.js'
import { audit } from '../support/audit.js'
import { failing, task } from './failing.js'

const first = (shards: readonly { backend: { counts(): Promise<{ available: number }> } }[]) =>
  Promise.all(shards.map(async ({ backend }) => (await backend.counts()).available))
const done = ({ lane, position, seq, attempt, input }: Claimed): Settlement => {
  return { lane, position, seq, to: 'completed', value: input, startedAt: NOW, finishedAt: NOW, attempt }
}

/** A host that exchanges what a test says. */
function hostOf(backend: ShardedBackend, host = crypto.randomUUID()) {
  let seq = 0
  let now = NOW
  return {
    host,
    /** ms that pass before the next exchange. */
    wait: (ms: number) => {
      now += ms
    },
    exchange: (settle: Settlement[] = [], limit = 0, leave = false) =>
      backend.exchange({
        host,
        seq: ++seq,
        now,
        until: now + 30_000,
        settle,
        ...(limit > 0 ? { claim: { limit } } : {}),
        ...(leave ? { leave } : {}),
      }),
  }
}

describe('shards', () => {
  it('share keys evenly, and a new one takes keys from all others and moves no more', () => {
    const keys = upTo(10_000).map((i) => `user-${i}`)
    const before = keys.map((key) => shardOf(key, 4))
    const after = keys.map((key) => shardOf(key, 5))
    for (const shard of upTo(4)) {
      expect(before.filter((of) => of === shard).length).toBeGreaterThan(2_300)
      expect(after.filter((of) => of === shard).length).toBeGreaterThan(1_850)
    }
    const moved = keys.flatMap((_, i) => (before[i] === after[i] ? [] : after[i]))
    expect(new Set(moved)).toEqual(new Set([4]))
  })

  it('keep the tasks of one key together, and a batch whole', async () => {
    const { shards, backend } = failing(4)
    await backend.add(
      upTo(400).map((i) => task(i % 7)),
      { now: NOW },
    )
    const spread = await first(shards)
    expect(spread.reduce((sum, n) => sum + n, 0)).toBe(400)
    expect(spread.filter((n) => n > 0).length).toBeGreaterThan(1)
    const batch = { id: 'b', queue: 'default', offset: 0, open: false }
    await backend.add(upTo(100).map(task), { now: NOW, batch })
    const grown = (await first(shards)).map((n, i) => n - (spread[i] ?? 0))
    expect(grown.filter((n) => n > 0)).toEqual([100])
    expect(await backend.batch('b')).toMatchObject({ total: 100 })
  })

  it('are found by ids that nobody has seen before, and asked for them once', async () => {
    const { shards, backend, connect } = failing(3)
    const ids = (await backend.add(upTo(30).map(task), { now: NOW })).map((id) => id ?? '')
    const other = connect()
    const unknown = 'zzzzzzzz-000-000000000'
    const views = await other.get([...ids, unknown, 'nonsense'])
    expect(views.map((view) => view?.input)).toEqual([...upTo(30), undefined, undefined])
    for (const shard of shards) shard.fate = (method) => (method === 'get' ? 'refused' : 'done')
    expect(await other.change({ type: 'cancel', ids: [...ids.slice(10)], now: NOW })).toBe(20)
    expect((await other.results(ids)).filter((result) => result?.status === 'cancelled')).toHaveLength(20)
  })

  it('do their work while one of them does not answer', async () => {
    const { shards, backend, errors } = failing(3)
    const ids = (await backend.add(upTo(30).map(task), { now: NOW })).map((id) => id ?? '')
    const [dead] = shards
    const [lost = 0, ...others] = await first(shards)
    if (!dead) throw new Error('there are three')
    dead.fate = () => 'refused'
    const host = hostOf(backend)
    const { claimed } = await host.exchange([], 30)
    expect(claimed).toHaveLength(30 - lost)
    expect(others.every((n) => n > 0)).toBe(true)
    expect((await host.exchange(claimed.map(done), 30)).fenced).toBe(false)
    expect(errors.length).toBeGreaterThan(0)
    const results = await backend.results(ids)
    expect(results.filter(Boolean)).toHaveLength(30 - lost)
    await expect(backend.counts()).rejects.toMatchObject({ code: 'unavailable' })
    await expect(backend.get(ids)).rejects.toMatchObject({ code: 'unavailable' })
    dead.fate = () => 'done'
    host.wait(60_000)
    // The first one is what was not answered before.
    await host.exchange([], 30)
    const late = await host.exchange([], 30)
    expect(late.claimed).toHaveLength(lost)
    await host.exchange(late.claimed.map(done))
    expect(await backend.counts()).toMatchObject({ completed: 30, running: 0 })
  })

  it('hear what they missed with a later exchange: no outcome is lost or recorded twice', async () => {
    const { shards, backend } = failing(3)
    await backend.add(upTo(30).map(task), { now: NOW })
    const host = hostOf(backend)
    const { claimed } = await host.exchange([], 30)
    const [one, two] = shards
    if (!one || !two) throw new Error('there are three')
    one.fate = () => 'refused'
    two.fate = () => 'lost'
    const { held } = await host.exchange(claimed.map(done))
    // Those that did not answer hold what they held, as far as is known.
    expect(held.length).toBeGreaterThan(0)
    for (const shard of shards) shard.fate = () => 'done'
    host.wait(60_000)
    expect((await host.exchange()).held).toHaveLength(0)
    expect(await backend.counts()).toMatchObject({ completed: 30, running: 0 })
    for (const { storage } of shards) await audit(storage)
  })

  it('that stay silent hold up one exchange at most, and what they claimed comes later', async () => {
    const { shards, backend } = failing(2, { patience: 20 })
    await backend.add(upTo(20).map(task), { now: NOW })
    const [one] = shards
    if (!one) throw new Error('there are two')
    one.fate = (method) => (method === 'exchange' ? 'silent' : 'done')
    const host = hostOf(backend)
    const now = await host.exchange([], 20)
    expect(now.claimed.length).toBeGreaterThan(0)
    expect(now.claimed.length).toBeLessThan(20)
    await host.exchange(now.claimed.map(done), 20)
    one.fate = () => 'done'
    const heard = vi.fn()
    backend.channel.listen(heard)
    one.answer()
    await vi.waitFor(() => expect(heard).toHaveBeenCalledWith({ type: 'changed', change: 'missed' }))
    const rest: Claimed[] = []
    for (let i = 0; rest.length + now.claimed.length < 20 && i < 10; i++) {
      rest.push(...(await host.exchange([], 20)).claimed)
    }
    await host.exchange(rest.map(done))
    expect(await backend.counts()).toMatchObject({ completed: 20, running: 0 })
  })

  it('that void a host take what it holds there and nothing else; it goes on there by another name', async () => {
    const { shards, backend } = failing(3)
    await backend.add(upTo(30).map(task), { now: NOW })
    const host = hostOf(backend)
    const { claimed } = await host.exchange([], 30)
    const [voiding] = shards
    if (!voiding) throw new Error('there are three')
    const options = { me: 'other', dead: 'others', left: [], now: NOW, maxCrashes: 3 } as const
    const taken = (await voiding.backend.recover(options)) ?? 0
    expect(taken).toBeGreaterThan(0)
    const reply = await host.exchange(claimed.map(done), 30)
    expect(reply.fenced).toBe(false)
    expect(reply.dropped).toHaveLength(taken)
    expect(await backend.counts()).toMatchObject({ completed: 30 - taken })
    const again = [...reply.claimed, ...(await host.exchange([], 30)).claimed]
    expect(again.map(({ crashes }) => crashes)).toEqual(Array(taken).fill(1))
    await host.exchange(again.map(done))
    expect(await backend.counts()).toMatchObject({ completed: 30 })
    await backend.recover(options)
    expect((await host.exchange()).fenced).toBe(true)
  })

  it('are not left before all of them have heard of it', async () => {
    const { shards, backend } = failing(2)
    await backend.add(upTo(10).map(task), { now: NOW })
    const host = hostOf(backend)
    const { claimed } = await host.exchange([], 10)
    const [one] = shards
    if (!one) throw new Error('there are two')
    one.fate = () => 'lost'
    const leave = { host: host.host, seq: 2, now: NOW, until: NOW, settle: claimed.slice(1).map(done), leave: true }
    await expect(backend.exchange(leave)).rejects.toMatchObject({ code: 'lost' })
    one.fate = () => 'done'
    await backend.exchange(leave)
    expect(await backend.counts()).toMatchObject({ completed: 9, available: 1, running: 0 })
    expect((await host.exchange()).fenced).toBe(true)
  })

  it('carry single tasks, batches and pipelines of a TaskQueue with a TaskWorker', async () => {
    const handlers = defineHandlers({
      double: (n: number) => n * 2,
      even: (n: number) => n % 2 === 0,
      chain: (n: number, ctx) => ctx.enqueue('double', n, { batch: 'chained' }),
    })
    const { shards, backend } = failing(3)
    const queue = new TaskQueue<typeof handlers>({ backend })
    const worker = new TaskWorker(queue, { executor: inline(handlers, { concurrency: 4 }) })
    await worker.start()
    const tasks = await Promise.all(upTo(20).map((n) => queue.enqueue('double', n)))
    expect(await Promise.all(tasks.map((one) => one.result()))).toEqual(upTo(20).map((n) => n * 2))
    const batch = await queue.enqueueMany('double', upTo(500), { id: 'many' })
    expect((await batch.collect()).map((result) => result.status === 'completed' && result.value)).toEqual(
      upTo(500).map((n) => n * 2),
    )
    const run = await pipeline<typeof handlers>('p')
      .map('double')
      .filter({ handler: 'even' })
      .map('double')
      .run(queue, upTo(25), { id: 'run' })
    expect((await run.collect()).map((result) => result.status === 'completed' && result.value)).toEqual(
      upTo(25).map((n) => n * 4),
    )
    const chain = await queue.enqueue('chain', 4)
    await chain.result()
    expect((await (await queue.batch('chained'))?.collect())?.map(({ status }) => status)).toEqual(['completed'])
    await worker.stop()
    await queue.close()
    for (const { storage } of shards) await audit(storage)
  })
})
