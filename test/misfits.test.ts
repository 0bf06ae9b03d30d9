import { describe, expect, onTestFinished, test } from 'vitest'
import { defineHandlers, type HandlerMap } from '../src/handlers.js'
import { inline } from '../src/inline.js'
import { MemoryBackend } from '../src/memory/index.js'
import { pipeline } from '../src/pipeline.js'
import { TaskQueue } from '../src/queue.js'
import { TaskWorker } from '../src/worker.js'
import { World, type WorldOptions } from './support/world.js'

function world(options?: WorldOptions): World {
  const made = new World(options)
  onTestFinished(() => made.end())
  return made
}

const misfit = { do: 'misfit', why: 'input.email: expected string' } as const

describe('a task whose input does not fit its handler', () => {
  test('is blocked with the reason, and no attempt is charged; the others go on', async () => {
    const w = world()
    const tab = w.tab()
    await tab.worker.start()
    const ids = await w.add([{ do: 'ok' }, misfit, { do: 'ok' }])
    await w.clock.advance(1_000)
    expect(await w.states(ids)).toEqual(['completed', 'blocked', 'completed'])
    expect(await w.backend.get(ids.slice(1, 2))).toMatchObject([
      { state: 'blocked', why: 'input.email: expected string', attempt: 1, crashes: 0, input: misfit },
    ])
    expect(await w.backend.counts()).toMatchObject({ blocked: 1, completed: 2, failed: 0 })
  })

  test('keeps the attempts it has made', async () => {
    const w = world()
    const tab = w.tab()
    await tab.worker.start()
    const [id = ''] = await w.add([{ do: 'fail', times: 1 }])
    // The worker file was replaced before the second attempt.
    tab.executor.rescript = (input) => (tab.executor.began.length > 1 ? misfit : input)
    await w.clock.advance(10_000)
    expect(await w.backend.get([id])).toMatchObject([{ state: 'blocked', attempt: 2 }])
  })

  test('is not tried again by the same host, and once by each that begins', async () => {
    const w = world()
    const tab = w.tab()
    await tab.worker.start()
    const [id = ''] = await w.add([misfit])
    await w.clock.advance(3_600_000)
    expect(tab.executor.began).toHaveLength(1)
    for (const tries of [2, 3]) {
      await tab.worker.stop()
      await tab.worker.start()
      await w.clock.advance(3_600_000)
      expect(tab.executor.began).toHaveLength(tries)
    }
    expect(await w.states([id])).toEqual(['blocked'])
    tab.executor.rescript = () => ({ do: 'ok' })
    await tab.worker.stop()
    await tab.worker.start()
    expect(await w.ended([id], 1_000)).toEqual(['completed'])
  })

  test('goes on by retry(), and ends by cancel()', async () => {
    const w = world()
    const tab = w.tab()
    await tab.worker.start()
    const [again = '', gone = ''] = await w.add([{ ...misfit, times: 1 }, misfit])
    await w.clock.advance(1_000)
    expect(await w.states([again, gone])).toEqual(['blocked', 'blocked'])
    expect(await w.change({ type: 'retry', ids: [again], now: w.clock.now() })).toBe(1)
    expect(await w.ended([again], 1_000)).toEqual(['completed'])
    await w.cancel(gone)
    expect(await w.states([gone])).toEqual(['cancelled'])
    expect((await w.backend.counts()).blocked).toBe(0)
  })

  test('is no missing handler: nobody asks for the role because of it', async () => {
    const w = world()
    const table = { work: {}, old: {} }
    const a = w.tab({ table })
    await a.worker.start()
    await w.add([misfit])
    const b = w.tab({ table: { ...table, fresh: {} } })
    await b.worker.start()
    await w.clock.advance(60_000)
    expect([a.worker.role, b.worker.role]).toEqual(['host', 'standby'])
    // Neither when the host after it does not have the handler at all.
    await Promise.all([a.worker.stop(), b.worker.stop()])
    const c = w.tab({ table: { old: {} } })
    await c.worker.start()
    await b.worker.start()
    await w.clock.advance(60_000)
    expect([c.worker.role, b.worker.role]).toEqual(['host', 'standby'])
    expect(w.hints.filter(({ type }) => type === 'wanted')).toEqual([])
    expect(w.hints.filter((hint) => hint.type === 'pong' && hint.parked.length > 0)).toEqual([])
  })

  test('does not keep others waiting, however many there are', { timeout: 60_000 }, async () => {
    const w = world()
    const first = w.tab({ slots: 4 })
    await first.worker.start()
    const odd = await w.add(Array.from({ length: 2_500 }, (_, i) => ({ ...misfit, why: `input[${i}]: is odd` })))
    await w.clock.until(async () => (await w.backend.counts()).blocked === odd.length)
    await first.worker.stop()
    const next = w.tab({ slots: 4 })
    const fit = await w.add(Array.from({ length: 1_000 }, () => ({ do: 'ok', ms: 1 }) as const))
    await next.worker.start()
    await w.ended(fit)
    // They come back in slices of 512, with other work between them.
    expect(next.executor.began.length - fit.length).toBeLessThan(odd.length)
    await w.clock.until(async () => {
      const { blocked, running, available } = await w.backend.counts()
      return (
        next.executor.began.length >= odd.length + fit.length && blocked === odd.length && running + available === 0
      )
    })
    await w.clock.advance(600_000)
    expect(next.executor.began).toHaveLength(odd.length + fit.length)
    expect(new Set(next.executor.began.map(({ id }) => id)).size).toBe(odd.length + fit.length)
  })

  test('is tried a limited number of times by several hosts at once', async () => {
    const w = world({ locks: false })
    const [a, b] = [w.tab({ slots: 4 }), w.tab({ slots: 4 })]
    await a.worker.start()
    await w.add(Array.from({ length: 3_000 }, () => misfit))
    await w.clock.until(async () => (await w.backend.counts()).blocked === 3_000)
    await b.worker.start()
    await w.clock.advance(600_000)
    expect(a.executor.began.length + b.executor.began.length).toBeLessThanOrEqual(6_000)
  })
})

