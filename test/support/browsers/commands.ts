import type { BrowserCommand } from 'vitest/node'
import { freeze, thaw } from './freeze.js'
import { type Tab, tabIn } from './tab.js'

/**
 * Commands that browser tests call (`import { commands } from 'vitest/browser'`) to work with further tabs of their own
 * browser: the tabs share the test's storage, locks and channels. A tab is known by the number that `openTab` returns.
 * Tabs left open are closed when the run ends; a test that cares about their locks closes them itself.
 */
declare module 'vitest/browser' {
  interface BrowserCommands {
    /**
     * Opens a tab and resolves to its number once the page has loaded. A path such as `/test/support/pages/tab.html` is
     * resolved against the test server.
     */
    openTab(url: string): Promise<number>
    /** Kills the tab's renderer process, as a crash or the system would; no event runs in it. */
    crashTab(tab: number): Promise<void>
    /** Closes the tab as a person would: `pagehide` runs. */
    closeTab(tab: number): Promise<void>
    /** Reloads the tab, also one that crashed or is frozen, and resolves once the page has loaded. */
    reloadTab(tab: number): Promise<void>
    /** Evaluates an expression in the tab, awaits it and returns its JSON value. */
    evalTab<T = unknown>(tab: number, expression: string): Promise<T>
    /**
     * Freezes the tab and its workers: timers, messages and promises stand still, locks stay held, as with a hidden tab
     * that the browser freezes. The `freeze` event runs first; `document.visibilityState` stays as it is.
     */
    freezeTab(tab: number): Promise<void>
    /** Lets a frozen tab go on: the `resume` event, then everything that arrived meanwhile. */
    thawTab(tab: number): Promise<void>
  }
}

/** Every tab that a test opened; its index is its number. */
const tabs: Tab[] = []

function tabOf(index: number): Tab {
  const tab = tabs[index]
  if (!tab) throw new Error(`There is no tab ${index}: use the number that openTab returned.`)
  return tab
}

const openTab: BrowserCommand<[url: string]> = async ({ context, page }, url) => {
  return tabs.push(await tabIn(context, new URL(url, page.url()).href)) - 1
}

const crashTab: BrowserCommand<[tab: number]> = async (_, index) => {
  const tab = tabOf(index)
  const crashed = tab.page.waitForEvent('crash', { timeout: 5_000 })
  // The answer to Page.crash never comes: what would answer is gone.
  tab.cdp.send('Page.crash').catch(() => {})
  await crashed
  tab.crashed = true
}

const closeTab: BrowserCommand<[tab: number]> = (_, index) => tabOf(index).page.close()

const reloadTab: BrowserCommand<[tab: number]> = async ({ context }, index) => {
  const tab = tabOf(index)
  await thaw(tab)
  if (!tab.crashed) {
    await tab.page.reload()
    return
  }
  // Playwright gives up a crashed page for good: a new one takes its place.
  tabs[index] = await tabIn(context, tab.page.url())
  await tab.page.close()
}

const evalTab: BrowserCommand<[tab: number, expression: string]> = (_, index, expression) => {
  const tab = tabOf(index)
  if (tab.frozen) throw new Error(`Tab ${index} is frozen and can't answer: thaw it first.`)
  return tab.page.evaluate(expression)
}

const freezeTab: BrowserCommand<[tab: number]> = (_, index) => freeze(tabOf(index))

const thawTab: BrowserCommand<[tab: number]> = (_, index) => thaw(tabOf(index))

export const commands = { openTab, crashTab, closeTab, reloadTab, evalTab, freezeTab, thawTab }
