import type { Page } from 'playwright'
import { expect, onTestFinished, test } from 'vitest'
import { labBrowser, openLab } from './support/browsers/site.js'

// A browser that is taken off the network for real: handlers' requests fail, `navigator.onLine` and the page's events say so.

const site = labBrowser()

async function scene() {
  const context = await site.browser.newContext()
  onTestFinished(() => context.close())
  const database = crypto.randomUUID()
  const open = (tab: string) => openLab(context, `http://localhost:${site.port}`, { database, tab, start: { size: 2 } })
  return { context, open }
}

const counts = (page: Page) => page.evaluate(() => lab.queue.counts())
/** The host tries once a minute, whatever the page says: what is faster heard the event. */
const TRIED_ANYWAY = 60_000

test('requests that fail without a network cost no attempt, and are made again the moment it is back', {
  timeout: 60_000,
}, async () => {
  const { context, open } = await scene()
  const [page, standby] = [await open('a'), await open('b')]
  expect(await page.evaluate(async () => (await lab.queue.enqueue('load', { index: 0 })).result())).toBe(200)
  await context.setOffline(true)
  await page.waitForFunction(() => !navigator.onLine)
  await page.evaluate(async () => {
    // One that counted would be the last.
    const retry = { attempts: 1 }
    await lab.queue.enqueueMany('load', lab.items(20), { id: 'loads', retry })
    await lab.queue.enqueueMany('work', lab.items(20), { id: 'works' })
  })
  // What needs no network goes on.
  await page.evaluate(async () => (await lab.queue.batch('works'))?.collect())
  await expect.poll(() => counts(page)).toMatchObject({ blocked: 20, failed: 0, running: 0, available: 0 })
  const blocked = await page.evaluate(async () => (await lab.queue.list({ state: 'blocked', limit: 20 })).items)
  expect(blocked.map(({ attempt, crashes }) => [attempt, crashes])).toEqual(Array(20).fill([1, 0]))
  expect(blocked[0]?.why).toContain('no network')
  // Nor does it help that somebody looks.
  await standby.evaluate(() => lab.queue.enqueue('work', { index: 1 }).then((task) => task.result()))
  expect(await counts(page)).toMatchObject({ blocked: 20 })

  const at = Date.now()
  await context.setOffline(false)
  const results = await page.evaluate(async () => (await lab.queue.batch('loads'))?.collect())
  const ms = Date.now() - at
  console.info(`offline: 20 requests had been made ${ms} ms after the network was back`)
  expect(ms).toBeLessThan(TRIED_ANYWAY / 4)
  // The page may have heard that there is a network before its Web Workers had it: that is no attempt either.
  expect(results).toMatchObject(Array(20).fill({ status: 'completed', value: 200, attempts: 1 }))
  expect(await page.evaluate(() => lab.errors)).toEqual([])
})

test('what fails because the page hears of the network before there is one costs no attempt', {
  timeout: 60_000,
}, async () => {
  const { context, open } = await scene()
  const page = await open('a')
  await page.evaluate(async () => (await lab.queue.enqueue('load', { index: 0 })).result())
  // So many requests fail: all of them once while the page is offline, and once more when it says that it is not.
  let fail = 40
  await context.route('**/elsewhere?*', (route) => {
    if (fail === 0) return route.continue()
    fail--
    return route.abort('internetdisconnected')
  })
  const say = (onLine: boolean) =>
    page.evaluate((value) => {
      Object.defineProperty(navigator, 'onLine', { value, configurable: true })
      dispatchEvent(new Event(value ? 'online' : 'offline'))
    }, onLine)
  await say(false)
  await page.evaluate(async () => {
    await lab.queue.enqueueMany('load', lab.items(20), { id: 'loads', retry: { attempts: 1 } })
  })
  await expect.poll(() => counts(page)).toMatchObject({ blocked: 20 })
  expect(fail).toBe(20)
  await say(true)
  const results = await page.evaluate(async () => (await lab.queue.batch('loads'))?.collect())
  expect(results).toMatchObject(Array(20).fill({ status: 'completed', value: 200, attempts: 1 }))
  expect(fail).toBe(0)
})

test('a host that goes while there is no network leaves what waits for it to the next one', {
  timeout: 60_000,
}, async () => {
  const { context, open } = await scene()
  const [page, standby] = [await open('a'), await open('b')]
  await page.evaluate(async () => (await lab.queue.enqueue('load', { index: 0 })).result())
  await context.setOffline(true)
  await page.waitForFunction(() => !navigator.onLine)
  const id = await page.evaluate(
    async () => (await lab.queue.enqueue('load', { index: 1 }, { retry: { attempts: 1 } })).id,
  )
  await expect.poll(() => counts(standby)).toMatchObject({ blocked: 1 })
  await page.close()
  // Its Web Workers start first, which takes a busy machine its time.
  await expect.poll(() => standby.evaluate(() => lab.worker.role), { timeout: 20_000 }).toBe('host')
  // The new host has tried it, in vain, and at no charge.
  await expect.poll(() => counts(standby)).toMatchObject({ blocked: 1 })
  const waiting = await standby.evaluate(async () => (await lab.queue.list({ state: 'blocked', limit: 1 })).items)
  expect(waiting).toMatchObject([{ id, attempt: 1, crashes: 0 }])
  await context.setOffline(false)
  expect(await standby.evaluate((id) => lab.queue.getResult(id), id)).toMatchObject({
    status: 'completed',
    attempts: 1,
  })
})
