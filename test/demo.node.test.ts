import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type DemoBrowser, type DemoPage, ended, figuresOf, openDemo } from './support/demo-page.js'

let demo: DemoBrowser
let opened: DemoPage[] = []

beforeAll(async () => {
  demo = await openDemo()
}, 120_000)
afterAll(() => demo?.close())
afterEach(async () => {
  const complaints = opened.flatMap((each) => each.complaints)
  await Promise.all(opened.map(({ page }) => page.context().close()))
  opened = []
  expect(complaints).toEqual([])
})

async function newPage(...viewport: Parameters<DemoBrowser['newPage']>): Promise<Page> {
  const page = await demo.newPage(...viewport)
  opened.push(page)
  return page.page
}

const sample = { Users: '20', Valid: '12', 'Success rate': '60.0 %', Processed: '12' }

/** The part of a stage's text before its first dot, as numbers: how much of how much. */
const stage = (page: Page, id: string) =>
  page.locator(`[data-stage="${id}"] .stage-line span`).evaluate((span) => {
    const [done = 0, total = 0] = (span.textContent ?? '').replace(/,/g, '').match(/[\d.]+/g) ?? []
    return { done: Number(done), total: Number(total) }
  })

async function importFile(page: Page, name: string, text: string): Promise<void> {
  await page.setInputFiles('#users-file', { name, mimeType: 'text/csv', buffer: Buffer.from(text) })
  await page.getByRole('button', { name: 'Start' }).click()
}

const csv = (rows: number) =>
  `Name,EMAIL,Age\n${Array.from({ length: rows }, (_, i) => `"user ${i}, the\n${i}th",u${i}@example.com,${i % 4 === 3 ? 200 : i % 90}\n`).join('')}`

