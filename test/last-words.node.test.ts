import { expect, onTestFinished, test } from 'vitest'
import { labBrowser, openLab } from './support/browsers/site.js'

// What an app saves as its page goes. In a real Chromium, whose headless shell has no back/forward cache: the page is gone.

const site = labBrowser()
const TIMES = 5

test('what an app enqueues as its page is left, before anyone else hears of that, is stored, whether the page hosts or not', async () => {
  const context = await site.browser.newContext()
  onTestFinished(() => context.close())
  await context.addInitScript(() =>
    addEventListener('pagehide', () => {
      if (location.hash.includes('goes')) void lab.queue.enqueue('work', { index: 0 })
    }),
  )
  const database = crypto.randomUUID()
  const url = `http://localhost:${site.port}`
  const reader = await openLab(context, url, { database, tab: 'reader' })
  const stored = () =>
    reader.evaluate(async () => {
      const counts = await lab.queue.counts()
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    })
  for (const start of [undefined, { size: 1 }]) {
    for (let i = 0; i < TIMES; i++) {
      const before = await stored()
      const page = await openLab(context, url, { database, tab: `goes ${i}`, ...(start && { start }) })
      await page.evaluate(async () => (await lab.queue.enqueue('work', { index: 0 })).get())
      if (start) await page.evaluate(async () => (await lab.queue.enqueue('work', { index: 0 })).result())
      await page.goto(`${url}/elsewhere`)
      await expect.poll(stored, { message: `${start ? 'host' : 'no host'}, ${i}` }).toBe(before + (start ? 3 : 2))
      await page.close()
    }
  }
})
