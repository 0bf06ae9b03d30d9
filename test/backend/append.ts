import { describe, expect, it } from 'vitest'
import { StorageError } from '../../src/errors.js'
import { type Bench, inputs, type Kit, start, upTo } from './bench.js'

const byPriority = [5, -100, 0, 100, -100, 5]

export function appendTests(kit: Kit): void {
  describe('add', () => {
    it('resolves with ids in order, each of its own, that sort as they were enqueued', async () => {
      const b = await start(kit)
      const ids = [...(await b.add(300)), ...(await b.add(1)), ...(await b.add(20))]
      expect(new Set(ids).size).toBe(321)
      expect([...ids].sort()).toEqual(ids)
      const views = await b.backend.get(ids)
      expect(inputs(views.flatMap((view) => view ?? []))).toEqual([...upTo(300), 0, ...upTo(20)])
      expect(views.map((view) => view?.id)).toEqual(ids)
    })

    it('asked for again by its nonce, answers with what is stored, and stores what is not', async () => {
      const b = await start(kit)
      const tasks = upTo(600).map((i) => ({
        queue: i % 3 ? 'a' : 'b',
        name: 'n',
        input: i,
        priority: i % 2,
        ...(i % 5 ? {} : { runAt: b.now + 1_000 }),
      }))
      const chunk = { id: 'imported', queue: 'a', offset: 0, open: true }
      for (const [nonce, batch] of [
        ['one', {}],
        ['two', { batch: chunk }],
      ] as const) {
        const options = { now: b.now, nonce, again: true, ...batch }
        const ids = await b.backend.add(tasks, options)
        await b.add(3)
        await b.added(300, { id: nonce })
        expect(await b.backend.add(tasks, options)).toEqual(ids)
        expect(inputs((await b.backend.get(ids.map((id) => id ?? ''))).flatMap((view) => view ?? []))).toEqual(
          upTo(600),
        )
      }
      expect(await b.counts()).toEqual({ available: 2 * (480 + 303), scheduled: 2 * 120 })
      expect(await b.backend.batch('imported')).toMatchObject({ total: 600 })
    })

    it('asked for again never stores twice, even if too much was stored since to tell', async () => {
      const b = await start(kit)
      const task = { queue: 'default', name: 'n', input: 0, priority: 0 }
      const ids = await b.backend.add([task], { now: b.now, nonce: 'old' })
      for (const i of upTo(4)) await b.added(upTo(70).map((n) => ({ input: 'x'.repeat(70_000 + i + n) })))
      const again = b.backend.add([task], { now: b.now, nonce: 'old', again: true })
      // Who remembers it may say so.
      expect(await again.catch((error: unknown) => error)).toSatisfy(
        (answer: unknown) =>
          (answer instanceof StorageError && answer.code === 'lost') || JSON.stringify(answer) === JSON.stringify(ids),
      )
      expect(await b.counts()).toEqual({ available: 281 })
    })

    it('asked for again for a batch, tells how many of a chunk it had before, and stores the rest once', async () => {
      const b = await start(kit)
      const batch = { id: 'imported', queue: 'default', offset: 0, open: true }
      const like = { queue: 'default', name: 'n', priority: 0 }
      const alike = { ...like, inputs: upTo(300), sizes: upTo(300).map(() => 8) }
      const options = { now: b.now, nonce: 'mine', batch }
      // An import that was interrupted; this is the one that goes on.
      await b.added(44, batch)
      await b.backend.addAlike(alike, options)
      expect(await b.backend.addAlike(alike, { ...options, again: true })).toBe(44)
      expect(await b.backend.batch('imported')).toMatchObject({ total: 300, open: true })
      // So much within a minute that its blocks are not found any more: the batch knows that it has all of it.
      for (const n of upTo(4)) await b.added(upTo(70).map(() => ({ input: 'x'.repeat(70_000 + n) })))
      expect([44, 300]).toContain(await b.backend.addAlike(alike, { ...options, again: true }))
      const next = { ...options, nonce: 'next', batch: { ...batch, offset: 300 }, again: true }
      expect(await b.backend.addAlike(alike, next)).toBe(0)
      expect(await b.backend.batch('imported')).toMatchObject({ total: 600, open: true })
      expect(await b.counts()).toEqual({ available: 600 + 280 })
    })

    it('asked for again for the end of a batch, which had no inputs, ends it', async () => {
      const b = await start(kit)
      const batch = { id: 'imported', queue: 'default', offset: 0, open: true }
      await b.added(3, batch)
      await b.runAll()
      const none = { queue: 'default', name: 'n', priority: 0, inputs: [], sizes: [] }
      const options = { now: b.now, nonce: 'end', again: true, batch: { ...batch, offset: 3, open: false } }
      for (let asked = 0; asked < 2; asked++) {
        await b.backend.addAlike(none, options)
        expect(await b.backend.batch('imported')).toMatchObject({ total: 3, completed: 3, open: false, endedAt: b.now })
      }
    })

    it('stores all there is to a task', async () => {
      const b = await start(kit)
      const settings = { timeout: 5, meta: { a: 1 }, retry: { attempts: 9 } }
      const [id = '', other = ''] = await b.add([
        { queue: 'q', name: 'n', input: { deep: [new Date(7)] }, priority: -3, settings },
        { queue: 'q', name: 'm', input: undefined, priority: -3 },
      ])
      const shared = { queue: 'q', state: 'available', priority: -3, attempt: 1, crashes: 0, enqueuedAt: b.now }
      expect(await b.view(id)).toEqual({ id, name: 'n', input: { deep: [new Date(7)] }, settings, ...shared })
      expect(await b.view(other)).toEqual({ id: other, name: 'm', input: undefined, settings: {}, ...shared })
      const [claimed] = await b.host().claim(1)
      expect(claimed).toMatchObject({
        id,
        queue: 'q',
        name: 'n',
        priority: -3,
        enqueuedAt: b.now,
        settings,
        attempt: 1,
      })
    })

    it('runs tasks in order, by priority, the lower first', async () => {
      const b = await start(kit)
      await b.add(byPriority.map((priority, i) => ({ priority, input: `${priority}:${i}` })))
      await b.add(byPriority.map((priority, i) => ({ priority, input: `${priority}:${i + 6}` })))
      const order = [-100, 0, 5, 100].flatMap((p) =>
        [...byPriority, ...byPriority].flatMap((q, i) => (q === p ? [`${p}:${i}`] : [])),
      )
      expect(await b.runAll(5)).toEqual(order)
    })

    it('isolates what it stores from the caller', async () => {
      const b = await start(kit)
      const input = { n: 1 }
      const [id = ''] = await b.add([{ input }])
      input.n = 2
      expect(await b.view(id)).toMatchObject({ input: { n: 1 } })
      const view = await b.view(id)
      Object.assign(view?.input ?? {}, { n: 3 })
      expect(await b.view(id)).toMatchObject({ input: { n: 1 } })
    })

    it('stores nothing if one input cannot be cloned, and takes the next ones', async () => {
      const b = await start(kit)
      await b.add(3)
      await expect(b.add([{ input: 1 }, { input: () => {} }])).rejects.toMatchObject({ code: 'uncloneable' })
      expect(await b.counts()).toEqual({ available: 3 })
      await b.add([{ input: 3 }])
      expect(await b.runAll()).toEqual(upTo(4))
    })

    it('stores no tasks at all', async () => {
      const b = await start(kit)
      expect(await b.add([])).toEqual([])
      expect(await b.counts()).toEqual({})
      expect(await b.backend.batch('none')).toBeUndefined()
    })

    it('keeps many appends at once apart', async () => {
      const b = await start(kit)
      await b.add(1)
      const all = await Promise.all(
        upTo(20).map((n) => b.add([{ input: `${n}a` }, { input: `${n}b`, priority: n % 2 }])),
      )
      expect(new Set(all.flat()).size).toBe(40)
      expect((await b.runAll()).sort()).toEqual([0, ...upTo(20).flatMap((n) => [`${n}a`, `${n}b`])].sort())
    })
  })

  describe('an exchange that is asked for as tasks are about to be stored', () => {
    /** Stores them; `ask` is called as they are about to be, once. */
    async function addWith<T>(b: Bench, ask: () => Promise<T>, tasks: Parameters<Bench['add']>[0]) {
      let asked: Promise<T> | undefined
      const stop = b.backend.appends?.listen({
        offered: () => {
          asked ??= ask()
        },
        begun: () => {},
      })
      const [added] = await Promise.allSettled([b.add(tasks)])
      stop?.()
      return { added, asked: await asked }
    }

    /** The lane is known, and the host. */
    async function begun() {
      const b = await start(kit)
      await b.add(['before'].map((input) => ({ input })))
      const host = b.host()
      await host.complete(await host.claim())
      return { b, host }
    }

    it('claims them', async () => {
      const { b, host } = await begun()
      if (!b.backend.appends) return
      const { added, asked } = await addWith(b, () => host.claim(2), 3)
      expect(inputs(asked ?? [])).toEqual([0, 1])
      const ids = added.status === 'fulfilled' ? added.value : []
      expect(await b.states(ids)).toEqual(['running', 'running', 'available'])
      await host.complete(asked ?? [])
      expect(await b.runAll()).toEqual([2])
    })

    it('is one of several: each task is claimed once', async () => {
      const { b, host } = await begun()
      if (!b.backend.appends) return
      const other = b.host()
      const { asked = [] } = await addWith(b, () => Promise.all([host.claim(1), other.claim(1)]), 3)
      const rest = await b.host().claim()
      expect(inputs([...asked.flat(), ...rest]).sort()).toEqual([0, 1, 2])
    })

    it('is answered although they are refused', async () => {
      const { b, host } = await begun()
      // An append that was repeated knows no tail: the next one reads, and nothing can go with it.
      if (!b.backend.appends || b.repeats) return
      await b.add(['waits'].map((input) => ({ input })))
      const { added, asked } = await addWith(b, () => host.claim(), [{ input: 1 }, { input: () => {} }])
      expect(added).toMatchObject({ status: 'rejected', reason: { code: 'uncloneable' } })
      expect(inputs(asked ?? [])).toEqual(['waits'])
      expect(await b.counts()).toEqual({ running: 1, completed: 1 })
    })

    it('is refused although they are stored', async () => {
      const { b, host } = await begun()
      if (!b.backend.appends || b.repeats) return
      const [task] = await b.add(1)
      const [held] = await host.claim()
      if (!held) throw new Error(`${task} was not claimed.`)
      const refused = () =>
        host.exchange({ settle: [host.done(held, { value: () => {} })], claim: { limit: 5 } }).catch((error) => error)
      const { added, asked } = await addWith(b, refused, [{ input: 'new' }])
      expect(added.status).toBe('fulfilled')
      expect(asked).toMatchObject({ code: 'uncloneable' })
      expect(await b.counts()).toEqual({ available: 1, running: 1, completed: 1 })
    })

    it('is of a host that was voided: they are stored', async () => {
      const { b, host } = await begun()
      if (!b.backend.appends) return
      await b.recover(b.host())
      const { added, asked } = await addWith(b, () => host.exchange({ claim: { limit: 5 } }), 1)
      expect(asked?.fenced).toBe(true)
      expect(added.status).toBe('fulfilled')
      expect(await b.runAll()).toEqual([0])
    })
  })

  describe('add with a time', () => {
    it('keeps a task scheduled until it is claimed at that time or later', async () => {
      const b = await start(kit)
      const [late = '', soon = '', now = '', past = ''] = await b.add([
        { runAt: b.now + 100, input: 'late' },
        { runAt: b.now + 50, input: 'soon' },
        { runAt: b.now, input: 'now' },
        { runAt: b.now - 5, input: 'past' },
      ])
      expect(await b.states([late, soon, now, past])).toEqual(['scheduled', 'scheduled', 'available', 'available'])
      expect(await b.view(late)).toMatchObject({ runAt: b.now + 100 })
      expect(await b.view(now)).not.toHaveProperty('runAt')
      expect(await b.counts()).toEqual({ scheduled: 2, available: 2 })
      const host = b.host()
      const idle = () => host.exchange({ claim: { limit: 10 } })
      expect(inputs(await host.claim())).toEqual(['now', 'past'])
      expect((await idle()).wakeAt).toBe(b.now + 50)
      b.now += 60
      expect(await b.states([soon])).toEqual(['scheduled'])
      expect(inputs(await host.claim())).toEqual(['soon'])
      expect((await idle()).wakeAt).toBe(b.now + 40)
      b.now += 40
      expect(inputs(await host.claim())).toEqual(['late'])
      expect((await idle()).wakeAt).toBeUndefined()
      expect(await b.states([soon, late])).toEqual(['running', 'running'])
    })

    it('runs due tasks by time, those of one time in order, before the others of their priority', async () => {
      const b = await start(kit)
      await b.add([{ input: 'line' }, { input: 'low', priority: 1 }])
      await b.add([9, 8, 9, 8].map((ms, i) => ({ runAt: b.now + ms, input: `${ms}:${i}` })))
      await b.add([{ runAt: b.now + 9, input: '9:4' }])
      b.now += 10
      expect(await b.runAll(2)).toEqual(['8:1', '8:3', '9:0', '9:2', '9:4', 'line', 'low'])
    })

    it('tells when a scheduled task of any queue and priority is due', async () => {
      const b = await start(kit)
      await b.add([{ runAt: b.now + 300, queue: 'a', priority: -1 }])
      await b.add([{ runAt: b.now + 200, queue: 'b', priority: 7 }])
      const host = b.host()
      expect(await host.claim()).toEqual([])
      const { claimed, wakeAt, more } = await host.exchange({ claim: { limit: 1 } })
      expect({ claimed, wakeAt, more }).toEqual({ claimed: [], wakeAt: b.now + 200, more: false })
    })
  })

  describe('add of large values', () => {
    it('takes inputs over 64 kB, and many of middling size', async () => {
      const b = await start(kit)
      const sizes = [10, 70_000, 20, 200_000, 30, 30, ...Array<number>(12).fill(30_000)]
      const ids = await b.add(sizes.map((size) => ({ input: 'x'.repeat(size) })))
      const views = await b.backend.get(ids)
      expect(views.map((view) => String(view?.input).length)).toEqual(sizes)
      expect((await b.runAll(4)).map((input) => String(input).length)).toEqual(sizes)
    })
  })
}
