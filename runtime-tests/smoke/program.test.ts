import { describe, expect, it, onTestFinished } from 'vitest'

/** A small program in which nothing is a test's own: its time, its timers and its turns are the runtime's. */
describe('a program', () => {
  const open = async () => {
    const { defineHandlers, inline, MemoryBackend, pipeline, TaskQueue, TaskWorker } = await import('sitq')
    const handlers = defineHandlers({
      square: (n: number) => n * n,
      flaky: {
        run: (_: null, { attempt }) => {
          if (attempt < 3) throw new Error('not yet')
          return attempt
        },
        retry: { attempts: 3, delay: 1 },
      },
      judge: (n: number) => ({ n, even: n % 2 === 0 }),
      half: ({ n }: { n: number; even: boolean }) => n / 2,
      until: (_: null, { signal }) =>
        new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      slow: {
        run: (_: null, { signal }) =>
          new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        timeout: 20,
        retry: { attempts: 1 },
      },
    })
    const queue = new TaskQueue<typeof handlers>({ backend: new MemoryBackend() })
    const worker = new TaskWorker(queue, { executor: inline(handlers) })
    onTestFinished(async () => {
      await worker.stop({ grace: 0 })
      await queue.close()
    })
    const flow = pipeline<typeof handlers>('halves').map('judge').filter('even').map('half')
    return { queue, worker, flow }
  }

  it('enqueues, drains and has the result', async () => {
    const { queue, worker } = await open()
    const task = await queue.enqueue('square', 12)
    expect(await queue.getResult(task.id, { timeout: 0 })).toBeUndefined()
    expect(await worker.drain()).toMatchObject({ completed: 1 })
    expect(await task.result()).toBe(144)
    expect(worker.role).toBe('stopped')
  })

  it('serves while it is started', async () => {
    const { queue, worker } = await open()
    expect(await worker.start()).toBe('host')
    const task = await queue.enqueue('square', 12)
    expect(await task.result({ timeout: 10_000 })).toBe(144)
    expect(await (await queue.enqueue('flaky', null)).result({ timeout: 10_000 })).toBe(3)
  })

  it('runs a batch', async () => {
    const { queue, worker } = await open()
    const batch = await queue.enqueueMany('square', [1, 2, 3], { id: 'squares' })
    await worker.drain()
    expect((await batch.collect()).map((result) => result.status === 'completed' && result.value)).toEqual([1, 4, 9])
    expect(await batch.progress()).toMatchObject({ total: 3, completed: 3, open: false })
  })

  it('runs a pipeline', async () => {
    const { queue, worker, flow } = await open()
    const run = await flow.run(queue, [1, 2, 3, 4], { id: 'halves' })
    await worker.drain()
    const results = await run.collect()
    expect(results.map((result) => result.status === 'completed' && result.value)).toEqual([1, 2])
  })

  it('ends what takes too long, and what is cancelled', async () => {
    const { queue, worker } = await open()
    await worker.start()
    const slow = await queue.enqueue('slow', null)
    await expect(slow.result({ timeout: 10_000 })).rejects.toMatchObject({ error: { code: 'timeout' } })
    const endless = await queue.enqueue('until', null)
    await expect(endless.result({ timeout: 30 })).rejects.toThrow()
    await endless.cancel({ reason: 'enough' })
    await expect(endless.result({ timeout: 10_000 })).rejects.toMatchObject({ reason: 'enough' })
  })
})
