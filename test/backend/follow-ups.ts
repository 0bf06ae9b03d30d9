import { describe, expect, it } from 'vitest'
import type { FollowUp } from '../../src/backend.js'
import { inputs, type Kit, start, upTo } from './bench.js'

const follow = (input: unknown, rest: Partial<FollowUp> = {}): FollowUp => ({
  queue: 'default',
  name: 'next',
  input,
  priority: 0,
  ...rest,
})

export function followUpTests(kit: Kit): void {
  describe('follow-ups', () => {
    it('are stored with the outcome that counts, in order, and can be claimed next', async () => {
      const b = await start(kit)
      await b.add(3)
      const host = b.host()
      const claimed = await host.claim()
      const settle = claimed.map((task) =>
        host.done(task, { followUps: [follow(`${task.input}a`), follow(`${task.input}b`)] }),
      )
      const reply = await host.exchange({ settle, claim: { limit: 10 } })
      const next = [...reply.claimed, ...(await host.claim())]
      expect(inputs(next)).toEqual(['0a', '0b', '1a', '1b', '2a', '2b'])
      expect(await b.counts()).toEqual({ completed: 3, running: 6 })
    })

    it('go to other queues and priorities, and wait for their time', async () => {
      const b = await start(kit)
      await b.add(1)
      const host = b.host()
      const [task] = await host.claim()
      if (!task) throw new Error('nothing was claimed')
      const later = follow('later', { runAt: b.now + 50, queue: 'new' })
      const followUps = [later, follow('low', { priority: 9 }), follow('high', { priority: -9 })]
      await host.exchange({ settle: [host.failed(task, { followUps })] })
      expect(await b.counts('new')).toEqual({ scheduled: 1 })
      expect(inputs(await host.claim())).toEqual(['high', 'low'])
      expect((await host.exchange({ claim: { limit: 1 } })).wakeAt).toBe(b.now + 50)
      b.now += 50
      expect(inputs(await host.claim())).toEqual(['later'])
    })

    it('join batches, and end their input', async () => {
      const b = await start(kit)
      await b.add(2, { id: 'b', open: true })
      const host = b.host()
      const [one, two] = await host.claim()
      if (!one || !two) throw new Error('nothing was claimed')
      await host.exchange({
        settle: [host.done(one, { followUps: [follow('f', { batch: 'b' }), follow('n', { batch: 'new' })] })],
      })
      expect(await b.backend.batch('b')).toMatchObject({ total: 3, done: 1, open: true })
      expect(await b.backend.batch('new')).toMatchObject({ total: 1, done: 0, open: false, queue: 'default' })
      const reply = await host.exchange({ settle: [host.done(two, { endBatches: ['b', 'unknown'] })] })
      if (!b.repeats) expect(reply.batches).toEqual(['b'])
      expect(await b.backend.batch('unknown')).toBeUndefined()
      expect(await b.backend.batch('b')).toMatchObject({ total: 3, done: 2, open: false })
      expect(await b.backend.batch('b')).not.toHaveProperty('endedAt')
      b.now += 10
      await host.complete(await host.claim())
      expect(await b.backend.batch('b')).toMatchObject({ total: 3, done: 3, endedAt: b.now })
      const parts = await b.all('parts', { batch: 'b', stage: 0, limit: 10 })
      expect(parts.map(({ start: first, from, to }) => [first, to - from])).toEqual([
        [0, 2],
        [2, 1],
      ])
    })

    it('are left out with an outcome that does not count, and when a task goes aside', async () => {
      const b = await start(kit)
      await b.add(2, { id: 'b', open: true })
      const host = b.host()
      const [one, two] = await host.claim()
      if (!one || !two) throw new Error('nothing was claimed')
      await b.cancel([one.id], 1)
      const extra = { followUps: [follow('f'), follow('g', { batch: 'b' })], endBatches: ['b'] }
      await host.exchange({ settle: [host.done(one, extra), host.aside(two, extra)] })
      expect(await b.counts()).toEqual({ cancelled: 1, available: 1 })
      expect(await b.backend.batch('b')).toMatchObject({ total: 2, open: true })
    })

    it('do not join a batch that was cancelled, whether or not its input had ended', async () => {
      const b = await start(kit)
      await b.add(1)
      await b.add(2, { id: 'open', open: true })
      await b.add(2, { id: 'closed' })
      const host = b.host()
      const [task] = await host.claim(1)
      for (const batch of ['open', 'closed']) await b.change({ type: 'cancel-batch', batch, now: b.now }, 2)
      if (!task) throw new Error('nothing was claimed')
      const followUps = [follow(1, { batch: 'open' }), follow(2, { batch: 'closed' }), follow(3)]
      await host.exchange({ settle: [host.done(task, { followUps })] })
      expect(inputs(await host.claim())).toEqual([3])
      for (const id of ['open', 'closed']) {
        expect(await b.backend.batch(id)).toMatchObject({
          total: 2,
          cancelled: 2,
          done: 2,
          open: false,
          endedAt: b.now,
        })
      }
    })

    it('may be many', async () => {
      const b = await start(kit)
      await b.add(1)
      const host = b.host()
      const [task] = await host.claim()
      if (!task) throw new Error('nothing was claimed')
      await host.exchange({
        settle: [host.done(task, { followUps: upTo(700).map((i) => follow(i, { batch: 'many' })) })],
      })
      expect(await b.backend.batch('many')).toMatchObject({ total: 700 })
      expect(await b.runAll(300)).toEqual(upTo(700))
      expect(await b.all('parts', { batch: 'many', stage: 0, limit: 3 })).toMatchObject([
        { start: 0, from: 1, to: 701 },
      ])
    })
  })
}
