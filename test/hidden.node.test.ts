import type { Page } from 'playwright'
import { describe, expect, onTestFinished, test } from 'vitest'
import { labBrowser, openLab, role, still } from './support/browsers/site.js'
import type { LabOptions } from './support/pages/lab.js'

// Pages that nobody looks at: hidden, or frozen. No page of a headless browser is ever hidden, so what hidden ones go through
// is done to them: no timer of the page fires within a minute, and it says that it is hidden. Web Workers are spared, as in
// browsers.

const site = labBrowser()

/** No timer of a hidden page fires earlier, in ms. */
const TIMERS = 60_000

/** Two ticks of the Web Workers that count are further apart than this, in ms. */
const TICKS = 4_000

/** Runs in the page, before its own scripts. */
function hide(least: number): void {
  const { setTimeout } = globalThis
  Object.assign(globalThis, { setTimeout: (fire: () => void, ms = 0) => setTimeout(fire, Math.max(ms, least)) })
  let state = 'hidden'
  Object.defineProperty(document, 'visibilityState', { get: () => state })
  addEventListener('show', () => {
    state = 'visible'
    document.dispatchEvent(new Event('visibilitychange'))
  })
}

async function scene() {
  const [seen, unseen] = [await site.browser.newContext(), await site.browser.newContext()]
  onTestFinished(async () => {
    await Promise.all([seen.close(), unseen.close()])
  })
  const database = crypto.randomUUID()
  const open = (context: typeof seen, tab: string, start?: LabOptions['start']) =>
    openLab(context, `http://localhost:${site.port}`, { database, tab, ...(start && { start }) })
  return { database, seen, open }
}

const timed = async (page: Page, work: () => Promise<unknown>) => {
  const at = Date.now()
  const value = await page.evaluate(work)
  return { value, ms: Date.now() - at }
}

describe('a hidden page', { timeout: 120_000 }, () => {
  test('hosts as well as any: it drains, hears outcomes, makes retries and ends what takes too long', async () => {
    const { seen, open } = await scene()
    await seen.addInitScript(hide, TIMERS)
    const host = await open(seen, 'host', {})
    expect(await role(host)).toBe('host')
    const drained = await timed(host, async () => (await lab.queue.enqueueMany('work', lab.items(600, 1))).collect())
    const five = await timed(host, async () => {
      for (let index = 0; index < 5; index++) await (await lab.queue.enqueue('work', { index })).result()
    })
    // Timers are made up for by what Web Workers tell every 5 s.
    const late = await timed(host, async () => (await lab.queue.enqueue('work', { index: 4 }, { delay: 300 })).result())
    const slow = await timed(host, async () => {
      const retry = { attempts: 2, delay: 10 }
      const task = await lab.queue.enqueue('hold', { index: 5 }, { timeout: 200, retry })
      return lab.queue.getResult(task.id)
    })
    expect(drained.value).toHaveLength(600)
    expect(slow.value).toMatchObject({ status: 'failed', attempts: 2, error: { code: 'timeout' } })
    console.info(
      `hidden page: 600 tasks in ${drained.ms} ms, five one after the other in ${five.ms}, one due in 300 ms after ${late.ms}, two timeouts of 200 ms in ${slow.ms}`,
    )
    // None of it had to wait for a timer of the page.
    const times = [drained.ms, five.ms, late.ms, slow.ms]
    expect(times.filter((ms) => ms >= TIMERS)).toEqual([])
    expect(five.ms, 'nor did each have to wait for the next tick of a Web Worker').toBeLessThan(4 * TICKS)
    expect(await host.evaluate(() => lab.errors)).toEqual([])
  })

  test('stands by as well as any, and takes over at once', async () => {
    const { seen, database, open } = await scene()
    const host = await open(seen, 'host', {})
    await seen.addInitScript(hide, TIMERS)
    const standby = await open(seen, 'standby', {})
    expect([await role(host), await role(standby)]).toEqual(['host', 'standby'])
    const id = await standby.evaluate(async () => (await lab.queue.enqueue('hold', { index: 0 })).id)
    await expect.poll(async () => (await standby.evaluate(() => lab.queue.counts())).running).toBe(1)
    const at = Date.now()
    await host.close()
    await expect.poll(() => role(standby), { interval: 10, timeout: 15_000 }).toBe('host')
    console.info(`hidden standby: host after ${Date.now() - at} ms`)
    // Not because it found the host silent: that takes 10 s, and a hidden one does not ask.
    expect(Date.now() - at).toBeLessThan(10_000)
    await standby.evaluate((database) => lab.go(database), database)
    expect(await standby.evaluate((id) => lab.queue.getResult(id), id)).toMatchObject({
      value: { tab: 'standby' },
      attempts: 1,
    })
  })

  test('looks again the moment it is shown', async () => {
    const { seen, open } = await scene()
    await seen.addInitScript(hide, TIMERS)
    const host = await open(seen, 'host', {})
    // Stored without a word, by a page that says nothing to others.
    await seen.addInitScript(() => {
      globalThis.BroadcastChannel = class extends BroadcastChannel {
        constructor(name: string) {
          super(`${name} unheard`)
        }
      }
    })
    const other = await open(seen, 'other')
    // No Web Worker is left that could tell the time.
    await host.evaluate(() => {
      for (const { worker } of lab.worker.workers()) lab.worker.kill(worker)
    })
    const id = await other.evaluate(async () => (await lab.queue.enqueue('work', { index: 1 })).id)
    const at = Date.now()
    await host.evaluate(() => dispatchEvent(new Event('show')))
    await expect
      .poll(() => other.evaluate((id) => lab.queue.getResult(id, { timeout: 0 }), id), { interval: 10 })
      .toMatchObject({ status: 'completed' })
    console.info(`hidden page: ran what it had missed ${Date.now() - at} ms after it was shown`)
  })
})

