import { setTimeout as sleep } from 'node:timers/promises'
import { defineBrowserProvider } from '@vitest/browser'
import type { BrowserProviderOption } from 'vitest/node'
import { findWebKit } from '../../../scripts/engines.js'
import { type Display, startDisplay } from './display.js'
import { processes } from './processes.js'
import type { TabbedProvider, TabDriver } from './tab-driver.js'
import { type Send, WebDriver } from './webdriver.js'

/** Runs tests in WebKitGTK's MiniBrowser over classic WebDriver. Playwright's provider drives only a WebKit of its own. */
export const webkit = (): BrowserProviderOption =>
  defineBrowserProvider({
    name: 'webkitgtk',
    supportedBrowser: ['webkit'],
    providerFactory: () => new WebKitProvider(),
  })

interface Running {
  driver: WebDriver
  display: Display | undefined
}

class WebKitProvider implements TabbedProvider {
  readonly name = 'webkitgtk'
  readonly supportsParallelism = false
  #launch: Promise<Running> | undefined
  #closed = false
  /** The address of the tests. */
  #base = ''
  #group: number | undefined
  /** Their window. */
  #own = ''

  /**
   * A tab is known by its window handle. WebDriver speaks to one window at a time: each command begins with which. Each has a
   * window of its own: the timers of a hidden page come ever more rarely.
   */
  readonly tabs: TabDriver<string> = {
    open: async (url) => {
      const driver = await this.#driver()
      const { handle } = await inWindow(driver, this.#own, (send) =>
        send<{ handle: string }>('POST', '/window/new', { type: 'window' }),
      )
      const { href } = new URL(url, this.#base)
      await inWindow(driver, handle, (send) => send('POST', '/url', { url: href }))
      await loaded(driver, handle, `location.href === ${JSON.stringify(href)}`)
      return handle
    },
    close: async (handle) => {
      await inWindow(await this.#driver(), handle, (send) => send('DELETE', '/window'))
    },
    reload: async (handle) => {
      const driver = await this.#driver()
      await run(driver, handle, 'window.old = true')
      await inWindow(driver, handle, (send) => send('POST', '/refresh', {}))
      await loaded(driver, handle, '!window.old')
    },
    evaluate: async (handle, expression) => answer(await this.#driver(), handle, expression),
    processes: () =>
      processes(([command], group) => group === this.#group && command?.endsWith('/WebKitWebProcess') === true),
  }

  getCommandsContext(): Record<string, unknown> {
    return {}
  }

  async openPage(_sessionId: string, url: string): Promise<void> {
    if (this.#closed) throw new Error('The provider was closed.')
    const driver = await this.#driver()
    this.#group = driver.group
    this.#own ||= await driver.command<string>('GET', '/window')
    this.#base = url
    await inWindow(driver, this.#own, (send) => send('POST', '/url', { url }))
  }

  async #driver(): Promise<WebDriver> {
    this.#launch ??= launch()
    return (await this.#launch).driver
  }

  async close(): Promise<void> {
    this.#closed = true
    // One that did not start has told whoever opened the page.
    const running = await this.#launch?.catch(() => undefined)
    await running?.driver.close()
    running?.display?.close()
  }
}

/** How often a page is asked whether something has come, in ms. */
const LOOK = 20

/** WebKitGTK answers before the page's modules have run: waits until they have. */
async function loaded(driver: WebDriver, handle: string, condition: string): Promise<void> {
  const script = `return ${condition} && document.readyState === 'complete'`
  while (!(await run<boolean>(driver, handle, script))) await sleep(LOOK)
}

/**
 * The value of an expression, awaited. Not with WebDriver's own asynchronous scripts: while one waits, no other tab could be
 * spoken to.
 */
async function answer(driver: WebDriver, handle: string, expression: string): Promise<unknown> {
  const key = JSON.stringify(`answer ${crypto.randomUUID()}`)
  await run(
    driver,
    handle,
    `const answer = window[${key}] = {}
    Promise.resolve(${expression}).then(
      (value) => Object.assign(answer, { value, done: true }),
      (error) => Object.assign(answer, { error: String(error), done: true }),
    )`,
  )
  for (;;) {
    const found = await run<Answer | null>(driver, handle, `return window[${key}] ?? null`)
    if (!found) throw new Error('The page was left before it could answer.')
    if (found.error !== undefined) throw new Error(found.error)
    if (found.done) return found.value
    await sleep(LOOK)
  }
}

interface Answer {
  done?: true
  value?: unknown
  error?: string
}

const run = <T>(driver: WebDriver, handle: string, script: string): Promise<T> =>
  inWindow(driver, handle, (send) => send<T>('POST', '/execute/sync', { script, args: [] }))

function inWindow<T>(driver: WebDriver, handle: string, command: (send: Send) => Promise<T>): Promise<T> {
  return driver.turn(async (send) => {
    await send('POST', '/window', { handle })
    return command(send)
  })
}

async function launch(): Promise<Running> {
  const found = findWebKit()
  if (!found) throw new Error('No WebKitGTK found: run the tests with npm run test:engines.')
  const display = found.display === undefined ? undefined : await startDisplay(found.display)
  const env = display ? { ...process.env, DISPLAY: display.name } : process.env
  const browser = { binary: found.browser, args: ['--automation'] }
  try {
    const driver = await WebDriver.start(found.driver, { alwaysMatch: { 'webkitgtk:browserOptions': browser } }, env)
    return { driver, display }
  } catch (error) {
    display?.close()
    throw error
  }
}
