import { describe, expect, it } from 'vitest'
import { type Kit, start, upTo } from './bench.js'

const FOREIGN = 'zzzzzzzz-000-000000000'

export function readTests(kit: Kit): void {
  describe('get and results', () => {
    it('answer in order, for the unknown too', async () => {
      const b = await start(kit)
      const [a = '', c = ''] = await b.add(2)
      await b.cancel([c])
      const beyond = a.replace(/.$/, '9')
      const odd = [
        '',
        'x',
        FOREIGN,
        `${a}0`,
        a.toUpperCase(),
        beyond,
        a.replace('-000-', '-00z-'),
        '__proto__',
        `${a}${'z'.repeat(300)}`,
      ]
      const ids = [...odd, c, a, c]
      expect((await b.backend.get(ids)).map((view) => view?.id)).toEqual([...odd.map(() => undefined), c, a, c])
      expect((await b.backend.results(ids)).map((result) => result?.id)).toEqual([
        ...odd.map(() => undefined),
        c,
        undefined,
        c,
      ])
      await b.cancel(odd, 0)
      await b.retry(odd, 0)
    })

    it('answer nothing for no ids, and for any before there is a queue', async () => {
      const b = await start(kit)
      expect(await b.backend.get([])).toEqual([])
      expect(await b.backend.results([])).toEqual([])
      expect(await b.backend.get([FOREIGN])).toEqual([undefined])
      expect(await b.backend.results([FOREIGN])).toEqual([undefined])
      expect(await b.backend.batch('__proto__')).toBeUndefined()
      await b.cancel([FOREIGN], 0)
    })

    it('give outputs of any size', async () => {
      const b = await start(kit)
      const sizes = [10, 70_000, 20, 300_000, 30, ...Array<number>(8).fill(40_000), 5]
      const ids = await b.add(sizes.map((size) => ({ input: size })))
      const host = b.host()
      await host.complete(await host.claim(), ({ input }) => 'x'.repeat(Number(input)))
      const results = await b.backend.results(ids)
      expect(results.map((result) => result?.status === 'completed' && String(result.value).length)).toEqual(sizes)
      const lane = { lane: 0, from: 0, to: sizes.length }
      expect(await b.all('ended', { ...lane, limit: 2 })).toEqual(results)
      expect((await b.list('completed', 3)).map(({ id }) => id)).toEqual([...ids].reverse())
    })

    it('give outputs of any kind', async () => {
      const b = await start(kit)
      const values = [
        undefined,
        null,
        0,
        '',
        { __proto__: null, a: new Map([[1, new Date(3)]]) },
        [new Float64Array([Number.NaN])],
        3n,
      ]
      const ids = await b.add(values.length)
      const host = b.host()
      await host.complete(await host.claim(), ({ input }) => values[Number(input)])
      const results = await b.backend.results(ids)
      expect(results.map((result) => result?.status === 'completed' && result.value)).toEqual(values)
    })
  })

  describe('read ended', () => {
    it('gives the results in an interval in order, in pages of any size, whatever it cuts', async () => {
      const b = await start(kit)
      const ids = await b.add(700)
      const host = b.host()
      const claimed = await host.claim(300)
      await host.complete(claimed.filter((_, i) => i % 5 !== 0))
      await b.cancel(ids.slice(310, 690))
      const results = await b.backend.results(ids)
      for (const [from, to] of [
        [0, 700],
        [7, 8],
        [3, 301],
        [320, 330],
        [305, 309],
        [299, 311],
        [689, 700],
        [5, 5],
      ] as const) {
        const expected = results.slice(from, to).flatMap((result) => result ?? [])
        for (const limit of [1, 2, 100]) expect(await b.all('ended', { lane: 0, from, to, limit })).toEqual(expected)
      }
      expect(await b.all('ended', { lane: 5, from: 0, to: 10, limit: 5 })).toEqual([])
    })
  })

  describe('read parts', () => {
    it('gives a batch its stretches in input order, from a start on', async () => {
      const b = await start(kit)
      for (const n of upTo(6)) {
        await b.add(10, { id: 'b', offset: n * 10, open: n < 5 })
        await b.add(1)
      }
      const all = await b.all('parts', { batch: 'b', stage: 0, limit: 100 })
      expect(all.map((part) => [part.start, part.to - part.from])).toEqual(upTo(6).map((n) => [n * 10, 10]))
      for (const limit of [1, 4]) expect(await b.all('parts', { batch: 'b', stage: 0, limit })).toEqual(all)
      for (const first of [0, 1, 20, 21, 50, 51]) {
        const some = await b.all('parts', { batch: 'b', stage: 0, start: first, limit: 2 })
        expect(some).toEqual(all.filter((part) => part.start >= first))
      }
      expect(await b.all('parts', { batch: 'b', stage: 1, limit: 2 })).toEqual([])
      expect(await b.all('parts', { batch: 'x', stage: 0, limit: 2 })).toEqual([])
    })

    it('joins what one append stored', async () => {
      const b = await start(kit)
      await b.add(1_000, { id: 'b' })
      expect(await b.all('parts', { batch: 'b', stage: 0, limit: 1 })).toMatchObject([{ start: 0, from: 0, to: 1_000 }])
    })
  })

  describe('names', () => {
    it('may be anything', async () => {
      const b = await start(kit)
      for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'blocked', '\uffff', ' ']) {
        const [id = '', other = ''] = await b.add(
          [
            { queue: name, name },
            { queue: name, name: 'served' },
          ],
          { id: name, queue: name },
        )
        const host = b.host(name)
        const claimed = await host.claim(10, { names: ['served'], queues: [name] })
        expect(claimed.map((task) => task.id)).toEqual([other])
        expect(await b.states([id, other])).toEqual(['blocked', 'running'])
        expect(await b.backend.renew(name, b.now + 30_000)).toHaveLength(6)
        await b.change({ type: 'open-gate', gate: `handler:${name}`, now: b.now }, 1)
        await b.cancel([other], 1)
        expect(await b.backend.renew(name, b.now + 30_000)).toHaveLength(0)
        await host.complete(await host.claim(10, { queues: [name] }))
        expect(await b.counts(name)).toEqual({ completed: 1, cancelled: 1 })
        expect(await b.backend.batch(name)).toMatchObject({ id: name, queue: name, total: 2, done: 2, endedAt: b.now })
        await host.exchange({ leave: true })
        expect((await host.exchange()).fenced).toBe(true)
      }
    })
  })
}
