import { type Browser, chromium, type Page } from 'playwright'
import { buildIfStale, serve } from '../../demo/cli/site.js'
import { chromiumFlags, prepareChromium } from '../../scripts/chromium.js'

/** The built demo in a real Chromium. */
export interface DemoBrowser {
  /** A new profile: nothing is stored. What goes wrong in the page is listed in `complaints`. */
  newPage(viewport?: { width: number; height: number }): Promise<DemoPage>
  close(): Promise<void>
}

export interface DemoPage {
  page: Page
  complaints: string[]
}

export async function openDemo(): Promise<DemoBrowser> {
  await buildIfStale(() => {})
  const [site, browser] = await Promise.all([serve(), launch()])
  return {
    async newPage(viewport = { width: 1280, height: 900 }) {
      const context = await browser.newContext({ viewport })
      const page = await context.newPage()
      const complaints: string[] = []
      page.on('pageerror', (error) => complaints.push(String(error)))
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
      })
      page.on('request', (request) => {
        const url = request.url()
        if (!url.startsWith(site.origin) && !/^(blob|data):/.test(url)) complaints.push(`A request went to ${url}`)
      })
      await page.goto(site.origin)
      await page.locator('#role[data-role="host"]').waitFor()
      return { page, complaints }
    },
    async close() {
      await browser.close()
      site.close()
    },
  }
}

async function launch(): Promise<Browser> {
  const { executablePath, env } = await prepareChromium()
  return chromium.launch({ args: chromiumFlags, env, ...(executablePath ? { executablePath } : {}) })
}

/** What a job's figures say, by name. */
export async function figuresOf(page: Page): Promise<Record<string, string>> {
  const pairs = await page
    .locator('#users-job .figures div')
    .evaluateAll((divs) => divs.map((div) => [...div.children].map((child) => child.textContent ?? '')))
  return Object.fromEntries(pairs)
}

export const ended = (page: Page, job: string, state = 'completed') =>
  page.locator(`#${job}-job[data-state="${state}"]`).waitFor({ timeout: 40_000 })
