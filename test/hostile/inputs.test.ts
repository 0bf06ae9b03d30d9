import { describe, expect, test } from 'vitest'
import { InvalidInputError, InvalidOptionError } from '../../src/errors.js'
import { app, backends, leavesPrototypesAlone } from './app.js'
import { kept, long, longClones, refused } from './values.js'

leavesPrototypesAlone()

describe.each(backends)('inputs in %s', (_, make) => {
  test.each(kept)(
    '%s: arrives as stored, in the handler, its result, its meta and a list',
    async (_, value, arrives) => {
      const expected = arrives ?? value()
      const seen: unknown[] = []
      const { queue } = await app(make(), {
        echo: (input: unknown, { meta }) => {
          seen.push(input, meta)
          return input
        },
      })
      const task = await queue.enqueue('echo', value(), { meta: value() })
      const result = await task.result()
      const [listed] = (await queue.list({ state: 'completed' })).items
      for (const each of [...seen, result, listed?.input, listed?.settings.meta]) expect(each).toStrictEqual(expected)
      expect(seen).toHaveLength(2)
    },
  )

  test('an array of 4,000,000,000 with two items costs what two items cost', async ({ skip }) => {
    skip(...longClones)
    const { queue } = await app(make(), { echo: (input: unknown) => input })
    const results = await (await queue.enqueueMany('echo', [long(), long(), long()])).collect()
    for (const result of results) {
      const value = result.status === 'completed' ? Object(result.value) : undefined
      expect(value.length).toBe(4_000_000_000)
      expect(Object.entries(value)).toEqual([
        ['7', 'x'],
        ['3999999999', { y: 1 }],
      ])
    }
    const flawed = Object.assign(long(), { 9: () => {} })
    await expect(queue.enqueue('echo', flawed)).rejects.toMatchObject({ path: 'input[9]' })
  })

  test.each(refused)('%s: is refused with the path to it, and nothing is written', async (_, value, path) => {
    const { queue } = await app(make(), { echo: (input: unknown) => input })
    const error = async (storing: Promise<unknown>) => {
      const thrown = await storing.catch((error: unknown) => error)
      expect(thrown).toBeInstanceOf(InvalidInputError)
      return thrown instanceof InvalidInputError ? thrown.path : undefined
    }
    expect(await error(queue.enqueue('echo', value()))).toBe(`input${path}`)
    expect(await error(queue.enqueue('echo', 1, { meta: value() }))).toBe(`meta${path}`)
    expect(await error(queue.enqueueMany('echo', [1, value()], { id: 'batch' }))).toBe(`input[1]${path}`)
    expect(await queue.counts()).toEqual({
      blocked: 0,
      scheduled: 0,
      available: 0,
      running: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
    })
  })

  test.each(refused)(
    'a handler that returns %s fails once, with the path, and others go on',
    async (_, value, path) => {
      const { queue, complaints } = await app(make(), { make: () => value(), echo: (input: unknown) => input })
      const task = await queue.enqueue('make')
      const after = await queue.enqueue('echo', 'fine')
      const result = await queue.getResult(task.id)
      // A promise is what handlers may return: what it comes to is the result.
      expect(result).toMatchObject({ status: 'failed', attempts: 1, error: { code: 'uncloneable', retryable: false } })
      expect(result?.status === 'failed' && result.error.message).toContain(`output${path} cannot be stored`)
      expect(await after.result()).toBe('fine')
      expect(complaints).toEqual([])
    },
  )

  test.each(refused)('a handler that enqueues %s fails, and nothing of it is stored', async (_, value, path) => {
    const { queue } = await app(make(), {
      follow: (_: unknown, ctx) => {
        ctx.enqueue('echo', 'fine')
        ctx.enqueue('echo', value())
      },
    })
    const task = await queue.enqueue('follow', null, { retry: { attempts: 1 } })
    const result = await queue.getResult(task.id)
    expect(result).toMatchObject({ status: 'failed', error: { code: 'invalid-input' } })
    expect(result?.status === 'failed' && result.error.message).toContain(`input${path} cannot be stored`)
    expect(await queue.counts()).toMatchObject({ failed: 1, available: 0, blocked: 0 })
  })

  test('a refusal is short, however long what it refuses', async () => {
    const { queue } = await app(make(), { echo: (input: unknown) => input })
    const odd: unknown[] = [
      'x'.repeat(1_000_000),
      () => 'x'.repeat(1_000),
      { x: 'y'.repeat(1_000_000) },
      Symbol('x'),
      5n,
    ]
    for (const priority of odd) {
      const error: unknown = await Reflect.apply(queue.enqueue, queue, ['echo', 1, { priority }]).catch(
        (e: unknown) => e,
      )
      expect(error).toBeInstanceOf(InvalidOptionError)
      expect(String(error).length).toBeLessThan(250)
    }
  })

  test('options are read once, and what their getters throw is thrown before anything is written', async () => {
    const { queue } = await app(make(), { echo: (input: unknown) => input })
    const reads: string[] = []
    const options = (durability: () => 'relaxed' | 'strict') => ({
      get queue() {
        reads.push('queue')
        return 'mine'
      },
      get durability() {
        reads.push('durability')
        return durability()
      },
    })
    await (
      await queue.enqueue(
        'echo',
        1,
        options(() => 'relaxed'),
      )
    ).result()
    expect(reads.sort()).toEqual(['durability', 'queue'])
    const broken = options(() => {
      throw new TypeError('getter')
    })
    await expect(queue.enqueue('echo', 1, broken)).rejects.toThrow('getter')
    await expect(queue.enqueueMany('echo', [1], broken)).rejects.toThrow('getter')
    await expect(queue.enqueue('echo', 1, JSON.parse('{"__proto__":{"queue":"x"}}'))).rejects.toThrow(
      InvalidOptionError,
    )
    expect(await queue.counts()).toMatchObject({ completed: 1, available: 0 })
  })
})
