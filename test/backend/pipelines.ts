import { describe, expect, it } from 'vitest'
import type { Claimed } from '../../src/backend.js'
import type { Stage } from '../../src/plan/records.js'
import { type Kit, start, upTo } from './bench.js'

const none = { completed: 0, failed: 0, dropped: 0, cancelled: 0 }
const map = (name: string): Stage => ({ kind: 'map', name, ...none })
const handler = (name: string): Stage => ({ kind: 'filter', name, ...none })
const field = (name: string): Stage => ({ kind: 'filter', field: name, ...none })
const counted = (stages: Stage[] = []) =>
  stages.map(({ completed, failed, dropped, cancelled }) => [completed, failed, dropped, cancelled])

export function pipelineTests(kit: Kit): void {
  describe('pipelines', () => {
    it('send each item through every stage, one priority higher each time', async () => {
      const b = await start(kit)
      await b.add(
        upTo(5).map(() => ({ name: 'a', settings: { timeout: 9 } })),
        { id: 'p', stages: [map('a'), map('b'), map('c')] },
      )
      const host = b.host()
      const seen: unknown[] = []
      for (let claimed = await host.claim(2); claimed.length > 0; claimed = await host.claim(2)) {
        seen.push(...claimed.map(({ name, input, priority, settings }) => [name, input, priority, settings.timeout]))
        await host.complete(claimed, ({ name, input }) => `${input}${name}`)
      }
      expect(seen.slice(0, 8)).toEqual([
        ['a', 0, 0, 9],
        ['a', 1, 0, 9],
        ['b', '0a', -1, 9],
        ['b', '1a', -1, 9],
        ['c', '0ab', -2, 9],
        ['c', '1ab', -2, 9],
        ['a', 2, 0, 9],
        ['a', 3, 0, 9],
      ])
      const batch = await b.backend.batch('p')
      expect(batch).toMatchObject({ total: 5, completed: 5, done: 5, endedAt: b.now })
      expect(counted(batch?.stages)).toEqual([
        [5, 0, 0, 0],
        [5, 0, 0, 0],
        [5, 0, 0, 0],
      ])
      const [part] = await b.all('parts', { batch: 'p', stage: 2, limit: 1 })
      const outputs = part ? await b.all('ended', { ...part, limit: 9 }) : []
      expect(outputs.map((result) => result.status === 'completed' && result.value)).toEqual(['0abc', '1abc'])
    })

    it('leave out what a filter does, by field or handler, and pass on the input of a handler that filters', async () => {
      const b = await start(kit)
      const stages = [map('make'), field('keep'), handler('check'), map('end'), field('last')]
      await b.add(
        upTo(12).map((input) => ({ name: 'make', input })),
        { id: 'p', stages },
      )
      const ended: unknown[] = []
      await b.runAll(5, ({ name, input }: Claimed) => {
        if (name === 'make') return { n: input, keep: Number(input) % 2 === 0 || 'true', last: true }
        if (name === 'check') return JSON.stringify(input).includes('"n":4') ? 'truthy' : true
        ended.push(input)
        return { last: JSON.stringify(input).includes('"n":6') }
      })
      expect(ended).toEqual([0, 2, 6, 8, 10].map((n) => ({ n, keep: true, last: true })))
      const batch = await b.backend.batch('p')
      expect(batch).toMatchObject({ total: 12, completed: 1, dropped: 11, done: 12, endedAt: b.now })
      expect(counted(batch?.stages)).toEqual([
        [12, 0, 0, 0],
        [6, 0, 6, 0],
        [5, 0, 1, 0],
        [5, 0, 0, 0],
        [1, 0, 4, 0],
      ])
    })

    it('count items that fail where they failed, and let them go on when retried', async () => {
      const b = await start(kit)
      const ids = await b.add(
        upTo(3).map(() => ({ name: 'a' })),
        { id: 'p', stages: [map('a'), map('b')] },
      )
      const host = b.host()
      const [one, two, three] = await host.claim()
      if (!one || !two || !three) throw new Error('nothing was claimed')
      await host.exchange({ settle: [host.failed(one), host.done(two), host.done(three)] })
      const next = await host.claim()
      expect(next.map(({ name, input }) => [name, input])).toEqual([
        ['b', 1],
        ['b', 2],
      ])
      await host.exchange({ settle: next.map((task) => (task.input === 1 ? host.failed(task) : host.done(task))) })
      let batch = await b.backend.batch('p')
      expect(batch).toMatchObject({ total: 3, failed: 2, completed: 1, endedAt: b.now })
      expect(counted(batch?.stages)).toEqual([
        [2, 1, 0, 0],
        [1, 1, 0, 0],
      ])
      await b.retry([ids[0] ?? '', next[0]?.id ?? ''], 2)
      batch = await b.backend.batch('p')
      expect(batch).toMatchObject({ failed: 0, completed: 1 })
      expect(batch).not.toHaveProperty('endedAt')
      await b.runAll()
      batch = await b.backend.batch('p')
      expect(batch).toMatchObject({ total: 3, failed: 0, completed: 3, endedAt: b.now })
      expect(counted(batch?.stages)).toEqual([
        [3, 0, 0, 0],
        [3, 0, 0, 0],
      ])
    })

    it('are cancelled at every stage, and keep the index of every item', async () => {
      const b = await start(kit)
      await b.add(
        upTo(300).map(() => ({ name: 'a' })),
        { id: 'p', open: true, stages: [map('a'), map('b')] },
      )
      const host = b.host()
      const claimed = await host.claim(40)
      const order = [...claimed].sort((x, y) => (x.position % 3) - (y.position % 3))
      await host.complete(order.slice(0, 20))
      await host.complete(order.slice(20, 30))
      const marks = await b.all('parts', { batch: 'p', stage: 1, limit: 1 })
      const indexes = marks.flatMap(
        ({ indexes: list, start: first, from, to }) => list ?? upTo(to - from).map((i) => first + i),
      )
      const done = order.slice(0, 30).map(({ position }) => position)
      expect([...indexes].sort((x, y) => x - y)).toEqual(done.sort((x, y) => x - y))
      await host.complete(await host.claim(10))
      await b.change({ type: 'cancel-batch', batch: 'p', now: b.now }, 290)
      const batch = await b.backend.batch('p')
      expect(batch).toMatchObject({ total: 300, completed: 10, cancelled: 290, endedAt: b.now, open: false })
      expect(counted(batch?.stages)).toEqual([
        [30, 0, 0, 270],
        [10, 0, 0, 20],
      ])
      await host.complete(order.slice(30))
      expect(await b.backend.batch('p')).toEqual(batch)
      expect(await b.runAll()).toEqual([])
    })

    it('count an item that crashes', async () => {
      const b = await start(kit)
      await b.add([{ name: 'a' }], { id: 'p', stages: [map('a'), map('b')] })
      await b.runAll(1, () => undefined).then(() => undefined)
      await b.add([{ name: 'a' }], { id: 'q', stages: [map('a'), map('b')] })
      const host = b.host()
      await host.claim()
      await b.recover(b.host(), { maxCrashes: 1 })
      const batch = await b.backend.batch('q')
      expect(batch).toMatchObject({ total: 1, failed: 1, endedAt: b.now })
      expect(counted(batch?.stages)).toEqual([
        [0, 1, 0, 0],
        [0, 0, 0, 0],
      ])
    })

    it('at the least priority stay there', async () => {
      const b = await start(kit)
      await b.add([{ name: 'a', priority: -100 }], { id: 'p', stages: [map('a'), map('b')] })
      const host = b.host()
      await host.complete(await host.claim())
      expect(await host.claim()).toMatchObject([{ name: 'b', priority: -100 }])
    })
  })
}
