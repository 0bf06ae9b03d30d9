import type { Page } from 'playwright'
import { describe, expect, onTestFinished, test } from 'vitest'
import { countLive, type Sample, sample } from './support/browsers/live.js'
import { labBrowser } from './support/browsers/site.js'

// Whatever is opened is closed: counted in a real Chromium, over many rounds. CYCLES=1000 for the full number.

const CYCLES = Number(process.env.CYCLES ?? 60)
/** MB that the heap may grow by from a fifth of the rounds to the last: what caches and counters of the engine take. */
const GROWTH = 1.5

const site = labBrowser()

/** Runs `round` in the page so many times; what is open before, after a fifth of them, and at the end. */
async function rounds(
  round: (page: Page, count: number) => Promise<unknown>,
  settled?: (page: Page) => Promise<unknown>,
) {
  const context = await site.browser.newContext()
  onTestFinished(() => context.close())
  const page = await context.newPage()
  await page.addInitScript(countLive)
  await page.goto(`http://localhost:${site.port}/lab.html`)
  await page.waitForFunction(() => 'lab' in globalThis)
  const cdp = await context.newCDPSession(page)
  await cdp.send('Performance.enable')
  await settled?.(page)
  const before = await sample(page, cdp)
  const samples: Sample[] = []
  for (const count of [Math.ceil(CYCLES / 5), CYCLES - Math.ceil(CYCLES / 5)]) {
    await round(page, count)
    await settled?.(page)
    // Web Workers that were ended take a moment.
    await expect.poll(async () => (await sample(page, cdp)).threads, { timeout: 10_000 }).toBe(before.threads)
    await expect.poll(async () => (await sample(page, cdp)).locks, { timeout: 10_000 }).toBe(before.locks)
    samples.push(await sample(page, cdp))
  }
  const [warm, after] = samples
  if (!warm || !after) throw new Error('Nothing was measured.')
  const { heap } = after
  console.info(
    `${CYCLES} rounds: heap ${before.heap} → ${warm.heap} → ${heap} MB, listeners ${before.allListeners} → ${warm.allListeners} → ${after.allListeners}`,
  )
  return { page, before, warm, after }
}

/** Nothing more is open than was before; neither listeners nor the heap grow with the rounds. */
function expectNoneLeft({ before, warm, after }: { before: Sample; warm: Sample; after: Sample }): void {
  const open = ({ listeners, workers, ports, channels, databases, timers, locks, threads }: Sample) => {
    return { listeners, workers, ports, channels, databases, timers, locks, threads }
  }
  expect(open(after)).toEqual(open(before))
  expect(after.allListeners - warm.allListeners).toBeLessThan(20)
  expect(after.heap - warm.heap).toBeLessThan(GROWTH)
}

const deleted = (page: Page, name: string) =>
  page.evaluate(
    (name) =>
      new Promise((resolve) => {
        const request = indexedDB.deleteDatabase(name)
        request.onsuccess = () => resolve('deleted')
        request.onblocked = () => resolve('blocked')
      }),
    name,
  )

