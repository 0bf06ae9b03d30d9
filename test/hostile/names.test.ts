import { describe, expect, test } from 'vitest'
import { InvalidOptionError } from '../../src/errors.js'
import type { HandlerMap } from '../../src/handlers.js'
import { pipeline } from '../../src/pipeline.js'
import { app, backends, leavesPrototypesAlone, names } from './app.js'

leavesPrototypesAlone()

const shown = (name: string) => JSON.stringify(name.length > 40 ? `${name.slice(0, 10)}… (${name.length})` : name)
const named = names.map((name) => [shown(name), name] as const)

/** fromEntries: even `__proto__` becomes a property of its own. */
const serving = (all: readonly string[]): HandlerMap =>
  Object.fromEntries(all.map((name) => [name, (input: unknown) => ({ by: name, input })]))

describe.each(backends)('names in %s', (_, make) => {
  test('handlers may have any name, and each runs its own tasks', async () => {
    const { queue } = await app(make(), serving(names))
    const tasks = await Promise.all(names.map((name) => queue.enqueue(name, { for: name })))
    for (const [i, task] of tasks.entries()) {
      expect(await task.result()).toEqual({ by: names[i], input: { for: names[i] } })
      expect((await task.get())?.name).toBe(names[i])
    }
  })

  test('names that every object has are no handlers: their tasks wait, and say so', async () => {
    const { queue } = await app(make(), { known: () => 1 })
    const tasks = await Promise.all(names.map((name) => queue.enqueue(name)))
    expect(await (await queue.enqueue('known')).result()).toBe(1)
    await expect.poll(async () => (await queue.counts()).blocked).toBe(names.length)
    for (const [i, task] of tasks.entries()) {
      expect(await task.get()).toMatchObject({
        state: 'blocked',
        why: `No handler named '${names[i]}' is served here.`,
      })
    }
    expect((await queue.list({ state: 'blocked', limit: 1_000 })).items).toHaveLength(names.length)
  })

  test.each(named)('queue, batch, task and meta may be called %s', async (_, name) => {
    const { queue } = await app(make(), {
      ...serving([name]),
      look: (_: unknown, { meta }) => meta,
      follow: (_: unknown, ctx) => {
        ctx.enqueue(name, 'followed', { queue: name, batch: `${name}2`, meta: { [name]: 1 } })
        ctx.endBatch(name)
      },
    })
    const meta = Object.fromEntries([[name, { [name]: 'x' }]])
    const seen = await (await queue.enqueue('look', null, { queue: name, meta })).result()
    expect(Object.entries(Object(seen))).toEqual(Object.entries(meta))
    const batch = await queue.enqueueMany('look', [1, 2, 3], { queue: name, id: name, meta, open: true })
    expect(batch.id).toBe(name)
    await (await queue.enqueue('follow', null, { queue: name })).result()
    expect(await batch.collect()).toHaveLength(3)
    expect(await (await queue.batch(`${name}2`))?.collect()).toMatchObject([
      { status: 'completed', name, value: { by: name, input: 'followed' } },
    ])
    expect(await queue.counts(name)).toMatchObject({ completed: 6, available: 0 })
    expect(new Set((await queue.batches()).items.map(({ id }) => id))).toEqual(new Set([name, `${name}2`]))
    await queue.pause(name)
    const later = await queue.enqueue('look', null, { queue: name })
    expect(await queue.clear({ queue: name, reason: name })).toBe(1)
    expect(await queue.getResult(later.id)).toMatchObject({ status: 'cancelled', reason: name })
  })

  test('a pipeline may go through stages and fields of any name', async () => {
    const handlers = {
      ...serving(names),
      judge: ({ field, on }: { field: string; on: boolean }): Record<string, boolean> =>
        Object.fromEntries([[field, on]]),
    }
    const { queue } = await app<typeof handlers>(make(), handlers)
    for (const field of names) {
      const run = await pipeline<typeof handlers>(field)
        .map('judge')
        .filter(field)
        .run(queue, [
          { field, on: true },
          { field, on: false },
          { field: 'other', on: true },
        ])
      expect(await run.collect()).toHaveLength(1)
      expect(await run.progress()).toMatchObject({ total: 3, completed: 1, dropped: 2 })
    }
  })

  test('a name that is no text, or empty, is refused before anything is written', async () => {
    const { queue } = await app(make(), serving(['known']))
    const odd: unknown[] = [
      '',
      undefined,
      null,
      0,
      {},
      [],
      Symbol('x'),
      { toString: () => 'known' },
      new String('known'),
    ]
    for (const name of odd) {
      await expect(Reflect.apply(queue.enqueue, queue, [name])).rejects.toThrow(InvalidOptionError)
    }
    expect(await queue.counts()).toMatchObject({ available: 0, blocked: 0, completed: 0 })
  })
})
