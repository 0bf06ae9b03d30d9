import { describe, expect, it } from 'vitest'
import { taskStates } from '../../src/task.js'
import { type Bench, type Kit, start, upTo } from './bench.js'

/** Tasks of two queues, several priorities and every state, in pieces. Returns their ids. */
async function variety(b: Bench): Promise<string[]> {
  const ids: string[] = []
  for (const queue of ['default', '__proto__']) {
    for (const priority of [-1, 0, 7]) {
      const names = upTo(150).map((i) => (i % 11 === 5 ? 'unknown' : 'work'))
      ids.push(...(await b.add(names.map((name) => ({ name, queue, priority })))))
      ids.push(...(await b.add(upTo(20).map((i) => ({ queue, priority, runAt: b.now + 1_000 + (i % 3) })))))
    }
  }
  const [one, two] = [b.host(), b.host()]
  const held = await one.claim(420, { names: ['work'] })
  const settle = held.flatMap((task, i) => {
    if (i % 10 < 4) return [one.done(task)]
    if (i % 10 < 6) return [one.failed(task)]
    if (i % 10 < 7) return [one.aside(task, { order: b.now + 50, attempt: 2 })]
    return i % 10 < 8 ? [one.aside(task)] : []
  })
  b.now += 1
  await one.exchange({ settle })
  await two.claim(30, { names: ['work'] })
  await b.cancel(ids.filter((_, i) => i % 13 === 3))
  await b.retry(ids.filter((_, i) => i % 29 === 3))
  return ids
}

export function listTests(kit: Kit): void {
  describe('read tasks', () => {
    it.each([1, 3, 50])(
      'lists every task once in the state it is in, %s on a page',
      async (limit) => {
        const b = await start(kit)
        const ids = await variety(b)
        const views = await b.backend.get(ids)
        const counts = await b.backend.counts()
        let sum = 0
        for (const state of taskStates) {
          const listed = await b.list(state, limit)
          expect(listed.length, state).toBe(counts[state])
          expect(listed.length, `no task is ${state}`).toBeGreaterThan(0)
          const expected = views.flatMap((view) => (view?.state === state ? view : []))
          const byId = (x: { id: string }, y: { id: string }) => (x.id < y.id ? -1 : 1)
          expect([...listed].sort(byId)).toEqual([...expected].sort(byId))
          const mine = await b.list(state, limit, '__proto__')
          expect(mine).toEqual(listed.filter(({ queue }) => queue === '__proto__'))
          expect(await b.list(state, limit, 'constructor')).toEqual([])
          sum += listed.length
        }
        expect(sum).toBe(ids.length)
      },
      60_000,
    )

    it('lists waiting tasks in the order they would run, and ended ones the newest first', async () => {
      const b = await start(kit)
      await b.add(upTo(30).map((input) => ({ input, priority: (input % 3) - 1 })))
      const host = b.host()
      const some = await host.claim(8)
      await host.exchange({ settle: some.map((task) => host.aside(task)) })
      await b.cancel((await b.list('available')).slice(3, 6).map(({ id }) => id))
      const waiting = (await b.list('available', 4)).map(({ id }) => id)
      const claimed = await host.claim(100)
      expect(claimed.map(({ id }) => id)).toEqual(waiting)
      const same = claimed.filter(({ priority }) => priority === 0)
      for (const task of same) {
        b.now += 1
        await host.complete([task])
      }
      const newest = (await b.list('completed', 4)).map(({ id }) => id)
      expect(newest).toEqual(same.map(({ id }) => id).reverse())
    })

    it.each(['completed', 'failed', 'cancelled'] as const)('lists no %s task twice while others end', async (state) => {
      const b = await start(kit)
      const ids = await b.add(100)
      const host = b.host()
      const seen: string[] = []
      let cursor: string | undefined
      const end = async (count: number) => {
        const claimed = await host.claim(count)
        if (state === 'cancelled') await b.cancel(claimed.map(({ id }) => id))
        else await (state === 'failed' ? host.fail(claimed) : host.complete(claimed))
        b.now += 1
      }
      await end(20)
      await end(20)
      for (let pages = 0; pages < 50; pages++) {
        const page = await b.backend.read('tasks', { state, limit: 3 }, cursor)
        seen.push(...page.items.map(({ id }) => id))
        if (page.next === undefined) break
        cursor = page.next
        await end(4)
      }
      expect(seen).toEqual(ids.slice(0, 40).reverse())
    })

    it.each([1, 3, 100])(
      'lists each gate once for each queue, whatever waits behind it, %i on a page',
      async (limit) => {
        const b = await start(kit)
        expect(await b.all('gates', { limit })).toEqual([])
        const names = Array.from({ length: 10 }, (_, i) => `n${i}`)
        for (const queue of ['a', '__proto__', '\ud800']) {
          await b.add(names.map((name) => ({ queue, name })))
          await b.add(Array.from({ length: 150 }, () => ({ queue, name: 'many' })))
          await b.add(Array.from({ length: 150 }, (_, i) => ({ queue, name: i % 2 === 0 ? 'odd' : 'even' })))
          await b.add([{ queue, runAt: b.now + 1_000 }])
        }
        await b.host().claim(10, { names: [] })
        const gates = [...names, 'many', 'odd', 'even'].map((name) => `handler:${name}`).sort()
        const expected = ['__proto__', 'a', '\ud800'].flatMap((queue) => gates.map((gate) => ({ queue, gate })))
        expect(await b.all('gates', { limit })).toEqual(expected)
      },
    )

    it('lists waiting tasks once each while others come, in new queues and at new priorities', async () => {
      const b = await start(kit)
      const fresh = (queue: string, priority: number) => ({ queue, priority, runAt: b.now + 1_000 })
      await b.add([fresh('z', 1)])
      const ids = await b.add(upTo(10).flatMap((i) => ({ queue: 'm', priority: i < 5 ? 1 : 3 })))
      const seen: string[] = []
      let cursor: string | undefined
      for (let pages = 0; pages < 50; pages++) {
        const page = await b.backend.read('tasks', { state: 'available', limit: 2 }, cursor)
        seen.push(...page.items.map(({ id }) => id))
        expect(page.items.map(({ state }) => state)).toEqual(page.items.map(() => 'available'))
        if (page.next === undefined) break
        cursor = page.next
        if (pages === 0) await b.add([fresh('a', 0)])
        if (pages === 1) await b.add([fresh('m', 0)])
        if (pages === 3) await b.add([fresh('m', 2)])
      }
      expect(seen).toEqual(ids)
    })

    it('lists scheduled tasks by time', async () => {
      const b = await start(kit)
      await b.add([5, 3, 9, 3].map((ms) => ({ runAt: b.now + ms })))
      expect((await b.list('scheduled', 1)).map(({ runAt }) => runAt)).toEqual([3, 3, 5, 9].map((ms) => b.now + ms))
    })
  })
}
