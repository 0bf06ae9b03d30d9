import { describe, expect, test } from 'vitest'
import type { HandlerMap } from '../../src/handlers.js'
import { inline } from '../../src/inline.js'
import { TaskQueue } from '../../src/queue.js'
import { TaskWorker } from '../../src/worker.js'
import { backends, leavesPrototypesAlone } from './app.js'

leavesPrototypesAlone()

const COUNT = 10_000
const unknown = Array.from({ length: COUNT }, (_, i) => `handler ${i}`)

describe.each(backends)('10,000 names that no handler has, in %s', (_, make) => {
  test('are parked, others go on, and a later host that has them runs all', { timeout: 120_000 }, async () => {
    const queue = new TaskQueue({ backend: make() })
    const times: Record<string, number> = {}
    const measure = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
      const began = performance.now()
      const done = await work()
      times[what] = Math.round(performance.now() - began)
      return done
    }
    const serve = (handlers: HandlerMap) => new TaskWorker(queue, { executor: inline(handlers) })

    await measure('enqueue', () => Promise.all(unknown.map((name, i) => queue.enqueue(name, i))))
    const before = await queue.enqueueMany(
      'known',
      Array.from({ length: 1_000 }, (_, i) => i),
    )
    const old = serve({ known: (n: number) => n })
    await measure('start', () => old.start())
    await measure('1,000 others behind them', () => before.collect({ timeout: 60_000 }))
    expect(await queue.counts()).toMatchObject({ blocked: COUNT, completed: 1_000, available: 0 })
    await measure('one more', async () => (await queue.enqueue('known', 1)).result())
    await old.stop()

    const still = serve({ known: (n: number) => n })
    await measure('start of a host that has none of them', () => still.start())
    await measure('its first task', async () => (await queue.enqueue('known', 1)).result())
    await still.stop()

    const newer = serve(Object.fromEntries(unknown.map((name) => [name, (n: number) => n])))
    await measure('start of a host that has all', () => newer.start())
    await measure('all', () =>
      expect.poll(async () => (await queue.counts()).completed, { timeout: 60_000 }).toBe(COUNT + 1_002),
    )
    expect(await queue.counts()).toMatchObject({ blocked: 0, available: 0, running: 0, failed: 0 })
    await newer.stop()
    await queue.close()
    console.info(JSON.stringify(times))
  })
})
