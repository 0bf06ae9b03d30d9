/** Browsers with their profile on the disk, as users have: in a private context IndexedDB is memory. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { chromium } from 'playwright'
import { launch } from 'puppeteer-core'
import { prepareChromium } from '../../scripts/chromium.js'
import { findFirefox, prepareEngine } from '../../scripts/engines.js'

export type BrowserName = 'chromium' | 'firefox'

/** The bench page in a browser that was started for it. */
export interface OpenedBench {
  /** What an expression comes to in the page. */
  evaluate<T>(expression: string): Promise<T>
  close(): Promise<void>
}

export type Open = (profile: string) => Promise<OpenedBench>

export async function freshProfile(): Promise<{ folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'sitq-bench-'))
  // Files of a browser that just ended may still come and go.
  return { folder, remove: () => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }) }
}

/** Resolves with the way to start that browser on a profile and open a page in it. */
export async function opener(browser: BrowserName, url: string): Promise<Open> {
  if (browser === 'firefox') {
    await prepareEngine('firefox')
    return (profile) => openFirefox(profile, url)
  }
  const { executablePath, args, env } = await prepareChromium()
  // Heap sizes are rounded to 10 % otherwise, and garbage can't be told from what is held.
  const flags = [...args, '--enable-precise-memory-info', '--js-flags=--expose-gc']
  const options = { args: flags, env, ...(executablePath ? { executablePath } : {}) }
  return async (profile) => {
    const context = await chromium.launchPersistentContext(profile, options)
    const page = context.pages()[0] ?? (await context.newPage())
    page.on('pageerror', (error) => console.error(error))
    page.on('console', (message) => message.type() === 'error' && console.error(message.text()))
    await page.goto(url)
    await page.waitForFunction('globalThis.sitqBench')
    return { evaluate: (expression) => page.evaluate(expression), close: () => context.close() }
  }
}

async function openFirefox(profile: string, url: string): Promise<OpenedBench> {
  const executablePath = findFirefox()
  if (!executablePath) throw new Error('Firefox is not installed.')
  const browser = await launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    userDataDir: profile,
    protocolTimeout: 600_000,
    // Clocks are rounded to whole ms otherwise.
    extraPrefsFirefox: { 'privacy.reduceTimerPrecision': false, 'dom.disable_open_during_load': false },
  })
  const [page = await browser.newPage()] = await browser.pages()
  await page.goto(url)
  // Not by waitForFunction, which makes a function of a text: the page's policy forbids that.
  const since = Date.now()
  while (!(await page.evaluate('Boolean(globalThis.sitqBench)'))) {
    if (Date.now() - since > 30_000) throw new Error('The bench page does not get ready.')
    await setTimeout(50)
  }
  return {
    // What comes back was made by the page that this project built.
    evaluate: async <T>(expression: string): Promise<T> =>
      JSON.parse(String(await page.evaluate(`(async () => JSON.stringify((await (${expression})) ?? null))()`))),
    close: () => browser.close(),
  }
}
