import type { Page } from 'playwright'
import { describe, expect, onTestFinished, test } from 'vitest'
import { labBrowser, openLab, role, still } from './support/browsers/site.js'

// Pages over plain http from another machine, such as a phone in the local network: no secure context, so no Web Locks, no
// crypto.randomUUID, no crypto.subtle. Leases carry everything; all pages are hosts.

const site = labBrowser({ args: ['--host-resolver-rules=MAP app.test 127.0.0.1'] })

const timing = { lease: 1_500, renewEvery: 500 }

async function scene() {
  const context = await site.browser.newContext()
  onTestFinished(() => context.close())
  // Time for a test in the same browser: no randomUUID in the page is used for it.
  const database = crypto.randomUUID()
  const tab = (name: string) => openLab(context, `http://app.test:${site.port}`, { database, tab: name, start: timing })
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

const squares = (total: number) => Array.from({ length: total }, (_, index) => index ** 2)
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
    await expect.poll(async () => (await runs(b, id))?.crashes, { timeout: 10_000 }).toBe(1)
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
      const { database, tab } = await scene()
      const [a, b] = [await tab('a'), await tab('b')]
      const id = await b.evaluate(async () => (await lab.queue.enqueueMany('hold', lab.items(4))).id)
      // Two in each page.
      await expect.poll(async () => (await b.evaluate(() => lab.queue.counts())).running).toBe(4)
      const at = Date.now()
      await (how === 'closed' ? a.close() : a.reload())
      await b.evaluate((database) => lab.go(database), database)
      const results = await b.evaluate(async (id) => (await lab.queue.batch(id))?.collect(), id)
      const ms = Date.now() - at
      console.info(`insecure context: the tasks of a page that was ${how} had ended elsewhere after ${ms} ms`)
      expect(ms).toBeLessThan(timing.lease)
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
    await expect.poll(async () => (await runs(b, id))?.crashes, { timeout: 10_000 }).toBe(1)
    await expect.poll(async () => (await runs(b, id))?.state).toBe('running')
    await thaw()
    await b.evaluate((database) => lab.go(database), database)
    expect(await b.evaluate((id) => lab.queue.getResult(id), id)).toMatchObject({ value: { tab: 'b' }, attempts: 1 })
    await b.evaluate(() => lab.worker.stop())
    expect(await a.evaluate(async () => (await lab.queue.enqueue('work', { index: 5 })).result())).toMatchObject({
      tab: 'a',
    })
    expect(await a.evaluate(() => lab.queue.counts())).toMatchObject({ completed: 2, failed: 0, running: 0 })
  })
})
