import type { BrowserProvider } from 'vitest/node'

/** Opens tabs beside the test's own, which share its storage, locks and channels; `Id` is what the driver calls one. */
export interface TabDriver<Id = unknown> {
  /** Resolves once the page has loaded. A path is resolved against the test's own address. */
  open(url: string): Promise<Id>
  close(tab: Id): Promise<void>
  /** Resolves once the page has loaded. */
  reload(tab: Id): Promise<void>
  /** The JSON value of an expression, awaited. */
  evaluate(tab: Id, expression: string): Promise<unknown>
  /** The processes that pages run in, where the system tells: one that appears with a tab is the tab's own. */
  processes(): Set<number>
}

/** A provider whose commands can open tabs. */
export interface TabbedProvider extends BrowserProvider {
  readonly tabs: TabDriver
}

export const isTabbed = (provider: BrowserProvider): provider is TabbedProvider => 'tabs' in provider