describe('a frozen page', { timeout: 60_000 }, () => {
  test('that waits for a result has it when it is thawed, and is host when its turn comes', async () => {
    const { seen, open } = await scene()
    const host = await open(seen, 'host', {})
    const frozen = await open(seen, 'frozen', {})
    await frozen.evaluate(async () => {
      lab.keep('result', (await lab.queue.enqueue('work', { index: 3 }, { delay: 1_500 })).result())
      const batch = await lab.queue.enqueueMany('work', lab.items(300, 2), { id: 'b', delay: 1_500 })
      lab.keep('batch', batch.collect())
      // It must not stand still within a transaction, which would keep the host waiting: it has looked, and nothing ends yet.
      await new Promise((resolve) => setTimeout(resolve, 200))
    })
    await expect
      .poll(() => host.evaluate(async () => (await lab.queue.batch('b'))?.progress()))
      .toMatchObject({ total: 300 })
    const thaw = await still(frozen)
    await host.evaluate(async () => (await lab.queue.batch('b'))?.collect())
    await expect.poll(() => host.evaluate(() => lab.queue.counts())).toMatchObject({ completed: 301 })
    await thaw()
    await expect.poll(() => frozen.evaluate(() => lab.kept.result)).toMatchObject({ tab: 'host' })
    await expect.poll(() => frozen.evaluate(() => Object.keys(lab.kept).sort())).toEqual(['batch', 'result', 'start'])
    expect(await role(frozen)).toBe('standby')
    await host.close()
    await expect.poll(() => role(frozen)).toBe('host')
  })

  test('that stood by and got the lock in its sleep does not keep it from those awake', async () => {
    const { seen, open } = await scene()
    const host = await open(seen, 'host', {})
    const frozen = await open(seen, 'frozen', {})
    const awake = await open(seen, 'awake', {})
    // The host has answered it by then.
    await awake.evaluate(
      () => new Promise<void>((resolve) => void lab.backend.channel.listen(({ type }) => type === 'pong' && resolve())),
    )
    const thaw = await still(frozen)
    const at = Date.now()
    await host.close()
    await expect.poll(() => role(awake), { timeout: 20_000 }).toBe('host')
    console.info(`the next in line was frozen: the one after it is host after ${Date.now() - at} ms`)
    expect(await awake.evaluate(async () => (await lab.queue.enqueue('work', { index: 2 })).result())).toMatchObject({
      tab: 'awake',
    })
    await thaw()
    await expect.poll(() => role(frozen)).toBe('standby')
    expect(await role(awake)).toBe('host')
  })
})
