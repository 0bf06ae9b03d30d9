import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Claimed } from '../src/backend.js'
import {
  type BatchResult,
  defineHandlers,
  inline,
  MemoryBackend,
  pipeline,
  TaskQueue,
  TaskWorker,
} from '../src/index.js'
import { settle } from './support/clock.js'
import { Host, withHost } from './support/host.js'

interface Item {
  n: number
  even: boolean
  small: boolean
}

const handlers = defineHandlers({
  look: (n: number): Item => {
    if (n % 10 === 9) throw new Error(`no nines: ${n}`)
    return { n, even: n % 2 === 0, small: n < 50 }
  },
  bump: (item: Item): Item => ({ ...item, n: item.n + 1_000 }),
  byThree: (item: Item) => item.n % 3 === 0,
  square: ({ n }: Item) => n * n,
})
type Handlers = typeof handlers

/** Runs what a task names. */
function handle(input: unknown, { name }: Claimed): unknown {
  const run: Record<string, (input: never) => unknown> = handlers
  const call: ((input: never) => unknown) | undefined = run[name]
  if (!call) throw new Error(`no handler ${name}`)
  return Reflect.apply(call, undefined, [input])
}

const setup = () => withHost<Handlers, MemoryBackend>((options) => new MemoryBackend(options))

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const flow = pipeline<Handlers>('numbers')
const brief = (results: readonly BatchResult[]) =>
  results.map((result) => [result.index, result.status === 'completed' ? result.value : result.status])