describe(`after ${CYCLES} rounds nothing is left`, { timeout: 60_000 + CYCLES * 1_500 }, () => {
  test('of workers that were started, ran a task and were stopped', async () => {
    const result = await rounds(async (page, count) => {
      await page.evaluate(async (count) => {
        const backend = new sitq.IndexedDBBackend({ name: 'cycles' })
        const queue = new sitq.TaskQueue<{ work: (item: { index: number }) => unknown }>({ backend })
        for (let i = 0; i < count; i++) {
          const worker = new sitq.TaskWorker(queue, { executor: lab.pool(2) })
          const standby = new sitq.TaskWorker(queue, { executor: lab.pool(2), warn: () => {} })
          await worker.start()
          await standby.start()
          await (await queue.enqueue('work', { index: i })).result()
          await standby.stop()
          await worker.stop()
        }
        await queue.close()
      }, count)
    })
    expectNoneLeft(result)
    expect(await deleted(result.page, 'cycles')).toBe('deleted')
  })

  test('of Web Workers that crashed, and of those that were killed', async () => {
    const result = await rounds(async (page, count) => {
      await page.evaluate(async (count) => {
        const backend = new sitq.IndexedDBBackend({ name: 'crashes' })
        const queue = new sitq.TaskQueue<{
          quit: (item: { index: number }) => unknown
          hold: (item: { index: number }) => unknown
        }>({ backend })
        const worker = new sitq.TaskWorker(queue, { executor: lab.pool(2), maxCrashes: 2 })
        const changed = () =>
          new Promise<void>((resolve) => {
            const stop = worker.subscribe(() => {
              stop()
              resolve()
            })
          })
        await worker.start()
        for (let i = 0; i < count; i += 4) {
          // Two crashes …
          const result = await queue.getResult((await queue.enqueue('quit', { index: i })).id)
          if (result?.status !== 'failed') throw new Error('It did not crash.')
          // … and two that are killed.
          const held = await queue.enqueue('hold', { index: i })
          const killed = new Set<number>()
          while (killed.size < 2) {
            const busy = worker.workers().find(({ worker, running }) => running.length > 0 && !killed.has(worker))
            if (busy?.running[0]?.startedAt !== undefined) worker.kill(killed.add(busy.worker) && busy.worker)
            else await changed()
          }
          await held.result().catch(() => {})
        }
        await worker.stop()
        await queue.close()
      }, count)
    })
    expectNoneLeft(result)
    expect(await deleted(result.page, 'crashes')).toBe('deleted')
  })

  test('of queues that were opened, used and closed', async () => {
    const result = await rounds(async (page, count) => {
      await page.evaluate(async (count) => {
        for (let i = 0; i < count; i++) {
          const backend = new sitq.IndexedDBBackend({ name: 'queues' })
          const queue = new sitq.TaskQueue<{ work: (item: number) => unknown }>({ backend })
          queue.subscribe(() => {})
          const task = await queue.enqueue('work', i)
          const batch = await queue.enqueueMany('work', [1, 2, 3])
          const waits = [task.result(), batch.collect(), queue.getResult(task.id), batch.results().next()]
          await queue.counts()
          await queue.close()
          const ends = await Promise.allSettled(waits)
          if (ends.some(({ status }) => status === 'fulfilled')) throw new Error('A wait outlived its queue.')
        }
      }, count)
    })
    expectNoneLeft(result)
    expect(await deleted(result.page, 'queues')).toBe('deleted')
  })

  test('of subscriptions that ended, waits that timed out or were called off, and results that nobody read to the end', async () => {
    const result = await rounds(
      async (page, count) => {
        await page.evaluate(async (count) => {
          const { queue } = lab
          // One signal for all, as an app has for a view.
          const { signal } = new AbortController()
          const { addEventListener, removeEventListener } = signal
          let heard = 0
          signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
            heard++
            addEventListener.apply(signal, args)
          }
          signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
            heard--
            removeEventListener.apply(signal, args)
          }
          const never = await queue.enqueue('hold', { index: 0 }, { queue: 'nobody' })
          const batch = await queue.enqueueMany('work', lab.items(20))
          const worker = new sitq.TaskWorker(queue, {
            executor: sitq.inline({ work: () => 'done' }),
            onError: () => {},
          })
          await worker.drain()
          for (let i = 0; i < count; i++) {
            queue.subscribe(() => {})()
            await queue.getResult(never.id, { timeout: 1, signal })
            await never.result({ timeout: 0, signal }).catch(() => {})
            const controller = new AbortController()
            const wait = never.result({ signal: controller.signal }).catch(() => 'called off')
            controller.abort()
            await wait
            for (const order of ['ended', 'input'] as const) {
              for await (const { index } of batch.results({ order, signal })) if (index >= 3) break
            }
          }
          if (heard !== 0) throw new Error(`${heard} listeners are left on the signal.`)
        }, count)
      },
      // Database and channel are open from the start, and stay open as long as the queue.
      (page) => page.evaluate(() => lab.queue.counts().then(lab.queue.subscribe(() => {}))),
    )
    expectNoneLeft(result)
  })
})
