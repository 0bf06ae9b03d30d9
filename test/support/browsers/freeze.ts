import type { CDPSession } from 'playwright'
import type { Tab } from './tab.js'

// A page that the debugger has paused behaves like a frozen one: its event loop stands still, its locks stay held, messages
// wait. The protocol's own Page.setWebLifecycleState does nothing here, because it freezes hidden pages only and no page of a
// headless browser is ever hidden.
//
// A write transaction of IndexedDB that is open at that moment stays open and keeps all others waiting, until Chromium aborts
// it after 60 s. Whether a browser that freezes pages by itself spares those that hold up others was not tried.

/** Freezes a tab and its workers; returns once the page stands still. */
export async function freeze(tab: Tab): Promise<void> {
  if (tab.frozen) return
  const { page, cdp } = tab
  await page.evaluate(() => document.dispatchEvent(new Event('freeze')))
  tab.frozen = true
  await toWorkers(tab, 'Debugger.enable')
  await toWorkers(tab, 'Debugger.pause')
  await cdp.send('Debugger.enable')
  await pause(cdp)
}

/** Resolves once the page stands still, its debugger enabled before. */
export async function pause(cdp: CDPSession): Promise<void> {
  const paused = new Promise((resolve) => cdp.once('Debugger.paused', resolve))
  await cdp.send('Debugger.pause')
  // The pause begins with the next statement that runs; an idle page needs one. It is not answered before the thaw.
  cdp.send('Runtime.evaluate', { expression: '0' }).catch(() => {})
  await paused
}

/** Lets a frozen tab and its workers go on. */
export async function thaw(tab: Tab): Promise<void> {
  if (!tab.frozen || tab.crashed) return
  await toWorkers(tab, 'Debugger.disable')
  await tab.cdp.send('Debugger.disable')
  tab.frozen = false
  await tab.page.evaluate(() => document.dispatchEvent(new Event('resume')))
}

let lastId = 0

/** Workers are sessions inside the page's: a message to one travels as text. */
async function toWorkers({ cdp, workers }: Tab, method: string): Promise<void> {
  for (const sessionId of workers) {
    const message = JSON.stringify({ id: ++lastId, method })
    await cdp.send('Target.sendMessageToTarget', { sessionId, message }).catch(() => workers.delete(sessionId))
  }
}
