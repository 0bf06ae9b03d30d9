import type { BrowserContext, CDPSession, Page } from 'playwright'

/** A tab that a test opened beside its own. */
export interface Tab {
  page: Page
  /** The DevTools protocol, for what Playwright has no call for. */
  cdp: CDPSession
  /** The protocol's sessions with the tab's own workers. */
  workers: Set<string>
  crashed: boolean
  frozen: boolean
}

/** Opens a tab in the test's browser context and waits until it has loaded. */
export async function tabIn(context: BrowserContext, url: string): Promise<Tab> {
  const page = await context.newPage()
  const cdp = await context.newCDPSession(page)
  const workers = new Set<string>()
  cdp.on('Target.attachedToTarget', ({ sessionId }) => workers.add(sessionId))
  cdp.on('Target.detachedFromTarget', ({ sessionId }) => workers.delete(sessionId))
  await cdp.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false })
  await page.goto(url)
  return { page, cdp, workers, crashed: false, frozen: false }
}
