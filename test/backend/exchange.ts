import { describe, expect, it } from 'vitest'
import { PART_SIZE } from '../../src/plan/records.js'
import { boom, inputs, type Kit, start, upTo } from './bench.js'

const size = (held: Float64Array) =>
  held.reduce((n, x, i) => n + (i % PART_SIZE === 3 ? x : i % PART_SIZE === 2 ? -x : 0), 0)

export function exchangeTests(kit: Kit): void {
  describe('claim', () => {
    it('claims no more than the limit, and says when there is more', async () => {
      const b = await start(kit)
      await b.add(10)
      const host = b.host()
      const none = await host.exchange({ claim: { limit: 0 } })
      expect(none.claimed).toEqual([])
      const some = await host.exchange({ claim: { limit: 4 } })
      expect(inputs(some.claimed)).toEqual([0, 1, 2, 3])
      expect(some.more).toBe(true)
      expect(size(some.held)).toBe(4)
      expect(inputs(await host.claim(100))).toEqual([4, 5, 6, 7, 8, 9])
      const empty = await host.exchange({ claim: { limit: 5 } })
      expect({ claimed: empty.claimed, more: empty.more }).toEqual({ claimed: [], more: false })
      expect(await b.counts()).toEqual({ running: 10 })
    })

    it('claims across blocks, lanes and queues at once, each task once', async () => {
      const b = await start(kit)
      await b.add(600)
      await b.add(5, undefined)
      await b.add(upTo(300).map((i) => ({ input: `q${i}`, queue: 'q' })))
      await b.add([{ input: 'first', priority: -1 }])
      const hosts = [b.host(), b.host()]
      const claimed = (await Promise.all(upTo(6).map((i) => hosts[i % 2]?.claim(400) ?? []))).flat()
      expect(claimed).toHaveLength(906)
      expect(new Set(claimed.map(({ id }) => id)).size).toBe(906)
      expect(claimed[0]?.input).toBe('first')
    })

    it('looks at queues in the order given, those not named last', async () => {
      const b = await start(kit)
      await b.add(
        ['a', 'b', 'c'].flatMap((queue) => [
          { queue, input: `${queue}1` },
          { queue, input: `${queue}0`, priority: -1 },
        ]),
      )
      const claimed = await b.host().claim(10, { queues: ['c', 'nothing', 'b'] })
      expect(inputs(claimed)).toEqual(['c0', 'c1', 'b0', 'b1', 'a0', 'a1'])
    })

    it('parks tasks whose handler the host does not have, until their gate is opened', async () => {
      const b = await start(kit)
      const names = ['a', 'x', 'x', 'a', 'y', 'a', 'x']
      const ids = await b.add(names.map((name, input) => ({ name, input })))
      const host = b.host()
      const reply = await host.exchange({ claim: { limit: 10, names: ['a'] } })
      expect(inputs(reply.claimed)).toEqual([0, 3, 5])
      if (!b.repeats) expect(reply.parked.sort()).toEqual(['x', 'y'])
      expect(await b.states(ids)).toEqual(names.map((name) => (name === 'a' ? 'running' : 'blocked')))
      expect((await b.view(ids[1] ?? ''))?.why).toMatch(/'x'/)
      expect(await b.counts()).toEqual({ running: 3, blocked: 4 })
      expect(await host.claim(10)).toEqual([])
      await b.change({ type: 'open-gate', gate: 'handler:nothing', now: b.now }, 0)
      await b.change({ type: 'open-gate', gate: 'handler:x', now: b.now }, 3)
      expect(await b.counts()).toEqual({ running: 3, blocked: 1, available: 3 })
      expect(await b.view(ids[1] ?? '')).not.toHaveProperty('why')
      expect(inputs(await host.claim(10, { names: ['a', 'x'] }))).toEqual([1, 2, 6])
    })

    it('opens gates together, so many tasks at a time, and not what bears a mark', async () => {
      const b = await start(kit)
      const ids = await b.add(Array.from({ length: 8 }, (_, input) => ({ name: input < 6 ? 'a' : 'b', input })))
      const host = b.host()
      const claimed = await host.claim(8)
      const held = claimed.map((task, i) => ({
        ...host.aside(task, { order: i < 2 ? 7 : 5, gate: `input:${task.name}`, why: i === 4 ? 'this' : 'that' }),
      }))
      await host.exchange({ settle: held })
      expect(await b.counts()).toEqual({ blocked: 8 })
      expect(await b.view(ids[4] ?? '')).toMatchObject({ state: 'blocked', why: 'this', input: 4, attempt: 1 })
      const open = (count: number, more: object = {}) =>
        b.change({ type: 'open-gate', gate: ['input:a', 'input:b', 'input:c'], now: b.now, ...more }, count)
      await open(3, { but: 7, limit: 3 })
      if (!b.repeats) expect(await b.counts()).toEqual({ blocked: 5, available: 3 })
      await open(3, { but: 7, limit: 3 })
      await open(0, { but: 7, limit: 3 })
      expect(await b.states(ids)).toEqual(ids.map((_, i) => (i < 2 ? 'blocked' : 'available')))
      expect(inputs(await host.claim(8))).toEqual([2, 3, 4, 5, 6, 7])
      await open(2)
      expect(inputs(await host.claim(8))).toEqual([0, 1])
    })

    it('takes what was given back before the rest of its priority', async () => {
      const b = await start(kit)
      await b.add(6)
      const host = b.host()
      const claimed = await host.claim(3)
      await host.exchange({ settle: claimed.map((task) => host.aside(task)) })
      expect(await b.counts()).toEqual({ available: 6 })
      expect(inputs(await host.claim(10))).toEqual(upTo(6))
    })
  })

  describe('exchange', () => {
    it('settles some of what it holds, and keeps the rest', async () => {
      const b = await start(kit)
      const ids = await b.add(600)
      const host = b.host()
      const claimed = await host.claim(600)
      const even = claimed.filter((_, i) => i % 2 === 0)
      const reply = await host.complete(even, ({ input }) => `done ${input}`)
      expect(reply.dropped).toEqual([])
      expect(size(reply.held)).toBe(300)
      const results = await b.backend.results(ids)
      results.forEach((result, i) => {
        if (i % 2) expect(result).toBeUndefined()
        else expect(result).toMatchObject({ id: ids[i], status: 'completed', value: `done ${i}`, attempts: 1 })
      })
      expect(await b.counts()).toEqual({ completed: 300, running: 300 })
    })

    it('records failures and their times', async () => {
      const b = await start(kit)
      const [id = ''] = await b.add(2)
      const host = b.host()
      const [task, other] = await host.claim()
      b.now += 5_000
      if (!task || !other) throw new Error('nothing was claimed')
      await host.exchange({ settle: [host.done(other), host.failed({ ...task, attempt: 3 })] })
      const error = { name: 'Error', message: 'boom', code: 'bang' }
      expect(await b.result(id)).toEqual({
        id,
        name: 'work',
        status: 'failed',
        error,
        attempts: 3,
        enqueuedAt: b.now - 5_000,
        startedAt: b.now - 2,
        finishedAt: b.now - 1,
      })
      expect(await b.view(id)).toMatchObject({ state: 'failed', attempt: 3, result: { status: 'failed', error } })
    })

    it('records together what was enqueued apart: each keeps its name, its time and its own end', async () => {
      const b = await start(kit)
      const ids: string[] = []
      for (let i = 0; i < 300; i++) {
        b.now += 1 + (i % 3)
        ids.push(...(await b.add([{ input: i, name: i % 7 ? 'work' : 'other' }])))
      }
      const enqueuedAt = (await b.backend.get(ids)).map((view) => view?.enqueuedAt)
      const host = b.host()
      const claimed = await host.claim(300)
      const settle = claimed.map((task, i) => (i % 10 === 3 ? host.failed(task) : host.done(task)))
      await host.exchange({ settle })
      const is = (i: number) => ({ id: ids[i], name: i % 7 ? 'work' : 'other', enqueuedAt: enqueuedAt[i] })
      const check = async (of: readonly number[]) => {
        for (const i of of) {
          const ended = i % 10 === 3 ? { status: 'failed', error: boom } : { status: 'completed', value: i }
          expect(await b.result(ids[i] ?? '')).toMatchObject({ ...is(i), ...ended })
        }
        const wanted = of.map((i) => ids[i] ?? '')
        expect(await b.backend.results(wanted)).toMatchObject(of.map(is))
      }
      await check(upTo(300))
      expect(await b.list('failed')).toHaveLength(30)
      // One that is taken out of the middle leaves the others as they are.
      await b.retry([ids[103] ?? ''], 1)
      expect(await b.result(ids[103] ?? '')).toBeUndefined()
      await check(upTo(300).filter((i) => i !== 103))
      expect(inputs(await host.claim())).toEqual([103])
    })

    it('puts tasks aside: for later with their error, at once, or behind a gate', async () => {
      const b = await start(kit)
      const ids = await b.add(4)
      const host = b.host()
      const [a, c, d, e] = await host.claim()
      if (!a || !c || !d || !e) throw new Error('nothing was claimed')
      const error = { name: 'E', message: 'try again' }
      await host.exchange({
        settle: [
          host.aside(a, { order: b.now + 100, attempt: 2, error }),
          host.aside(c, { crashes: 1 }),
          host.aside(d, { gate: 'online', why: 'offline' }),
          host.aside(e, { gate: 'online' }),
        ],
      })
      expect(await b.states(ids)).toEqual(['scheduled', 'available', 'blocked', 'blocked'])
      expect(await b.view(a.id)).toMatchObject({ attempt: 2, runAt: b.now + 100, lastError: error })
      expect(await b.view(c.id)).toMatchObject({ attempt: 1, crashes: 1 })
      expect(await b.view(d.id)).toMatchObject({ why: 'offline' })
      expect(await b.view(e.id)).not.toHaveProperty('why')
      await b.change({ type: 'open-gate', gate: 'online', now: b.now }, 2)
      b.now += 100
      expect(inputs(await host.claim())).toEqual([1, 2, 3, 0])
    })

    it('drops what it does not hold, or holds under another seq, and says so', async () => {
      const b = await start(kit)
      await b.add(4)
      const [one, two] = [b.host(), b.host()]
      const [first, second, third] = await one.claim(3)
      const [foreign] = await two.claim(1)
      if (!first || !second || !third || !foreign) throw new Error('nothing was claimed')
      await one.complete([first])
      const settle = [
        one.done(foreign),
        one.done(first),
        one.done({ ...second, seq: 7 }),
        one.done(third),
        one.done(third, { value: 'twice' }),
        one.done({ ...third, lane: 99 }),
        one.done({ ...third, position: 1_000 }),
      ]
      const { dropped, held } = await one.exchange({ settle })
      if (!b.repeats) {
        const places = [first, second, foreign, third, { ...third, position: 1_000 }, { ...third, lane: 99 }]
        const byPlace = (at: { lane: number; position: number }) => `${at.lane}:${at.position}`
        expect(dropped.map(byPlace).sort()).toEqual(places.map(byPlace).sort())
      }
      expect(size(held)).toBe(1)
      expect(await b.counts()).toEqual({ completed: 2, running: 2 })
      expect(await b.result(third.id)).toMatchObject({ value: third.input })
    })

    it('answers an exchange again whose seq was seen, and changes nothing', async () => {
      const b = await start(kit)
      await b.add(upTo(20).map((i) => ({ queue: i % 2 ? 'odd' : 'even' })))
      const host = b.host()
      const claim = { limit: 6, queues: ['odd'] }
      const [task] = await host.claim(1)
      const settle = task ? [host.done(task, { followUps: [{ queue: 'f', name: 'f', input: 0, priority: 0 }] })] : []
      const first = await host.exchange({ settle, claim })
      const counts = await b.counts()
      for (let i = 0; i < 3; i++) {
        const again = await host.exchange({ settle, claim, seq: host.seq })
        expect(again.claimed).toEqual(first.claimed)
        expect(again.held).toEqual(first.held)
        expect(again.fenced).toBe(false)
      }
      expect(await b.counts()).toEqual(counts)
      expect(await b.counts('f')).toEqual({ available: 1 })
      const stale = await host.exchange({ claim, seq: host.seq - 1 })
      expect(stale.claimed.length).toBeLessThanOrEqual(1)
      expect(await b.counts()).toEqual(counts)
    })

    it('returns what is held by a host that leaves, uncharged, and forgets it', async () => {
      const b = await start(kit)
      await b.add(5)
      const host = b.host()
      const [first] = await host.claim(3)
      if (!first) throw new Error('nothing was claimed')
      const { held } = await host.exchange({ settle: [host.done(first)], leave: true })
      expect(held).toHaveLength(0)
      expect(await b.counts()).toEqual({ completed: 1, available: 4 })
      expect((await host.exchange()).fenced).toBe(true)
      const claimed = await b.host().claim()
      expect(claimed.map(({ input, attempt, crashes }) => [input, attempt, crashes])).toEqual(
        [1, 2, 3, 4].map((input) => [input, 1, 0]),
      )
    })

    it('fences a host that has no entry', async () => {
      const b = await start(kit)
      await b.add(1)
      const host = b.host()
      const reply = await host.exchange({ claim: { limit: 1 }, seq: 2 })
      expect(reply).toMatchObject({ fenced: true, claimed: [] })
      expect(await b.backend.renew(host.id, b.now + 1)).toBeUndefined()
      expect((await host.exchange({ seq: 1 })).fenced).toBe(false)
      expect(await b.backend.renew(host.id, b.now + 1)).toHaveLength(0)
    })

    it('takes the first exchange of a host in a database without queues', async () => {
      const b = await start(kit)
      const host = b.host()
      expect(await host.claim()).toEqual([])
      await b.add([{ queue: 'new' }])
      expect(await host.claim()).toHaveLength(1)
    })
  })
}
