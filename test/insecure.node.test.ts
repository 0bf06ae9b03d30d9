import type { Page } from 'playwright'
import { describe, expect, onTestFinished, test } from 'vitest'
import { labBrowser, openLab, role, still } from './support/browsers/site.js'

// Pages over plain http from another machine, such as a phone in the local network: no secure context, so no Web Locks, no
// crypto.randomUUID, no crypto.subtle. Leases carry everything; all pages are hosts.

const site = labBrowser({ args: ['--host-resolver-rules=MAP app.test 127.0.0.1'] })

const timing = { lease: 1_500, renewEvery: 500 }
/** Neither a lease that runs out nor a look that is due can be what helped: those come later than any test may take. */
const slow = { lease: 60_000, renewEvery: 20_000 }

async function scene(start = timing) {
  const context = await site.browser.newContext()
  onTestFinished(() => context.close())
  // Time for a test in the same browser: no randomUUID in the page is used for it.
  const database = crypto.randomUUID()
  const tab = (name: string) => openLab(context, `http://app.test:${site.port}`, { database, tab: name, start })
  return { database, tab }
}

const crash = async (page: Page) => {
  const cdp = await page.context().newCDPSession(page)
  const crashed = page.waitForEvent('crash')
  cdp.send('Page.crash').catch(() => {})
  await crashed
}

/** Every task of the batch ended once; by which tabs. */
async function collected(page: Page, id: string) {
  return await page.evaluate(async (id) => {
    const batch = await lab.queue.batch<'work'>(id)
    const results = (await batch?.collect()) ?? []
    const tabs: Record<string, number> = {}
    for (const result of results)
      if (result.status === 'completed') tabs[result.value.tab] = (tabs[result.value.tab] ?? 0) + 1
    const squares = results.map((result) => (result.status === 'completed' ? result.value.square : -1))
    return { squares, tabs, progress: await batch?.progress() }
  }, id)
}

const patience = { timeout: 15_000 }
const squares = (total: number) => Array.from({ length: total }, (_, index) => index ** 2)
const counts = (page: Page) => page.evaluate(() => lab.queue.counts())
/** How many crashes each task that has not ended was charged. */
const charged = (page: Page) =>
  page.evaluate(async () => {
    const open = [await lab.queue.list({ state: 'running' }), await lab.queue.list({ state: 'available' })]
    return open.flatMap(({ items }) => items.map(({ crashes }) => crashes))
  })
const runs = (page: Page, id: string) => page.evaluate((id) => lab.queue.task(id).get(), id)

