import { describe, expect, it } from 'vitest'
import { inputs, type Kit, start, upTo } from './bench.js'

const MINUTE = 60_000

export function pruneTests(kit: Kit): void {
  describe('prune', () => {
    it('forgets what ended longer ago than the age, and keeps the rest', async () => {
      const b = await start(kit)
      const old = await b.add(600)
      await b.runAll(256)
      b.now += 10 * MINUTE
      const young = await b.add(600)
      await b.runAll(256)
      const waiting = await b.add(1)
      await b.prune({ age: 5 * MINUTE })
      const views = await b.backend.get([...old, ...young, ...waiting])
      // Blocks go as a whole: one may hold both.
      expect(views.slice(0, 600).every((view) => view === undefined)).toBe(true)
      expect(views.slice(600).every((view) => view !== undefined)).toBe(true)
      expect(await b.backend.results([old[3] ?? '', young[3] ?? ''])).toMatchObject([
        undefined,
        { status: 'completed' },
      ])
      expect(await b.counts()).toEqual({ completed: 600, available: 1 })
      expect(await b.list('completed', 100)).toHaveLength(600)
      expect(await b.runAll()).toEqual([0])
      await b.retry(old, 0)
      await b.cancel(old, 0)
    })

    it('forgets tasks that were enqueued apart and recorded together, up to one that waits among them', async () => {
      const b = await start(kit)
      const ids: string[] = []
      for (let i = 0; i < 100; i++) ids.push(...(await b.add([{ input: i }])))
      const host = b.host()
      const claimed = await host.claim(100)
      await host.complete(claimed.filter((_, i) => i !== 70))
      b.now += 10 * MINUTE
      await b.prune({ age: 5 * MINUTE })
      // The last block tells where the lane ends.
      expect(await b.counts()).toEqual({ completed: 1, running: 1 })
      expect(await b.states(ids.slice(69, 72))).toEqual([undefined, 'running', undefined])
      expect(await b.result(ids[99] ?? '')).toMatchObject({ status: 'completed', value: 99 })
      await host.complete(claimed.slice(70, 71))
      expect(await b.result(ids[70] ?? '')).toMatchObject({ status: 'completed', value: 70 })
    })

    it('goes on in a short lane, however many records its outcomes are', async () => {
      const b = await start(kit)
      await b.add(900)
      await b.runAll(1)
      await b.add(1)
      b.now += 10 * MINUTE
      await b.prune({ age: 5 * MINUTE })
      expect(await b.counts()).toEqual({ available: 1 })
    })

    it('keeps what ended within the last minute, whatever is asked for', async () => {
      const b = await start(kit)
      await b.add(600)
      await b.runAll()
      b.now += MINUTE - 1
      await b.prune({ age: 0, count: 0 })
      expect(await b.counts()).toEqual({ completed: 600 })
      b.now += 2
      await b.prune({ age: 0, count: 0 })
      const left = (await b.counts()).completed ?? 0
      expect(left).toBeLessThanOrEqual(256)
      await b.add([{ input: 'next' }])
      expect(await b.runAll()).toEqual(['next'])
    })

    it('keeps no more than the count, outside of batches that are kept', async () => {
      const b = await start(kit)
      await b.add(512, { id: 'b', queue: 'other' })
      await b.add(upTo(2_048).map(() => ({})))
      await b.add(1, { id: 'end' })
      const host = b.host()
      for (let claimed = await host.claim(512); claimed.length > 0; claimed = await host.claim(512))
        await host.complete(claimed)
      b.now += 2 * MINUTE
      await b.prune({ count: 1_024 })
      expect(await b.counts()).toEqual({ completed: 512 + 1 + 1_024 })
      expect(await b.backend.batch('b')).toMatchObject({ total: 512, completed: 512 })
      await b.prune({ count: 1_024 })
      expect(await b.counts()).toEqual({ completed: 512 + 1 + 1_024 })
    })

    it('counts only what is outside of batches, in whatever queue they are', async () => {
      const b = await start(kit)
      await b.add(upTo(1_024).map(() => ({ queue: 'a' })))
      await b.add(
        upTo(1_024).map(() => ({ queue: 'z' })),
        { id: 'b', queue: 'z' },
      )
      await b.runAll(512)
      b.now += 2 * MINUTE
      await b.prune({ count: 300 })
      expect((await b.counts('a')).completed).toBeLessThanOrEqual(300)
      expect(await b.counts('z')).toEqual({ completed: 1_024 })
    })

    it('keeps a batch until it has ended and the age has passed, then forgets it with its tasks', async () => {
      const b = await start(kit)
      const ids = await b.add(600, { id: 'b', open: true })
      await b.add(300)
      await b.runAll(256)
      b.now += 20 * MINUTE
      await b.prune({ age: 5 * MINUTE, count: 0 })
      expect((await b.backend.results(ids)).every((result) => result?.status === 'completed')).toBe(true)
      expect(await b.backend.batch('b')).toMatchObject({ completed: 600 })
      await b.change({ type: 'end-batch', batch: 'b', now: b.now })
      b.now += 4 * MINUTE
      await b.prune({ age: 5 * MINUTE })
      expect(await b.backend.batch('b')).toMatchObject({ completed: 600 })
      b.now += 2 * MINUTE
      await b.prune({ age: 5 * MINUTE })
      expect(await b.backend.batch('b')).toBeUndefined()
      expect((await b.backend.results(ids)).every((result) => result === undefined)).toBe(true)
      expect(await b.all('batches', { limit: 5 })).toEqual([])
      expect(await b.all('parts', { batch: 'b', stage: 0, limit: 5 })).toEqual([])
    })

    it('steps over tasks that wait or run, and comes back for them', async () => {
      const b = await start(kit)
      const ids = await b.add(256 * 40)
      const host = b.host()
      const claimed = await host.claim(256 * 40)
      const kept = new Set([3, 700, 5_000, 9_900].map((i) => ids[i]))
      await host.complete(claimed.filter(({ id }) => !kept.has(id)))
      b.now += 20 * MINUTE
      await b.prune({ age: MINUTE })
      expect(await b.counts()).toEqual({ completed: 4 * 255 + 256, running: 4 })
      const held = claimed.filter(({ id }) => kept.has(id))
      await host.exchange({ settle: held.map((task) => host.aside(task, { order: b.now + 1 })) })
      await b.prune({ age: MINUTE })
      b.now += 1
      const again = await host.claim()
      expect(inputs(again)).toEqual([3, 700, 5_000, 9_900])
      await host.complete(again)
      b.now += 20 * MINUTE
      await b.prune({ age: MINUTE })
      expect(await b.counts()).toEqual({ completed: 256 })
    }, 60_000)

    it('never brings back a cancelled task: a long cancellation is pruned block by block', async () => {
      const b = await start(kit)
      const ids = await b.add(256 * 4)
      await b.change({ type: 'clear', now: b.now }, 1_024)
      expect(await b.runAll()).toEqual([])
      await b.retry([ids[3] ?? '', ids[600] ?? ''], 2)
      b.now += 20 * MINUTE
      await b.prune({ age: MINUTE })
      await b.prune({ age: MINUTE })
      expect(await b.counts()).toEqual({ available: 2, cancelled: 255 + 255 + 256 })
      expect(await b.states([ids[4] ?? '', ids[300] ?? '', ids[601] ?? ''])).toEqual([
        'cancelled',
        undefined,
        'cancelled',
      ])
      expect(await b.result(ids[300] ?? '')).toBeUndefined()
      await b.retry([ids[300] ?? ''], 0)
      expect(await b.runAll()).toEqual([3, 600])
    })

    it('prunes every lane, delayed and failed tasks too', async () => {
      const b = await start(kit)
      for (const priority of [0, 1]) {
        await b.add(upTo(300).map(() => ({ priority })))
        await b.add(upTo(300).map((i) => ({ priority, runAt: b.now + 1 + (i % 2) })))
      }
      b.now += 10
      const host = b.host()
      await host.fail(await host.claim(2_000))
      expect(await b.list('failed', 100)).toHaveLength(1_200)
      b.now += 20 * MINUTE
      await b.prune({ age: MINUTE })
      const { failed = 0 } = await b.counts()
      expect(failed).toBeLessThanOrEqual(4 * 256)
      expect(await b.list('failed', 100)).toHaveLength(failed)
      await b.prune({ age: MINUTE })
      expect(await b.counts()).toEqual({ failed })
    })

    it('finds nothing to do in an empty database', async () => {
      const b = await start(kit)
      expect(await b.backend.prune({ now: b.now })).toBe(false)
    })
  })
}
