import { freeze, thaw } from '../support/browsers/freeze.js'
import type { Tab } from '../support/browsers/tab.js'
import { Books } from './books.js'
import { Browser } from './browser.js'
import type { PageOptions, page } from './pages/page.js'
import type { Recount } from './pages/recount.js'
import type { Site } from './site.js'

export type Page = typeof page

/** One tab and its name in the books. A reload keeps both, a crash ends both. */
export interface Living {
  name: string
  tab: Tab
  /** Its page serves or stands by. */
  started: boolean
}

/** In ms. No page of a busy machine stands still for so long by itself. */
const timing = { lease: 6_000, renewEvery: 1_000 }

/** A browser on a profile, its tabs, and the books of the database they share. */
export class Scene {
  readonly site: Site
  readonly database: string
  /** Web Workers of each host. */
  readonly size: number
  /** Without a secure context there are no locks. */
  readonly secure: boolean
  readonly tabs = new Set<Living>()
  books = new Books()
  readonly #browser = new Browser()
  #number = 0

  constructor(site: Site, database: string, { size = 2, secure = true } = {}) {
    this.site = site
    this.database = database
    this.size = size
    this.secure = secure
    site.hear = (report) => this.books.hear(report)
  }

  async start(): Promise<void> {
    await this.#browser.start()
  }

  /** Opens a tab. It does nothing yet but what it is asked for. */
  async open(size = this.size): Promise<Living> {
    const name = `tab ${++this.#number}`
    const options: PageOptions = { database: this.database, tab: name, size, ...(this.secure ? {} : { timing }) }
    const { origin, insecureOrigin } = this.site
    const tab = await this.#browser.open(
      `${this.secure ? origin : insecureOrigin}/#${encodeURIComponent(JSON.stringify(options))}`,
    )
    const living = { name, tab, started: false }
    this.tabs.add(living)
    return living
  }

  /** Opens a tab that serves or stands by. */
  async openWorker(): Promise<Living> {
    const living = await this.open()
    const { role } = await this.call(living, 'start')
    if (!this.secure && role !== 'host') throw new Error('There are locks in this page.')
    living.started = true
    return living
  }

  /** Calls a function of the page and resolves with what it resolves with. Rejects if the tab dies; waits while it is frozen. */
  call<Name extends keyof Page>(
    { tab }: Living,
    name: Name,
    ...args: Parameters<Page[Name]>
  ): Promise<Awaited<ReturnType<Page[Name]>>> {
    return tab.page.evaluate(`page.${name}(${args.map((arg) => JSON.stringify(arg)).join()})`)
  }

  async recount(living: Living): Promise<Recount> {
    return JSON.parse(await this.call(living, 'recount'))
  }

  lifeOf({ name }: Living): string {
    return this.books.lives.get(name) ?? name
  }

  /** The tab that is host, as far as is known. */
  get host(): Living | undefined {
    return this.awake.find(({ name }) => this.books.roleOf(name) === 'host')
  }

  /** Tabs that can answer. */
  get awake(): Living[] {
    return [...this.tabs].filter(({ tab, started }) => started && !tab.frozen && !tab.crashed)
  }

  async close(living: Living): Promise<void> {
    this.tabs.delete(living)
    await living.tab.page.close()
  }

  async reload(living: Living): Promise<void> {
    living.started = false
    await living.tab.page.reload()
    await this.call(living, 'start')
    living.started = true
  }

  async crash(living: Living): Promise<void> {
    this.tabs.delete(living)
    living.started = false
    living.tab.crashed = true
    const { page, cdp } = living.tab
    const crashed = page.waitForEvent('crash', { timeout: 10_000 })
    // The answer never comes: what would answer is gone.
    cdp.send('Page.crash').catch(() => {})
    await crashed
    await page.close()
  }

  freeze = (living: Living) => freeze(living.tab)
  thaw = (living: Living) => thaw(living.tab)

  /** Kills every process of the browser at once. */
  async kill(): Promise<void> {
    this.tabs.clear()
    await this.#browser.kill()
  }

  async end(): Promise<void> {
    this.site.hear = () => 0
    await this.#browser.close()
  }
}