describe('with real handlers', () => {
  interface Users {
    v1: string
    v2: { email: string }
  }
  const v1 = defineHandlers({ mail: (to: Users['v1']) => `mailed ${to}` })
  const send = ({ email }: Users['v2']) => `mailed ${email}`
  const isUser = (stored: unknown): stored is Users['v2'] => typeof Object(stored).email === 'string'
  const strict = defineHandlers({
    mail: {
      run: send,
      input: (stored) => {
        if (isUser(stored)) return stored
        throw new TypeError(`expected a user, not ${typeof stored}`)
      },
    },
  })
  const converting = defineHandlers({
    mail: {
      run: send,
      input: (stored) => {
        if (typeof stored === 'string') return { email: stored }
        if (isUser(stored)) return stored
        throw new TypeError('expected a user')
      },
    },
  })

  function app<Handlers extends HandlerMap>(_: Handlers) {
    const queue = new TaskQueue<Handlers>({ backend: new MemoryBackend() })
    const begin = async (served: HandlerMap) => {
      const worker = new TaskWorker(queue, { executor: inline(served) })
      onTestFinished(() => worker.stop({ grace: 0 }))
      await worker.drain()
    }
    return { queue, begin }
  }

  test('is listed with its reason; a version that converts the old form runs it as it was stored', async () => {
    const { queue, begin } = app(v1)
    const task = await queue.enqueue('mail', 'ada@example.org')
    await begin(strict)
    const { items } = await queue.list({ state: 'blocked' })
    expect(items).toMatchObject([
      { id: task.id, name: 'mail', input: 'ada@example.org', why: 'input: expected a user, not string', attempt: 1 },
    ])
    expect(await task.retry()).toBe(true)
    expect(await task.retry()).toBe(false)
    await begin(strict)
    expect((await queue.counts()).blocked).toBe(1)
    await begin(converting)
    expect(await task.result({ timeout: 0 })).toBe('mailed ada@example.org')
  })

  test('runs when the check is gone', async () => {
    const { queue, begin } = app(v1)
    const task = await queue.enqueue('mail', 'ada@example.org')
    await begin(strict)
    await begin(v1)
    expect(await task.result({ timeout: 0 })).toBe('mailed ada@example.org')
  })

  test('holds its batch open, which shows it; cancelling it ends the batch', async () => {
    const { queue, begin } = app(v1)
    const batch = await queue.enqueueMany('mail', ['ada@example.org', 'bob@example.org'])
    await begin({
      mail: {
        run: (to: string) => to,
        input: (stored) => {
          if (String(stored).startsWith('bob')) throw new Error('no bobs')
          return stored
        },
      },
    })
    expect(await batch.progress()).toMatchObject({ total: 2, done: 1, completed: 1 })
    const [held] = (await queue.list({ state: 'blocked' })).items
    expect(held).toMatchObject({ why: 'input: no bobs', batch: batch.id })
    await queue.task(held?.id ?? '').cancel()
    expect(await batch.collect({ timeout: 0 })).toMatchObject([{ status: 'completed' }, { status: 'cancelled' }])
  })

  test('holds back an item of a pipeline at its stage, and goes on from there', async () => {
    const stages = defineHandlers({ upper: (text: string) => text.toUpperCase(), again: (text: string) => text })
    const { queue, begin } = app(stages)
    const run = await pipeline<typeof stages>('shout').map('upper').map('again').run(queue, ['a', 'b'])
    await begin({ ...stages, again: { run: stages.again, input: refuse('B') } })
    expect(await run.progress()).toMatchObject({ total: 2, done: 1 })
    await begin(stages)
    expect(await run.collect({ timeout: 0 })).toMatchObject([{ value: 'A' }, { value: 'B' }])
  })
})

const refuse =
  (what: string) =>
  (stored: unknown): unknown => {
    if (stored === what) throw new Error(`no ${what}`)
    return stored
  }
