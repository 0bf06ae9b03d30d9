import { defineBrowserProvider } from '@vitest/browser'
import type { Browser, Page } from 'puppeteer-core'
import type { BrowserProviderOption } from 'vitest/node'
import { findFirefox } from '../../../scripts/engines.js'
import { processes } from './processes.js'
import type { TabbedProvider, TabDriver } from './tab-driver.js'

/** Runs tests in an installed Firefox, headless, over WebDriver BiDi. Playwright's provider drives only a Firefox of its own. */
export const firefox = (): BrowserProviderOption =>
  defineBrowserProvider({
    name: 'firefox-bidi',
    supportedBrowser: ['firefox'],
    providerFactory: () => new FirefoxProvider(),
  })

const preferences = {
  // What a person would be asked: a headless browser waits for the answer for ever.
  'dom.storageManager.prompt.testing': true,
  'dom.storageManager.prompt.testing.allow': true,
  // A process for each tab, also of one site, and none in reserve.
  'dom.ipc.processCount.webIsolated': 1_000,
  'dom.ipc.processPrelaunch.enabled': false,
}

class FirefoxProvider implements TabbedProvider {
  readonly name = 'firefox-bidi'
  readonly supportsParallelism = false
  readonly #pages = new Map<string, Page>()
  #browser: Promise<Browser> | undefined
  #process: number | undefined
  #closed = false

  readonly tabs: TabDriver<Page> = {
    open: async (url) => {
      const [own] = this.#pages.values()
      if (!own) throw new Error('Firefox runs no test yet.')
      // In a window of its own: of the tabs in one, all but the last are hidden, and their timers slow.
      const tab = await own.browser().newPage({ type: 'window' })
      await tab.goto(new URL(url, own.url()).href)
      return tab
    },
    close: (tab) => tab.close(),
    reload: async (tab) => {
      await tab.reload()
    },
    evaluate: (tab, expression) => tab.evaluate(expression),
    processes: () => {
      const parent = String(this.#process)
      const isOurs = (args: readonly string[]) => args[args.indexOf('-parentPid') + 1] === parent
      return processes((args) => args.includes('-isForBrowser') && isOurs(args))
    },
  }

  getCommandsContext(): Record<string, unknown> {
    return {}
  }

  async openPage(sessionId: string, url: string): Promise<void> {
    if (this.#closed) throw new Error('The provider was closed.')
    this.#browser ??= launch()
    const browser = await this.#browser
    this.#process = browser.process()?.pid
    await this.#pages.get(sessionId)?.close()
    const page = await browser.newPage()
    this.#pages.set(sessionId, page)
    await page.goto(url, { timeout: 0, waitUntil: 'domcontentloaded' })
  }

  async close(): Promise<void> {
    this.#closed = true
    // One that did not start has told whoever opened the page.
    const browser = await this.#browser?.catch(() => undefined)
    await browser?.close()
  }
}

async function launch(): Promise<Browser> {
  const executablePath = findFirefox()
  if (!executablePath) throw new Error('No Firefox found: run the tests with npm run test:engines.')
  const { launch } = await import('puppeteer-core')
  // A crash is what some tests are about: nobody is to be told.
  const env = { ...process.env, MOZ_CRASHREPORTER_DISABLE: '1' }
  return launch({ browser: 'firefox', executablePath, headless: true, extraPrefsFirefox: preferences, env })
}
