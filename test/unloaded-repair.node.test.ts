import type { Page } from 'playwright'
import { expect, onTestFinished, test } from 'vitest'
import { labBrowser, openLab } from './support/browsers/site.js'

// The code that mends a database is loaded when damage is met. A page may be offline then, or older than what is deployed.

const site = labBrowser()
/** As the bundler names it. */
const REPAIR = '**/repair-*.js'

const spoil = (page: Page) =>
  page.evaluate(async () => {
    const opening = indexedDB.open('spoiled')
    await new Promise((resolve) => opening.addEventListener('success', resolve))
    const tx = opening.result.transaction('ledger', 'readwrite')
    tx.objectStore('ledger').put('junk', 'default')
    await new Promise((resolve) => tx.addEventListener('complete', resolve))
    opening.result.close()
  })

async function scene() {
  const context = await site.browser.newContext()
  onTestFinished(() => context.close())
  const open = () =>
    openLab(context, `http://localhost:${site.port}`, { database: 'spoiled', tab: 'a', start: { size: 1 } })
  return { context, open }
}

test('where it cannot be loaded the error says so, nothing is lost, and the page mends the database once it is loaded anew', {
  timeout: 60_000,
}, async () => {
  const { context, open } = await scene()
  let asked = 0
  await context.route(REPAIR, (route) => {
    asked++
    return route.abort('internetdisconnected')
  })
  const page = await open()
  const id = await page.evaluate(async () => {
    await lab.queue.pause()
    return (await lab.queue.enqueue('work', { index: 1 })).id
  })
  await spoil(page)
  const refused = await page.evaluate(() =>
    lab.queue.counts().then(
      () => 'answered',
      ({ name, code, message }: { name: string; code: string; message: string }) => ({ name, code, message }),
    ),
  )
  expect(refused).toEqual({
    name: 'StorageError',
    code: 'unavailable',
    message: expect.stringContaining('reload the page once there is a network'),
  })
  expect(asked).toBeGreaterThan(0)

  await context.unroute(REPAIR)
  await page.close()
  const anew = await open()
  // What had been paused is in the record that was spoiled.
  const result = await anew.evaluate((id) => lab.queue.getResult(id), id)
  expect(result).toMatchObject({ status: 'completed', value: { index: 1 } })
  expect(await anew.evaluate(() => lab.queue.counts())).toMatchObject({ completed: 1, failed: 0, available: 0 })
})

test('a page that had a network for a while has it: without one it mends its database', {
  timeout: 60_000,
}, async () => {
  const { context, open } = await scene()
  const loaded = context.waitForEvent('requestfinished', (request) => request.url().includes('/repair-'))
  const page = await open()
  await page.evaluate(async () => (await lab.queue.enqueue('work', { index: 0 })).result())
  await loaded
  await context.setOffline(true)
  await spoil(page)
  expect(await page.evaluate(() => lab.queue.counts())).toMatchObject({ completed: 1, failed: 0, available: 0 })
})

test('a page that had none then has it once it is online', { timeout: 60_000 }, async () => {
  const { context, open } = await scene()
  await context.clock.install()
  const asked: string[] = []
  context.on('request', (request) => asked.push(request.url()))
  const loaded = context.waitForEvent('requestfinished', (request) => request.url().includes('/repair-'))
  const page = await open()
  await page.evaluate(() => lab.queue.enqueue('work', { index: 0 }).then(() => {}))
  await context.setOffline(true)
  await page.waitForFunction(() => !navigator.onLine)
  await context.clock.fastForward(60_000)
  await page.evaluate(() => lab.queue.counts())
  expect(asked.filter((url) => url.includes('/repair-'))).toEqual([])
  await context.setOffline(false)
  await loaded
})
