import { describe, expect, it } from 'vitest'
import { inputs, type Kit, start, upTo } from './bench.js'

const FOREIGN = 'zzzzzzzz-000-000000000'

export function changeTests(kit: Kit): void {
  describe('cancel', () => {
    it('cancels tasks in every state but the ended ones', async () => {
      const b = await start(kit)
      const [done = '', failed = '', running = '', blocked = '', waiting = ''] = await b.add([
        { input: 'done' },
        { input: 'failed' },
        { input: 'running' },
        { name: 'unknown' },
        {},
        { input: 'left' },
      ])
      const [scheduled = ''] = await b.add([{ runAt: b.now + 5 }])
      const host = b.host()
      const claimed = await host.claim(3, { names: ['work'] })
      const [one, two, three] = claimed
      if (!one || !two || !three) throw new Error('nothing was claimed')
      await host.exchange({ settle: [host.done(one), host.failed(two)] })
      await host.claim(0)
      const blockedNow = await b.host().claim(1, { names: ['work'] })
      expect(inputs(blockedNow)).toEqual([4])
      const other = await b.add([{ input: 'in line' }])
      const ids = [done, failed, running, blocked, waiting, scheduled, ...other]
      await b.cancel([...ids, ...ids, 'nonsense', FOREIGN], 5, 'why')
      const cancelled = 'cancelled'
      expect(await b.states(ids)).toEqual(['completed', 'failed', ...Array(5).fill(cancelled)])
      for (const id of ids.slice(2)) {
        expect(await b.result(id)).toMatchObject({
          status: cancelled,
          reason: 'why',
          finishedAt: b.now,
          attempts: id === running || id === waiting ? 1 : 0,
        })
      }
      await b.cancel(ids, 0)
      const late = await host.complete([three])
      expect(late.held).toHaveLength(0)
      expect(await b.runAll()).toEqual(['left'])
      expect(await b.counts()).toEqual({ completed: 2, failed: 1, cancelled: 5 })
    })

    it('cancels in the middle of the line, in any order, before and behind the head', async () => {
      const b = await start(kit)
      const ids = await b.add(700)
      const gone = new Set(upTo(700).filter((i) => i % 7 === 0 || (i > 250 && i < 520)))
      const list = [...gone].reverse()
      for (let i = 0; i < list.length; i += 60) {
        await b.cancel(list.slice(i, i + 60).map((n) => ids[n] ?? ''))
      }
      expect(await b.counts()).toEqual({ available: 700 - gone.size, cancelled: gone.size })
      expect(await b.runAll(37)).toEqual(upTo(700).filter((i) => !gone.has(i)))
    })

    it('keeps the number of attempts made', async () => {
      const b = await start(kit)
      const ids = await b.add(3)
      const host = b.host()
      const claimed = await host.claim(2)
      await host.exchange({
        settle: claimed.map((t) => host.aside(t, { order: b.now + 5, attempt: 4 - Number(t.input) })),
      })
      await b.cancel(ids, 3)
      expect((await b.backend.results(ids)).map((result) => result?.attempts)).toEqual([3, 2, 0])
    })

    it('gives no reason if there was none', async () => {
      const b = await start(kit)
      const ids = await b.add(1)
      await b.cancel(ids, 1)
      expect(await b.result(ids[0] ?? '')).not.toHaveProperty('reason')
    })
  })

  describe('clear', () => {
    it('cancels all that waits or runs, in one queue or all, and counts it in its batches', async () => {
      const b = await start(kit)
      await b.add([...upTo(300).map(() => ({})), { runAt: b.now + 5 }, { priority: 3 }])
      await b.add([{}, { queue: 'q' }, {}], { id: 'b' })
      await b.add(2, { id: 'open', open: true })
      await b.add([{ queue: 'q' }])
      const host = b.host()
      await host.complete(await host.claim(3))
      await host.claim(4, { names: ['other'] })
      await host.claim(2)
      await b.change({ type: 'clear', queue: 'default', now: b.now, reason: 'over' }, 303)
      expect(await b.counts('default')).toEqual({ completed: 3, cancelled: 303 })
      expect(await b.counts('q')).toEqual({ blocked: 2 })
      expect(await b.backend.batch('b')).toMatchObject({ total: 3, cancelled: 2, done: 2 })
      expect(await b.backend.batch('open')).toMatchObject({ total: 2, cancelled: 2, open: true })
      await b.change({ type: 'clear', queue: 'nothing', now: b.now }, 0)
      await b.change({ type: 'clear', now: b.now }, 2)
      expect(await b.backend.batch('b')).toMatchObject({ cancelled: 3, endedAt: b.now })
      await b.add([{ input: 'next' }])
      expect(await b.runAll()).toEqual(['next'])
    })
  })

  describe('retry', () => {
    it('lets tasks go on whose input did not fit, and none that wait for a handler', async () => {
      const b = await start(kit)
      const ids = await b.add(Array.from({ length: 6 }, () => ({ name: 'a' })))
      const [other = ''] = await b.add([{ name: 'missing' }])
      const host = b.host()
      const claimed = await host.claim(6, { names: ['a'] })
      await host.claim(1, { names: ['a'] })
      await host.exchange({ settle: claimed.map((task) => host.aside(task, { gate: 'input:a', why: 'x', order: 9 })) })
      expect(await b.counts()).toEqual({ blocked: 7 })
      await b.retry([ids[4] ?? '', ids[1] ?? '', ids[2] ?? '', other], 3)
      expect(await b.states(ids)).toEqual(ids.map((_, i) => ([1, 2, 4].includes(i) ? 'available' : 'blocked')))
      expect(await b.view(ids[1] ?? '')).not.toHaveProperty('why')
      await b.retry(ids, 3)
      expect((await host.claim(10, { names: ['a'] })).map(({ id }) => id)).toEqual(ids)
      expect(await b.counts()).toEqual({ running: 6, blocked: 1 })
    })

    it('is not for what was cancelled behind its gate', async () => {
      const b = await start(kit)
      const [id = ''] = await b.add([{ name: 'a' }])
      const host = b.host()
      const settle = (await host.claim(1)).map((task) => host.aside(task, { gate: 'input:a', why: 'x' }))
      await host.exchange({ settle })
      await b.cancel([id], 1)
      expect(await b.counts()).toEqual({ cancelled: 1 })
      await b.change({ type: 'open-gate', gate: 'input:a', now: b.now }, 0)
    })

    it('makes failed and cancelled tasks available again, and leaves the others alone', async () => {
      const b = await start(kit)
      const ids = await b.add(8, { id: 'b' })
      const host = b.host()
      const claimed = await host.claim(4)
      const settle = claimed.map((task, i) => (i % 2 ? host.failed({ ...task, attempt: 3 }) : host.done(task)))
      await host.exchange({ settle })
      await b.cancel(ids.slice(4, 7))
      expect(await b.backend.batch('b')).toMatchObject({ completed: 2, failed: 2, cancelled: 3 })
      await b.retry([...ids, FOREIGN, 'x', ids[1] ?? ''], 5)
      expect(await b.counts()).toEqual({ completed: 2, available: 6 })
      expect(await b.backend.batch('b')).toMatchObject({ completed: 2, failed: 0, cancelled: 0, done: 2 })
      expect(await b.view(ids[1] ?? '')).toMatchObject({ state: 'available', attempt: 1, crashes: 0 })
      expect(await b.result(ids[1] ?? '')).toBeUndefined()
      expect(await b.list('failed')).toEqual([])
      expect(await b.runAll(2)).toEqual([1, 3, 4, 5, 6, 7])
      expect(await b.backend.batch('b')).toMatchObject({ completed: 8, endedAt: b.now })
    })

    it.each(['before', 'after'])('takes several out of one record, %s the head has passed', async (when) => {
      const b = await start(kit)
      const ids = await b.add(300, { id: 'b', open: true })
      await b.cancel(ids.slice(10, 290), 280)
      await b.cancel(ids.slice(0, 10), 10)
      if (when === 'after') expect(await b.runAll()).toEqual(upTo(10).map((i) => i + 290))
      const picked = [289, 12, 10, 100, 101, 103, 5, 256, 255]
      await b.retry(
        picked.slice(0, 5).map((i) => ids[i] ?? ''),
        5,
      )
      await b.retry(
        picked.map((i) => ids[i] ?? ''),
        4,
      )
      expect(await b.backend.batch('b')).toMatchObject({ cancelled: 281, open: true })
      const sorted = [...picked].sort((x, y) => x - y)
      const rest = when === 'after' ? [] : upTo(10).map((i) => i + 290)
      expect(await b.counts()).toMatchObject({ available: picked.length + rest.length, cancelled: 281 })
      await b.cancel([ids[100] ?? '', ids[12] ?? ''], 2)
      expect(await b.runAll(4)).toEqual([...sorted.filter((i) => i !== 100 && i !== 12), ...rest])
      await b.retry([ids[100] ?? ''], 1)
      expect(await b.runAll(4)).toEqual([100])
    })

    it('takes several failed ones out of one record, keeping the others as they were', async () => {
      const b = await start(kit)
      const ids = await b.add(20)
      const host = b.host()
      const claimed = await host.claim()
      const settle = claimed.map((task) => {
        return task.position % 3 ? host.failed({ ...task, attempt: task.position }) : host.done(task)
      })
      await host.exchange({ settle })
      const before = await b.backend.results(ids)
      const again = [4, 5, 7, 19]
      await b.retry(
        again.map((i) => ids[i] ?? ''),
        4,
      )
      const after = await b.backend.results(ids)
      expect(after).toEqual(before.map((result, i) => (again.includes(i) ? undefined : result)))
      const dead = (await b.list('failed', 2)).map(({ id }) => id)
      expect(dead.sort()).toEqual(ids.filter((_, i) => i % 3 && !again.includes(i)))
    })

    it('makes a delayed task available at once', async () => {
      const b = await start(kit)
      const ids = await b.add([{ runAt: b.now + 1_000 }])
      await b.cancel(ids, 1)
      await b.retry(ids, 1)
      expect(await b.states(ids)).toEqual(['available'])
      expect(await b.runAll()).toEqual([0])
    })
  })

  describe('pause', () => {
    it('holds a queue back until then, or until resumed; other queues go on', async () => {
      const b = await start(kit)
      await b.add([
        { queue: 'a', input: 'a' },
        { queue: 'b', input: 'b' },
      ])
      await b.change({ type: 'pause', queue: 'a', until: b.now + 100 })
      const host = b.host()
      expect(inputs(await host.claim())).toEqual(['b'])
      expect((await host.exchange({ claim: { limit: 5 } })).wakeAt).toBe(b.now + 100)
      b.now += 100
      expect(inputs(await host.claim())).toEqual(['a'])
      await b.add([{ queue: 'a', input: 'a2' }])
      await b.change({ type: 'pause', queue: 'a', until: Number.POSITIVE_INFINITY })
      const idle = await host.exchange({ claim: { limit: 5 } })
      expect(idle.claimed).toEqual([])
      expect(idle.wakeAt).toBeUndefined()
      await b.change({ type: 'resume', queue: 'a' })
      expect(inputs(await host.claim())).toEqual(['a2'])
    })

    it('holds all queues, and lets what runs end', async () => {
      const b = await start(kit)
      await b.add([{ queue: 'a' }, { queue: 'b' }, { queue: 'b' }])
      const host = b.host()
      const claimed = await host.claim(1)
      await b.change({ type: 'pause', until: Number.POSITIVE_INFINITY })
      expect((await host.exchange({ settle: claimed.map((t) => host.done(t)), claim: { limit: 9 } })).claimed).toEqual(
        [],
      )
      expect(await b.counts()).toEqual({ completed: 1, available: 2 })
      await b.add([{ queue: 'new' }])
      expect(await host.claim()).toEqual([])
      await b.change({ type: 'resume' })
      expect(await host.claim()).toHaveLength(3)
    })
  })
}