describe('a pipeline', () => {
  it('gives what each item came to, in input order; what a filter left out is missing', async () => {
    const { queue, host } = setup()
    const run = await flow.map('look').filter('even').map('square').run(queue, numbers(12), { chunkSize: 5 })
    await host.run(handle, { limit: 3 })
    expect(brief(await run.collect())).toEqual([
      [0, 0],
      [2, 4],
      [4, 16],
      [6, 36],
      [8, 64],
      [9, 'failed'],
      [10, 100],
    ])
    expect(await run.progress()).toEqual({
      total: 12,
      done: 12,
      completed: 6,
      failed: 1,
      cancelled: 0,
      dropped: 5,
      open: false,
      rate: 0,
      etaMs: 0,
      stages: [
        { name: 'look', kind: 'map', completed: 11, failed: 1, cancelled: 0, dropped: 0 },
        { name: 'even', kind: 'filter', completed: 6, failed: 0, cancelled: 0, dropped: 5 },
        { name: 'square', kind: 'map', completed: 6, failed: 0, cancelled: 0, dropped: 0 },
      ],
    })
  })

  it('keeps items as they are where a handler judges them, first, last or in between', async () => {
    const { queue, host } = setup()
    const last = await flow.map('look').filter({ handler: 'byThree' }).filter('even').run(queue, numbers(9))
    const between = await flow
      .map('look')
      .filter({ handler: 'byThree' })
      .map('bump')
      .map('square')
      .run(queue, numbers(9))
    await host.run(handle)
    expect(brief(await last.collect())).toEqual([
      [0, { n: 0, even: true, small: true }],
      [6, { n: 6, even: true, small: true }],
    ])
    expect(brief(await between.collect())).toEqual([
      [0, 1_000_000],
      [3, 1_006_009],
      [6, 1_012_036],
    ])
    expect(await last.progress()).toMatchObject({ completed: 2, dropped: 7 })
  })

  it('streams: early items end before late ones begin', async () => {
    const { queue, host } = setup()
    const run = await flow.map('look').map('bump').map('square').run(queue, numbers(8))
    const seen: number[] = []
    const reading = (async () => {
      for await (const { index } of run.results()) seen.push(index)
    })()
    await host.run(handle, { limit: 2, rounds: 3 })
    await settle()
    expect(seen).toEqual([0, 1])
    await host.run(handle)
    await reading
    expect(seen).toHaveLength(8)
  })

  it('can be called again after an interruption, with the same stages', async () => {
    const { queue, host } = setup()
    const squares = flow.map('look').map('square')
    const broken = (function* () {
      yield* numbers(6)
      throw new Error('the file broke off')
    })()
    await expect(squares.run(queue, broken, { id: 'r', chunkSize: 2 })).rejects.toThrow('broke off')
    await host.run(handle)
    const found = await squares.find(queue, 'r')
    expect(await found?.progress()).toMatchObject({ open: true, total: 6, completed: 6 })
    const run = await squares.run(queue, numbers(8), { id: 'r', chunkSize: 2 })
    await host.run(handle)
    expect(brief(await run.collect())).toEqual(numbers(8).map((n) => [n, n * n]))
    const other = { option: 'id', name: 'InvalidOptionError' }
    await expect(flow.map('look').run(queue, numbers(8), { id: 'r' })).rejects.toMatchObject(other)
    await expect(queue.enqueueMany('look', numbers(8), { id: 'r' })).rejects.toMatchObject(other)
    await queue.enqueueMany('look', numbers(8), { id: 'plain' })
    await expect(squares.run(queue, numbers(8), { id: 'plain' })).rejects.toMatchObject(other)
    expect(await squares.find(queue, 'plain')).toBeUndefined()
    expect(await squares.find(queue, 'none')).toBeUndefined()
  })

  it('shares no stages with those made from it', async () => {
    const { queue, host } = setup()
    const base = flow.map('look')
    const [evens, all] = [base.filter('even'), base]
    const runs = [await evens.run(queue, numbers(4)), await all.run(queue, numbers(4))]
    await host.run(handle)
    expect(await Promise.all(runs.map(async (run) => (await run.collect()).length))).toEqual([2, 4])
  })

  it('comes to nothing for no inputs, and ends', async () => {
    const { queue } = setup()
    const run = await flow.map('look').map('square').run(queue, [])
    expect(await run.collect()).toEqual([])
    expect(await run.progress()).toMatchObject({ total: 0, open: false, etaMs: 0 })
  })

  it('is cancelled at every stage', async () => {
    const { queue, host } = setup()
    const run = await flow.map('look').map('bump').map('square').run(queue, numbers(8), { priority: 5 })
    await host.run(handle, { limit: 4, rounds: 2 })
    expect(await run.cancel({ reason: 'enough' })).toBe(8)
    expect(brief(await run.collect())).toEqual(numbers(8).map((n) => [n, 'cancelled']))
    expect((await queue.counts()).available).toBe(0)
  })

  it('goes on with an item whose task is retried', async () => {
    const { queue, host } = setup()
    const run = await flow.map('look').map('square').run(queue, [9, 2])
    await host.run(handle)
    const [failed] = await run.collect()
    expect(failed?.status).toBe('failed')
    await queue.task(failed?.id ?? '').retry()
    await host.run((input, task) => (task.name === 'look' ? { n: input } : handle(input, task)))
    expect(brief(await run.collect())).toEqual([
      [0, 81],
      [1, 4],
    ])
  })

  it('comes to the same whatever order its tasks run in, whoever dies, whichever hints get lost', async () => {
    const stage = fc.constantFrom('bump', 'even', 'small', 'byThree')
    const step = fc.record({
      claim: fc.integer({ min: 1, max: 30 }),
      flip: fc.boolean(),
      mute: fc.boolean(),
      die: fc.integer({ min: 0, max: 9 }),
    })
    const arbitrary = [fc.array(stage, { maxLength: 4 }), fc.array(step, { maxLength: 25 }), fc.nat(60)] as const
    await fc.assert(
      fc.asyncProperty(...arbitrary, async (stages, steps, count) => {
        const { queue, backend, clock, host: first } = setup()
        let host = first
        let built = flow.map('look')
        for (const of of stages) {
          if (of === 'bump') built = built.map('bump')
          else built = of === 'byThree' ? built.filter({ handler: 'byThree' }) : built.filter(of)
        }
        const run = await built.run(queue, numbers(count), { chunkSize: 13 })
        const streamed: BatchResult[] = []
        const ordered: BatchResult[] = []
        const reading = Promise.all([
          (async () => {
            for await (const result of run.results()) streamed.push(result)
          })(),
          (async () => {
            for await (const result of run.results({ order: 'input' })) ordered.push(result)
          })(),
        ])
        let lives = 0
        for (const { claim, flip, mute, die } of steps) {
          host.mute = mute
          const tasks = await host.claim(claim)
          if (die === 0) {
            host = new Host(backend, clock, `life-${++lives}`)
            const now = clock.now()
            await backend.recover({ me: `life-${lives}`, dead: 'others', left: ['test-host'], now, maxCrashes: 100 })
            continue
          }
          await host.settle(flip ? tasks.reverse() : tasks, handle)
          if (flip) await settle(2)
        }
        host.mute = false
        await host.run(handle)
        await clock.advance(10_000)
        await reading
        const expected = numbers(count).flatMap((n) => outcome(n, stages))
        expect(brief(ordered)).toEqual(expected)
        expect(brief(streamed.sort((a, b) => a.index - b.index))).toEqual(expected)
        expect(brief(await run.collect())).toEqual(expected)
        const { total, done, completed, failed, dropped } = await run.progress()
        expect({ total, done }).toEqual({ total: count, done: count })
        expect(completed + failed).toBe(expected.length)
        expect(dropped).toBe(count - expected.length)
      }),
      { numRuns: 40 },
    )
  })

  it('runs in a worker', async () => {
    const queue = new TaskQueue<Handlers>({ backend: new MemoryBackend() })
    const worker = new TaskWorker(queue, { executor: inline(handlers) })
    await worker.start()
    const run = await flow
      .map('look')
      .filter('small')
      .map('square')
      .run(queue, numbers(60), { retry: { attempts: 1 } })
    const results = await run.collect({ timeout: 10_000 })
    expect(results).toHaveLength(51)
    expect(results.filter(({ status }) => status === 'failed').map(({ index }) => index)).toEqual([
      9, 19, 29, 39, 49, 59,
    ])
    await worker.stop()
    await queue.close()
  })
})

/** What an item comes to, told without any queue. */
function outcome(n: number, stages: readonly ('bump' | 'even' | 'small' | 'byThree')[]): [number, unknown][] {
  if (n % 10 === 9) return [[n, 'failed']]
  let item = handlers.look(n)
  for (const stage of stages) {
    if (stage === 'bump') item = handlers.bump(item)
    else if (stage === 'byThree' ? !handlers.byThree(item) : !item[stage]) return []
  }
  return [[n, item]]
}