describe('without a secure context', { timeout: 40_000 }, () => {
  test('all pages are hosts and share the work; every task has one outcome, and nobody is robbed', async () => {
    const { tab } = await scene()
    const pages = [await tab('a'), await tab('b'), await tab('c')]
    const [first] = pages
    if (!first) throw new Error('There is no page.')
    const there = () => [isSecureContext, 'locks' in navigator, 'randomUUID' in crypto, 'subtle' in crypto]
    expect(await first.evaluate(there)).toEqual([false, false, false, false])
    expect(await Promise.all(pages.map(role))).toEqual(['host', 'host', 'host'])
    await first.evaluate(() => lab.queue.enqueueMany('work', lab.items(1_500, 4), { id: 'b' }))
    const { squares: found, tabs, progress } = await collected(first, 'b')
    expect(found).toEqual(squares(1_500))
    expect(progress).toMatchObject({ total: 1_500, done: 1_500, completed: 1_500, failed: 0 })
    expect(Object.keys(tabs).length).toBeGreaterThan(1)
    console.info(`insecure context: ${JSON.stringify(tabs)}`)
    expect(await Promise.all(pages.map((page) => page.evaluate(() => lab.errors)))).toEqual([[], [], []])
  })

  test('the tasks of a page that crashed run again when its lease has run out, each charged one crash', async () => {
    const { database, tab } = await scene()
    const a = await tab('a')
    const id = await a.evaluate(async () => (await lab.queue.enqueue('hold', { index: 0 })).id)
    await expect.poll(async () => (await runs(a, id))?.state).toBe('running')
    const b = await tab('b')
    const at = Date.now()
    await crash(a)
    await expect.poll(async () => (await runs(b, id))?.crashes, patience).toBe(1)
    await expect.poll(async () => (await runs(b, id))?.state).toBe('running')
    console.info(
      `insecure context: a crashed page's task ran again after ${Date.now() - at} ms (lease ${timing.lease} ms)`,
    )
    expect(await runs(b, id)).toMatchObject({ attempt: 1, crashes: 1 })
    await b.evaluate((database) => lab.go(database), database)
    expect(await b.evaluate((id) => lab.queue.getResult(id), id)).toMatchObject({ value: { tab: 'b' } })
  })

  test.each(['closed', 'reloaded'])(
    'the tasks of a page that is %s go on elsewhere at once, charged nothing',
    async (how) => {
      const { database, tab } = await scene(slow)
      const [a, b] = [await tab('a'), await tab('b')]
      const id = await b.evaluate(async () => (await lab.queue.enqueueMany('hold', lab.items(4))).id)
      // Two in each page.
      await expect.poll(() => counts(b)).toMatchObject({ running: 4 })
      const at = Date.now()
      await (how === 'closed' ? a.close() : a.reload())
      // The other page is full: what the first one held waits there, or is taken by that one again.
      if (how === 'closed') await expect.poll(() => counts(b), patience).toMatchObject({ running: 2, available: 2 })
      else await a.waitForFunction(() => 'lab' in globalThis && lab.worker.workers().flatMap((one) => one.running)[1])
      expect(Date.now() - at).toBeLessThan(slow.renewEvery)
      expect(await charged(b)).toEqual([0, 0, 0, 0])
      await b.evaluate((database) => lab.go(database), database)
      const results = await b.evaluate(async (id) => (await lab.queue.batch(id))?.collect(), id)
      console.info(
        `insecure context: the tasks of a page that was ${how} had ended elsewhere after ${Date.now() - at} ms`,
      )
      expect(results).toMatchObject(Array.from({ length: 4 }, () => ({ status: 'completed', attempts: 1 })))
      if (how === 'reloaded') await a.waitForFunction(() => 'start' in lab.kept)
      expect(await b.evaluate(() => lab.errors)).toEqual([])
      expect(await b.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('left:')))).toEqual([])
    },
  )

  test('a Web Worker that closes itself is noticed at once, and charged', async () => {
    const { tab } = await scene()
    const a = await tab('a')
    const result = await a.evaluate(async () => {
      const task = await lab.queue.enqueue('quit', { index: 0 })
      return lab.queue.getResult(task.id, { timeout: 8_000 })
    })
    expect(result).toMatchObject({ status: 'failed', error: { code: 'crashed' }, attempts: 1 })
  })

  test('a page that was frozen for longer than its lease is fenced: its late outcome counts for nothing, and it goes on', async () => {
    const { database, tab } = await scene()
    const [a, b] = [await tab('a'), await tab('b')]
    await b.evaluate(() => lab.worker.stop())
    const id = await a.evaluate(async () => (await lab.queue.enqueue('hold', { index: 0 })).id)
    await expect.poll(async () => (await runs(a, id))?.state).toBe('running')
    const thaw = await still(a)
    await b.evaluate(() => lab.worker.start())
    await expect.poll(async () => (await runs(b, id))?.crashes, patience).toBe(1)
    await expect.poll(async () => (await runs(b, id))?.state).toBe('running')
    await thaw()
    // Once a page has stored something, what it began before that is over: nothing was taken from b.
    await a.evaluate(() => lab.queue.enqueue('work', { index: 4 }, { delay: 600_000 }))
    expect(await runs(b, id)).toMatchObject({ state: 'running', attempt: 1, crashes: 1 })
    await b.evaluate((database) => lab.go(database), database)
    expect(await b.evaluate((id) => lab.queue.getResult(id), id)).toMatchObject({ value: { tab: 'b' }, attempts: 1 })
    await b.evaluate(() => lab.worker.stop())
    expect(await a.evaluate(async () => (await lab.queue.enqueue('work', { index: 5 })).result())).toMatchObject({
      tab: 'a',
    })
    expect(await a.evaluate(() => lab.queue.counts())).toMatchObject({ completed: 2, failed: 0, running: 0 })
  })
})
