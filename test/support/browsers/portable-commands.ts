import { setTimeout as sleep } from 'node:timers/promises'
import type { BrowserCommand, BrowserProvider } from 'vitest/node'
import { isTabbed, type TabDriver } from './tab-driver.js'

// The commands of commands.ts for engines without the DevTools protocol. A tab is crashed and frozen for real too: its process is
// killed, or stopped. Unlike a page that a browser freezes, that takes along whatever else lives in the process.

interface Tab {
  readonly driver: TabDriver
  id: unknown
  process: number | undefined
  crashed: boolean
  frozen: boolean
}

/** The tabs of one run of one engine; the index of each is its number. */
const opened = new WeakMap<BrowserProvider, Tab[]>()
/** A process is known by its appearing with the tab: they are opened one after the other. */
let turn: Promise<unknown> = Promise.resolve()

function tabOf(provider: BrowserProvider, index: number): Tab {
  const tab = opened.get(provider)?.[index]
  if (!tab) throw new Error(`There is no tab ${index}: use the number that openTab returned.`)
  return tab
}

/** How long a process may take to appear, or to end, in ms. */
const PROCESS = 5_000

async function open(driver: TabDriver, url: string): Promise<Tab> {
  const before = driver.processes()
  const id = await driver.open(url)
  const [process, ...more] = [...driver.processes()].filter((process) => !before.has(process))
  // Two, and it is not known whose they are.
  return { driver, id, process: more.length === 0 ? process : undefined, crashed: false, frozen: false }
}

function send(tab: Tab, signal: NodeJS.Signals): void {
  if (tab.process === undefined)
    throw new Error('The tab has no process of its own, or this system does not tell which.')
  process.kill(tab.process, signal)
}

function thaw(tab: Tab): void {
  if (tab.frozen) send(tab, 'SIGCONT')
  tab.frozen = false
}

const openTab: BrowserCommand<[url: string]> = async ({ provider }, url) => {
  if (!isTabbed(provider)) throw new Error(`${provider.name} opens no tabs.`)
  const tabs = opened.get(provider) ?? []
  opened.set(provider, tabs)
  const opening = turn.then(() => open(provider.tabs, url))
  turn = opening.catch(() => {})
  return tabs.push(await opening) - 1
}

const closeTab: BrowserCommand<[tab: number]> = async ({ provider }, index) => {
  const tab = tabOf(provider, index)
  thaw(tab)
  // What is left of one that crashed may be gone already.
  await tab.driver.close(tab.id).catch((error) => {
    if (!tab.crashed) throw error
  })
}

const reloadTab: BrowserCommand<[tab: number]> = async ({ provider }, index) => {
  const tab = tabOf(provider, index)
  if (tab.crashed) throw new Error(`Tab ${index} has crashed: open another.`)
  thaw(tab)
  await tab.driver.reload(tab.id)
}

const evalTab: BrowserCommand<[tab: number, expression: string]> = ({ provider }, index, expression) => {
  const tab = tabOf(provider, index)
  if (tab.frozen) throw new Error(`Tab ${index} is frozen and can't answer: thaw it first.`)
  return tab.driver.evaluate(tab.id, expression)
}

const crashTab: BrowserCommand<[tab: number]> = async ({ provider }, index) => {
  const tab = tabOf(provider, index)
  send(tab, 'SIGKILL')
  tab.crashed = true
  const end = Date.now() + PROCESS
  while (tab.driver.processes().has(tab.process ?? 0)) {
    if (Date.now() > end) throw new Error(`Tab ${index} did not end within ${PROCESS} ms.`)
    await sleep(5)
  }
}

const freezeTab: BrowserCommand<[tab: number]> = async ({ provider }, index) => {
  const tab = tabOf(provider, index)
  if (tab.frozen) return
  await tab.driver.evaluate(tab.id, `document.dispatchEvent(new Event('freeze'))`)
  send(tab, 'SIGSTOP')
  tab.frozen = true
}

const thawTab: BrowserCommand<[tab: number]> = async ({ provider }, index) => {
  const tab = tabOf(provider, index)
  if (!tab.frozen) return
  thaw(tab)
  await tab.driver.evaluate(tab.id, `document.dispatchEvent(new Event('resume'))`)
}

export const portableCommands = {
  openTab,
  closeTab,
  reloadTab,
  evalTab,
  crashTab,
  freezeTab,
  thawTab,
  /** Vitest calls it before each file, and its own providers have it. The size of the page is nothing to these tests. */
  __vitest_viewport: () => {},
}
