import { describe, expect, it } from 'vitest'
import type { Bench, TestHost } from './bench.js'
import { inputs, type Kit, start, upTo } from './bench.js'

/** A host claims, dies, and its tasks are taken back; `times` in a row. */
async function crash(b: Bench, claim: (host: TestHost) => Promise<unknown>, times = 1): Promise<void> {
  for (let i = 0; i < times; i++) {
    await claim(b.host())
    await b.recover(b.host())
  }
}

export function recoverTests(kit: Kit): void {
  describe('recover', () => {
    it('takes back what others hold, voids them, and charges a crash', async () => {
      const b = await start(kit)
      const ids = await b.add(6)
      const [dead, me] = [b.host(), b.host()]
      const held = await dead.claim(4)
      await dead.complete(held.slice(1, 2))
      const mine = await me.claim(1)
      const count = await b.recover(me)
      expect(b.repeats ? [0, 3] : [3]).toContain(count)
      expect(await b.states(ids)).toEqual(['available', 'completed', 'available', 'available', 'running', 'available'])
      expect(await b.view(ids[0] ?? '')).toMatchObject({ crashes: 1, attempt: 1 })
      const late = await dead.complete(held.slice(2, 3))
      expect(late).toMatchObject({ fenced: true, claimed: [] })
      expect(late.held).toHaveLength(0)
      expect(await b.backend.renew(dead.id, b.now + 1)).toBeUndefined()
      await me.complete(mine)
      expect(inputs(await me.claim())).toEqual([0, 2, 3, 5])
      expect(await b.counts()).toEqual({ completed: 2, running: 4 })
    })

    it('charges nothing to the tasks of a page that was left', async () => {
      const b = await start(kit)
      const ids = await b.add(2)
      for (let i = 0; i < 5; i++) {
        const host = b.host()
        expect(await host.claim()).toHaveLength(2)
        await b.recover(b.host(), { left: [host.id] })
      }
      expect(await b.backend.get(ids)).toMatchObject([
        { crashes: 0, state: 'available', attempt: 1 },
        { crashes: 0, state: 'available', attempt: 1 },
      ])
    })

    it('takes back only what expired, and renewing prevents it', async () => {
      const b = await start(kit)
      await b.add([{ queue: 'a' }, { queue: 'b' }, { queue: 'c' }])
      const [gone, alive, me] = [b.host(), b.host(), b.host()]
      await gone.claim(1)
      await alive.claim(2)
      b.now += 20_000
      const held = await b.backend.renew(alive.id, b.now + 30_000)
      expect(held).toHaveLength(12)
      b.now += 20_000
      await b.recover(me, { dead: 'expired' })
      expect(await b.counts()).toEqual({ available: 1, running: 2 })
      expect((await gone.exchange()).fenced).toBe(true)
      expect((await alive.exchange()).fenced).toBe(false)
      b.now += 40_000
      await b.recover(alive, { dead: 'expired' })
      expect(await b.counts()).toEqual({ available: 1, running: 2 })
      await b.recover(me, { dead: 'expired' })
      expect(await b.counts()).toEqual({ available: 3 })
    })

    it('keeps a lease alive that was extended by an exchange in one queue only', async () => {
      const b = await start(kit)
      await b.add([{ queue: 'a' }, { queue: 'b' }])
      const host = b.host()
      const [first] = await host.claim()
      b.now += 25_000
      if (first) await host.complete([first])
      b.now += 25_000
      await b.recover(b.host(), { dead: 'expired' })
      expect(await b.counts()).toEqual({ completed: 1, running: 1 })
    })

    it('fails a task as crashed at the limit, and counts it in its batch', async () => {
      const b = await start(kit)
      const [id = ''] = await b.add([{ name: 'poison' }], { id: 'b' })
      await crash(b, (host) => host.claim(), 2)
      expect(await b.view(id)).toMatchObject({ state: 'available', crashes: 2 })
      await crash(b, (host) => host.claim())
      expect(await b.result(id)).toMatchObject({
        status: 'failed',
        name: 'poison',
        error: { code: 'crashed' },
        attempts: 1,
      })
      expect(await b.backend.batch('b')).toMatchObject({ failed: 1, done: 1, endedAt: b.now })
      await b.retry([id], 1)
      expect(await b.view(id)).toMatchObject({ state: 'available', crashes: 0, attempt: 1 })
    })

    it('runs tasks that crashed once 16 at a time, next to others', async () => {
      const b = await start(kit)
      await b.add(40)
      await crash(b, (host) => host.claim(30))
      const host = b.host()
      const first = await host.claim(100)
      expect(inputs(first.filter(({ crashes }) => crashes === 1))).toEqual(upTo(16))
      expect(inputs(first.filter(({ crashes }) => crashes === 0))).toEqual([30, 31, 32, 33, 34, 35, 36, 37, 38, 39])
      expect(await host.claim(100)).toEqual([])
      await host.complete(first.slice(0, 6))
      expect(inputs(await host.claim(100))).toEqual([16, 17, 18, 19, 20, 21])
    })

    it('runs a task that crashed twice alone', async () => {
      const b = await start(kit)
      await b.add(4)
      await crash(b, (host) => host.claim(2), 2)
      await b.add([{ input: 'first', priority: -1 }])
      const host = b.host()
      const first = await host.claim()
      expect(inputs(first)).toEqual(['first'])
      const waiting = await host.exchange({ claim: { limit: 10 } })
      expect(waiting.claimed).toEqual([])
      await host.complete(first)
      for (const input of [0, 1]) {
        const alone = await host.claim()
        expect(alone).toMatchObject([{ input, crashes: 2 }])
        expect(await host.claim()).toEqual([])
        await host.complete(alone)
      }
      expect(inputs(await host.claim())).toEqual([2, 3])
    })

    it('does not hold up other hosts with what one of them runs alone', async () => {
      const b = await start(kit)
      await b.add(3)
      await crash(b, (host) => host.claim(1), 2)
      const [one, two] = [b.host(), b.host()]
      expect(inputs(await one.claim())).toEqual([0])
      expect(inputs(await two.claim())).toEqual([1, 2])
    })

    it('takes nothing back for a host that was voided and has not heard of it', async () => {
      const b = await start(kit)
      await b.add(1)
      const frozen = b.host()
      await frozen.claim(1)
      const host = b.host()
      await b.recover(host)
      await host.claim(1)
      const { backend } = b
      const options = { dead: 'others', left: [], now: b.now, maxCrashes: 3 } as const
      expect(await backend.recover({ ...options, me: frozen.id, entered: true })).toBeUndefined()
      expect(await backend.counts()).toMatchObject({ running: 1 })
      expect(await backend.recover({ ...options, me: host.id, entered: true })).toBe(0)
    })

    it('finds nothing to do among no hosts', async () => {
      const b = await start(kit)
      expect(await b.recover(b.host())).toBe(0)
      await b.add(1)
      expect(await b.recover(b.host(), { dead: 'expired' })).toBe(0)
    })
  })
}
