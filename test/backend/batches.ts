import { describe, expect, it } from 'vitest'
import { inputs, type Kit, start, upTo } from './bench.js'

export function batchTests(kit: Kit): void {
  describe('batches', () => {
    it('are made with their first chunk and end with their last task', async () => {
      const b = await start(kit)
      await b.add(3, { id: 'b', queue: 'q', open: true })
      const counts = { completed: 0, failed: 0, cancelled: 0, dropped: 0 }
      const made = { id: 'b', queue: 'q', createdAt: b.now, ...counts }
      expect(await b.backend.batch('b')).toEqual({ ...made, total: 3, imported: 3, done: 0, open: true })
      b.now += 10
      await b.add(2, { id: 'b', offset: 3 })
      expect(await b.backend.batch('b')).toEqual({ ...made, total: 5, imported: 5, done: 0, open: false })
      const host = b.host()
      const claimed = await host.claim()
      expect((await host.complete(claimed.slice(0, 3))).batches).toEqual(['b'])
      expect(await b.backend.batch('b')).toMatchObject({ completed: 3, done: 3 })
      await b.cancel(
        claimed.slice(3, 4).map(({ id }) => id),
        1,
      )
      expect(await b.backend.batch('b')).not.toHaveProperty('endedAt')
      b.now += 10
      await host.fail(claimed.slice(4))
      const ended = { completed: 3, cancelled: 1, failed: 1, done: 5, total: 5, endedAt: b.now }
      expect(await b.backend.batch('b')).toMatchObject(ended)
      b.now += 10
      await b.change({ type: 'end-batch', batch: 'b', now: b.now }, 0)
      expect(await b.backend.batch('b')).toMatchObject(ended)
    })

    it('may be empty', async () => {
      const b = await start(kit)
      await b.add([], { id: 'empty', queue: 'q' })
      expect(await b.backend.batch('empty')).toMatchObject({
        total: 0,
        done: 0,
        open: false,
        endedAt: b.now,
        queue: 'q',
      })
      await b.add([], { id: 'open', open: true })
      expect(await b.backend.batch('open')).not.toHaveProperty('endedAt')
      await b.change({ type: 'end-batch', batch: 'open', now: b.now }, 1)
      expect(await b.backend.batch('open')).toMatchObject({ endedAt: b.now })
      await b.change({ type: 'end-batch', batch: 'nothing', now: b.now }, 0)
    })

    it('pass over inputs that are stored already', async () => {
      const b = await start(kit)
      const words = 'abcdefgh'.split('').map((input) => ({ input }))
      const first = await b.added(words.slice(0, 4), { id: 'b', open: true })
      expect(first.every((id) => id !== undefined)).toBe(true)
      expect(await b.added(words.slice(0, 4), { id: 'b', open: true })).toEqual(Array(4).fill(undefined))
      const second = await b.added(words.slice(2, 6), { id: 'b', offset: 2, open: true })
      expect(second.map((id) => id !== undefined)).toEqual([false, false, true, true])
      const third = await b.added(words.slice(6), { id: 'b', offset: 6 })
      expect(new Set([...first, ...second, ...third].filter((id) => id !== undefined)).size).toBe(8)
      expect(await b.added(words, { id: 'b' })).toEqual(Array(8).fill(undefined))
      expect(await b.runAll(3)).toEqual(inputs(words))
      expect(await b.backend.batch('b')).toMatchObject({ total: 8, completed: 8, endedAt: b.now })
    })

    it('take tasks that are alike at once, and tell how many they had', async () => {
      const b = await start(kit)
      const like = { queue: 'q', name: 'work', priority: 3, settings: { timeout: 7 } }
      const add = (offset: number, to: number, open = true) => {
        const inputs = upTo(to - offset).map((i) => ({ n: offset + i }))
        const batch = { id: 'b', queue: 'q', offset, open }
        return b.backend.addAlike({ ...like, inputs, sizes: inputs.map(() => 20) }, { now: b.now, batch })
      }
      expect(await add(0, 300)).toBe(0)
      expect(await add(0, 300)).toBe(300)
      expect(await add(200, 600)).toBe(100)
      expect(await add(600, 600, false)).toBe(0)
      expect(await add(600, 700)).toBe(100)
      expect(await b.backend.batch('b')).toMatchObject({ total: 600, imported: 600, open: false })
      const claimed = await b.host().claim(1_000)
      expect(claimed.map(({ input }) => input)).toEqual(upTo(600).map((n) => ({ n })))
      for (const task of claimed) expect(task).toMatchObject(like)
      const parts = await b.backend.read('parts', { batch: 'b', stage: 0, limit: 10 })
      expect(parts.items.map(({ start, from, to }) => [start, to - from])).toEqual([
        [0, 300],
        [300, 300],
      ])
    })

    it('wait for their time, alike or not', async () => {
      const b = await start(kit)
      const runAt = b.now + 1_000
      const alike = { queue: 'q', name: 'work', priority: 0, runAt, inputs: upTo(600), sizes: upTo(600).map(() => 8) }
      await b.backend.addAlike(alike, { now: b.now, batch: { id: 'b', queue: 'q', offset: 0, open: false } })
      const host = b.host()
      expect(await host.claim(1_000)).toEqual([])
      expect(await b.backend.counts('q')).toMatchObject({ scheduled: 600, available: 0 })
      b.now = runAt
      expect(inputs(await host.claim(1_000))).toEqual(upTo(600))
    })

    it('take the chunks of two imports at once, each input once', async () => {
      const b = await start(kit)
      const chunk = (n: number) =>
        b.added(
          upTo(10).map((i) => ({ input: n * 10 + i })),
          { id: 'b', offset: n * 10, open: n < 4 },
        )
      for (const n of upTo(5)) await Promise.all([chunk(n), chunk(n)])
      expect(await b.runAll()).toEqual(upTo(50))
    })

    it('that were cancelled take no more', async () => {
      const b = await start(kit)
      await b.add(3, { id: 'open', open: true })
      await b.add(3, { id: 'closed' })
      for (const id of ['open', 'closed']) {
        await b.change({ type: 'cancel-batch', batch: id, now: b.now, reason: 'no' }, 3)
        expect(await b.added(2, { id, offset: 3, open: true })).toEqual([undefined, undefined])
        expect(await b.backend.batch(id)).toMatchObject({ total: 3, cancelled: 3, open: false, endedAt: b.now })
      }
      await b.change({ type: 'cancel-batch', batch: 'nothing', now: b.now }, 0)
      expect(await b.counts()).toEqual({ cancelled: 6 })
    })

    it('are cancelled wherever their tasks are, and others are not', async () => {
      const b = await start(kit)
      await b.add(2)
      const ids = await b.add(
        [
          ...upTo(600).map(() => ({})),
          { runAt: b.now + 9 },
          { queue: 'other', name: 'x' },
          { priority: -1, name: 'x' },
        ],
        { id: 'b', open: true },
      )
      await b.add(2)
      const host = b.host()
      const claimed = await host.claim(30, { names: ['work'] })
      await host.exchange({
        settle: [...claimed.slice(0, 5).map((t) => host.done(t)), ...claimed.slice(5, 9).map((t) => host.aside(t))],
      })
      const before = claimed.slice(0, 5).filter(({ id }) => ids.includes(id)).length
      await b.change({ type: 'cancel-batch', batch: 'b', now: b.now, reason: 'why' }, 603 - before)
      expect(await b.backend.batch('b')).toMatchObject({
        total: 603,
        completed: before,
        cancelled: 603 - before,
        endedAt: b.now,
      })
      expect(await b.result(ids[500] ?? '')).toMatchObject({
        status: 'cancelled',
        reason: 'why',
        name: 'work',
        attempts: 0,
      })
      expect(await b.result(ids[601] ?? '')).toMatchObject({ status: 'cancelled', name: 'x' })
      const { held } = await host.exchange()
      expect(held.length).toBeLessThanOrEqual(6)
      await host.exchange({ leave: true })
      expect(await b.runAll()).toEqual([0, 1])
    })

    it('are ended by cancelling their tasks one by one, and opened by retrying one', async () => {
      const b = await start(kit)
      const ids = await b.add(3, { id: 'b' })
      await b.cancel(ids, 3)
      expect(await b.backend.batch('b')).toMatchObject({ cancelled: 3, endedAt: b.now })
      await b.retry(ids.slice(1, 2), 1)
      expect(await b.backend.batch('b')).toMatchObject({ cancelled: 2, done: 2 })
      expect(await b.backend.batch('b')).not.toHaveProperty('endedAt')
      b.now += 5
      await b.runAll()
      expect(await b.backend.batch('b')).toMatchObject({ cancelled: 2, completed: 1, endedAt: b.now })
    })

    it('are listed, the newest first, in pages', async () => {
      const b = await start(kit)
      for (const i of upTo(7)) {
        b.now += i % 2
        await b.add(1, { id: `b${i}` })
      }
      const all = await b.all('batches', { limit: 100 })
      const times = all.map(({ createdAt }) => createdAt)
      expect(times).toEqual([...times].sort((x, y) => y - x))
      for (const limit of [1, 2, 7]) expect(await b.all('batches', { limit })).toEqual(all)
      expect(all).toHaveLength(7)
    })

    it('tell how fast they go', async () => {
      const b = await start(kit)
      await b.add(20, { id: 'b' })
      const host = b.host()
      await host.complete(await host.claim(5))
      b.now += 1_000
      await host.complete(await host.claim(10))
      expect((await b.backend.batch('b'))?.pace).toEqual({ value: 10, at: b.now, since: b.now - 1_000 })
    })
  })
}
