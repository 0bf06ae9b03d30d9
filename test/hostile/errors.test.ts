import { describe, expect, test } from 'vitest'
import { app, backends, leavesPrototypesAlone } from './app.js'
import { thrown } from './thrown.js'

leavesPrototypesAlone()

const ways = ['throws', 'rejects', 'rejects from a thenable'] as const

describe.each(backends)('errors in %s', (_, make) => {
  test.each(Object.keys(thrown))('%s: is recorded, however it is thrown, and others go on', async (what) => {
    const { make: error, record } = thrown[what] ?? { make: () => {}, record: {} }
    const { queue, complaints } = await app(make(), {
      fail: (way: (typeof ways)[number]) => {
        if (way === 'throws') throw error()
        return way === 'rejects'
          ? Promise.reject(error())
          : thenable({ value: (_: unknown, reject: (e: unknown) => void) => reject(error()) })
      },
      fine: () => 'fine',
    })
    for (const way of ways) {
      const task = await queue.enqueue('fail', way, { retry: { attempts: 1 } })
      const result = await queue.getResult(task.id)
      expect(result).toMatchObject({ status: 'failed', attempts: 1, error: record })
      await expect(task.result()).rejects.toMatchObject({ name: 'TaskFailedError', error: record })
    }
    const { items } = await queue.list({ state: 'failed' })
    expect(items).toHaveLength(3)
    expect(await (await queue.enqueue('fine')).result()).toBe('fine')
    expect(complaints).toEqual([])
  })

  test('an error that is retried is told while the task waits', async () => {
    const { queue } = await app(make(), { fail: () => Promise.reject(thrown['1,000 causes in a circle']?.make()) })
    const task = await queue.enqueue('fail', null, { retry: { delay: 3_600_000 } })
    await expect.poll(async () => (await task.get())?.state).toBe('scheduled')
    expect(await task.get()).toMatchObject({ lastError: { message: '1', cause: { message: '2' } } })
  })

  test('thenables that throw, settle twice or never do no harm', async () => {
    const { queue } = await app(make(), {
      throws: () =>
        thenable({
          value: () => {
            throw new Error('in then')
          },
        }),
      trapped: () =>
        thenable({
          get: () => {
            throw new Error('getter')
          },
        }),
      twice: () =>
        thenable({
          value: (ok: (value: unknown) => void, no: (error: unknown) => void) => {
            ok('first')
            ok('second')
            no('third')
          },
        }),
      never: { run: () => thenable({ value: () => {} }), timeout: 50 },
      fine: () => 'fine',
    })
    const once = { retry: { attempts: 1 } }
    const [throws, trapped, twice, never, fine] = await Promise.all(
      ['throws', 'trapped', 'twice', 'never', 'fine'].map((name) => queue.enqueue(name, null, once)),
    )
    expect(await fine?.result()).toBe('fine')
    expect(await twice?.result()).toBe('first')
    await expect(throws?.result()).rejects.toThrow('in then')
    await expect(trapped?.result()).rejects.toThrow('getter')
    await expect(never?.result()).rejects.toMatchObject({ code: 'timeout' })
  })

  test('a context says so when it is used after its handler has ended', async () => {
    const late: (() => void)[] = []
    const { queue } = await app(make(), {
      leak: (_: unknown, ctx) => {
        late.push(
          () => ctx.enqueue('leak'),
          () => ctx.endBatch('x'),
        )
        return ctx.signal.aborted
      },
    })
    expect(await (await queue.enqueue('leak')).result()).toBe(false)
    for (const use of late) expect(use).toThrow(expect.objectContaining({ code: 'ended' }))
    expect(await queue.counts()).toMatchObject({ completed: 1, available: 0 })
  })
})

const thenable = (then: PropertyDescriptor): object => Object.defineProperty({}, 'then', then)