describe('users', () => {
  test('20 samples, end to end', async () => {
    const page = await newPage()
    await page.getByRole('button', { name: 'Start' }).click()
    await ended(page, 'users')
    expect(await figuresOf(page)).toEqual(sample)
    expect(await page.locator('#users-job .scroll tbody tr').allInnerTexts()).toHaveLength(8)
    expect(await page.locator('#users-job .scroll tbody tr').first().innerText()).toBe('3\temail\tInvalid email format')
  })

  test('a reload in the middle of a run goes on to the same numbers', { timeout: 60_000 }, async () => {
    const page = await newPage()
    await page.getByLabel('50 ms').check()
    await page.getByRole('button', { name: 'Start' }).click()
    await expect.poll(async () => (await stage(page, 'users-validation')).done).toBeGreaterThan(2)
    await page.getByRole('button', { name: 'Reload now' }).click()
    await page.waitForLoadState()
    expect(await page.locator('#users-job').getAttribute('data-state')).not.toBe('completed')
    await ended(page, 'users')
    expect(await figuresOf(page)).toEqual(sample)
  })

  test('killing a Web Worker in the middle of a task changes nothing', { timeout: 60_000 }, async () => {
    const page = await newPage()
    await page.getByLabel('100 ms').check()
    await page.getByRole('button', { name: 'Start' }).click()
    // A click on its way may meet the pause between two tasks: it is repeated until it has met one.
    await page.waitForFunction(() => {
      const told = document.querySelector('.events')?.textContent ?? ''
      if (told.includes('the task runs again')) return true
      if (!document.querySelector('.workers li[data-state="busy"]')) return false
      const buttons = [...document.querySelectorAll('button')]
      buttons.find(({ textContent }) => textContent === 'Kill a Web Worker')?.click()
      return false
    })
    await ended(page, 'users')
    expect(await figuresOf(page)).toEqual(sample)
  })

  test('a CSV file with a reload in the middle of its import loses nothing', { timeout: 60_000 }, async () => {
    const page = await newPage()
    await importFile(page, 'users.csv', csv(6_000))
    await page.waitForFunction(() => {
      const text = document.querySelector('[data-stage="users-import"] .stage-line span')?.textContent ?? ''
      return !text.startsWith('0 ') && text.includes('%')
    })
    await page.reload()
    await ended(page, 'users')
    expect(await figuresOf(page)).toEqual({
      Users: '6,000',
      Valid: '4,500',
      'Success rate': '75.0 %',
      Processed: '4,500',
    })

    const downloading = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Results as JSON' }).click()
    const results: { item_id: number }[] = JSON.parse(await readFile(await (await downloading).path(), 'utf8'))
    const ids = new Set(results.map((result) => result.item_id))
    expect(results).toHaveLength(4_500)
    expect(ids.size).toBe(4_500)
  })

  test('a malformed file and one that is no text say what is wrong', async () => {
    const page = await newPage()
    await importFile(page, 'users.csv', 'name,email\nAnn,"a@x.org\n')
    await ended(page, 'users', 'failed')
    expect(await page.locator('#users-job .problem').innerText()).toBe(
      "users.csv can't be read: a quote is opened and never closed (row 1, column 2 (email)).",
    )
    await page.setInputFiles('#users-file', { name: 'cat.png', mimeType: 'image/png', buffer: Buffer.from([1, 0, 2]) })
    await page.locator('#users-problem', { hasText: 'cat.png is no text' }).waitFor()
  })

  test('a file with neither column asks where they are; names stay text', async () => {
    const page = await newPage()
    const name = '<img src=x onerror=alert(1)>.csv'
    await page.setInputFiles('#users-file', {
      name,
      mimeType: 'text/csv',
      buffer: Buffer.from('<b>Mail</b>,Years\na@x,3\nb,4\n'),
    })
    await page.getByLabel('Which column holds the email?').selectOption({ label: '<b>Mail</b>' })
    await page.getByRole('button', { name: 'Use these columns' }).click()
    await page.getByRole('button', { name: 'Start' }).click()
    await ended(page, 'users')
    expect(await figuresOf(page)).toMatchObject({ Users: '2', Valid: '1' })
    expect(await page.locator('#users-job h3').first().innerText()).toBe(name)
  })

  test('a job can be cancelled', async () => {
    const page = await newPage()
    await page.getByLabel('10,000 generated').check()
    await page.getByLabel('50 ms').check()
    await page.getByRole('button', { name: 'Start' }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await ended(page, 'users', 'cancelled')
  })
})

describe('metrics and large batches', () => {
  test('samples and the weather of four years', async () => {
    const page = await newPage()
    await page.getByRole('tab', { name: 'Metrics' }).click()
    await page.getByRole('button', { name: 'Start' }).click()
    await ended(page, 'metrics')
    await expect.poll(() => page.locator('#metrics-job .scroll tbody tr').count()).toBe(15)
    expect(await page.locator('#metrics-job .scroll tbody tr').nth(4).innerText()).toBe('Batch 5\t0\t0\t0\t–\t–')
    await page.getByLabel('Weather in Seattle, by month').check()
    await page.getByRole('button', { name: 'Start' }).click()
    await page.getByRole('link', { name: 'NOAA' }).waitFor()
    await ended(page, 'metrics')
    await page.getByText('1–50 of 192').waitFor()
  })

  test('1,000 tasks, and the performance report', async () => {
    const page = await newPage()
    await page.getByRole('tab', { name: 'Large batch' }).click()
    await page.getByLabel('Tasks').first().fill('2')
    await page.getByRole('button', { name: 'Start', exact: true }).click()
    await ended(page, 'large')
    expect(await stage(page, 'large-stage')).toEqual({ done: 1_000, total: 1_000 })
    expect(await page.locator('#report .figures').innerText()).toMatch(/Batches processed\s+1\s+Total tasks\s+1,000/)
  })
})

describe('the storage', () => {
  const says = (page: Page) => page.locator('#notice').innerText()

  test('a database that the browser deleted is told of above the page, and a new one is used', async () => {
    const page = await newPage()
    const origin = page.url()
    await page.getByRole('button', { name: 'Start' }).click()
    await ended(page, 'users')
    await page.goto('about:blank')
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' })
    await page.goto(origin)
    await expect.poll(() => says(page)).toContain('The browser has deleted the database')
    await page.getByRole('button', { name: 'Start' }).click()
    await ended(page, 'users')
    await expect.poll(() => figuresOf(page)).toEqual(sample)
  })

  test('how much is used is shown, and the browser can be asked to keep it', async () => {
    const page = await newPage()
    const storage = page.locator('#status', { hasText: 'used' })
    await expect.poll(() => storage.innerText()).toMatch(/[\d.,]+ [kMG]?B of [\d.,]+ [kMG]B used/)
    const asked = await page.evaluate(() => {
      const { persist } = navigator.storage
      navigator.storage.persist = () => {
        document.body.dataset.asked = 'yes'
        return persist.call(navigator.storage)
      }
      return document.body.dataset.asked
    })
    expect(asked).toBeUndefined()
    await page.getByRole('button', { name: 'Keep it' }).click()
    await expect.poll(() => page.evaluate(() => document.body.dataset.asked)).toBe('yes')
    await expect.poll(() => page.locator('#status').innerText()).toContain('Asked the browser to keep what is stored.')
  })

  test('without a database the page works in memory, and says that nothing is kept', async () => {
    const page = await newPage()
    await page.addInitScript(() => Reflect.deleteProperty(globalThis, 'indexedDB'))
    await page.reload()
    await expect.poll(() => says(page)).toContain('Tasks are in memory now')
    await expect.poll(() => page.locator('#status').innerText()).toContain('in memory only: it ends with this page')
    await page.getByRole('button', { name: 'Start' }).click()
    await ended(page, 'users')
    expect(await figuresOf(page)).toEqual(sample)
  })
})

describe('the page', () => {
  test('fits a phone', async () => {
    const page = await newPage({ width: 360, height: 740 })
    for (const name of ['Users', 'Metrics', 'Large batch']) {
      await page.getByRole('tab', { name }).click()
      const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
      expect(content).toBeLessThanOrEqual(window ?? 0)
    }
  })

  test('works by keyboard', async () => {
    const page = await newPage()
    await page.getByRole('tab', { name: 'Users' }).focus()
    await page.keyboard.press('ArrowRight')
    await page.getByRole('tabpanel', { name: 'Metrics' }).waitFor()
    await page.keyboard.press('End')
    await page.getByRole('tabpanel', { name: 'Large batch' }).waitFor()
    await page.keyboard.press('ArrowRight')
    await page.getByRole('tabpanel', { name: 'Users' }).waitFor()
    await page.getByLabel('20 samples').focus()
    await page.keyboard.press('Enter')
    await ended(page, 'users')
  })

  test('forbids eval and remembers the colours', async () => {
    const page = await newPage()
    const policy = await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute('content')
    expect(policy).toContain("script-src 'self';")
    expect(policy).not.toContain('unsafe')
    await page.getByRole('button', { name: 'Switch to dark colours' }).click()
    await page.reload()
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)).toBe('dark')
  })
})
