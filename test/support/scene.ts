import { type Batch, TaskQueue, type WorkerView } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { expect, onTestFinished, vi } from 'vitest'
import { server } from 'vitest/browser'
import type { Hint } from '../../src/channel.js'
import type { page, TabOptions, TabState } from './pages/tab.js'
import type { Handlers, Item } from './pages/tab-handlers.js'
import { Witness } from './pages/witness.js'

/** For waits that end with a signal: a busy machine takes its time. */
export const patience = { timeout: 15_000 }

/** A standby that does not hear that the host is gone, and takes it for frozen, needs longer than this, in ms. */
const SILENT = 10_000

type Page = typeof page

/** A way for the host to go, and what that charges to the tasks it held. */
interface Leaving<Opened> {
  leave(host: Opened): void | Promise<void>
  crashes: 0 | 1
  /** Of the host's page. */
  host?: Partial<TabOptions>
}

/** Where the pages are that tests open. */
export const addressOf = (options: TabOptions): string =>
  `/test/support/pages/tab.html#${encodeURIComponent(JSON.stringify(options))}`

/** A page beside the test's own: a tab, or a frame. */
export abstract class OpenPage {
  readonly name: string
  #open = true

  constructor(name: string) {
    this.name = name
    onTestFinished(() => this.close())
  }

  /** Evaluates an expression in the page, awaits it and resolves to its JSON value. */
  protected abstract evaluate<T>(expression: string): Promise<T>
  /** Resolves once the page has loaded again. */
  abstract reload(): Promise<void>
  protected abstract end(): Promise<void>

  /** Calls a function of the page and resolves with what it resolves with. */
  call<Name extends keyof Page>(name: Name, ...args: Parameters<Page[Name]>): Promise<Awaited<ReturnType<Page[Name]>>> {
    return this.evaluate(`page.${name}(${args.map((arg) => JSON.stringify(arg)).join()})`)
  }

  state = (): Promise<TabState> => this.call('state')
  role = async () => (await this.state()).role

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.end()
  }
}

/** A database of its own, a queue in this page, and the pages that the test opens. */
export class Scene<Opened extends OpenPage> {
  readonly database = `tabs-${crypto.randomUUID()}`
  readonly backend = new IndexedDBBackend({ name: this.database })
  readonly queue = new TaskQueue<Handlers>({ backend: this.backend })
  readonly witness = new Witness(this.database)
  readonly #open: (options: TabOptions) => Promise<Opened>

  constructor(open: (options: TabOptions) => Promise<Opened>) {
    this.#open = open
    // Pages are closed before that: what was registered last is called first.
    onTestFinished(async () => {
      this.witness.close()
      await this.queue.close()
      const destroyed = this.backend.destroy()
      // WebKitGTK 2.50 keeps some connections of pages that were reloaded in the middle of a transaction, until the browser ends:
      // the deletion is blocked as long. Nobody else uses the name.
      if (server.browser === 'webkit') destroyed.catch(() => {})
      else await destroyed
    })
  }

  async tab(tab: string, options: Partial<TabOptions> = {}): Promise<Opened> {
    const opened = await this.#open({ database: this.database, tab, ...options })
    await opened.call('start')
    return opened
  }

  work(total: number, ms: number): Promise<Batch<{ index: number; square: number; tab: string }>> {
    return this.queue.enqueueMany('work', items(total, ms), { id: 'work' })
  }

  /** So many executions of a handler began. */
  ran(name: string, times: number): Promise<void> {
    return this.witness.until(`${times} executions of ${name}`, () => this.witness.runsOf(name).length >= times)
  }

  /** So many more than by now; or all of them were run before anyone looked. */
  ranMore(name: string, times: number, total: number): Promise<void> {
    const from = this.witness.runsOf(name).length
    const holds = () => this.witness.runsOf(name).length >= from + times || this.witness.counts(name).size === total
    return this.witness.until(`${times} more executions of ${name}`, holds)
  }

  /** The host has told of the outcome of everything that ran. */
  recorded(name: string): Promise<void> {
    const { witness } = this
    return witness.until(`every ${name} that ran is recorded`, () => {
      const histories = witness.histories()
      return witness.runsOf(name).every(({ place }) => histories.get(place)?.at(-1)?.to === 'completed')
    })
  }

  /** How long it took since `at` until a tab's handlers began with something, in ms. */
  async firstRunIn({ name }: OpenPage, at: number): Promise<number> {
    await this.witness.until(`a task runs in ${name}`, () => this.witness.runs.some(({ tab }) => tab === name))
    return performance.now() - at
  }

  /** A task that runs until `witness.go()`, before all others. */
  hold(index: number) {
    return this.queue.enqueue('hold', { index }, { priority: -1 })
  }

  /** The number of the Web Worker that is known to run a task. */
  async workerOf(tab: OpenPage, id: string): Promise<number> {
    const runs = ({ running }: WorkerView) => running.some((run) => run.id === id && run.startedAt !== undefined)
    const found = await vi.waitUntil(async () => (await tab.state()).workers.find(runs), patience)
    return found.worker
  }

  /**
   * A host leaves in the middle of its work, and the standby ends all of it: that is checked here, however it left. Resolves
   * with the time until the standby's handlers began, in ms.
   */
  async takeOver({ leave, crashes, host: options }: Leaving<Opened>): Promise<number> {
    const host = await this.tab('host', options)
    const standby = await this.tab('standby')
    const hold = await this.hold(0)
    const batch = await this.work(700, 2)
    await this.ran('hold', 1)
    await this.ran('work', 200)
    const at = performance.now()
    await leave(host)
    const ms = await this.firstRunIn(standby, at)
    expect(ms, 'it was told, and did not wait until the host had been silent for long').toBeLessThan(SILENT)
    await this.ran('hold', 2)
    expect(await hold.get()).toMatchObject({ state: 'running', attempt: 1, crashes })
    this.witness.go()
    expect(await hold.result()).toMatchObject({ tab: 'standby' })
    await this.expectAll(batch, 700)
    expect(await standby.role()).toBe('host')
    expect(this.claimedWith(crashes + 1).size).toBe(0)
    return ms
  }

  /** Resolves when a host or standby says something like this. */
  hint(like: (hint: Hint) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const deaf = this.backend.channel.listen((hint) => {
        if (!like(hint)) return
        deaf()
        resolve()
      })
    })
  }

  /** Every task of a batch of `work` has one outcome, the right one, and what ran twice had been claimed twice. */
  async expectAll(batch: Batch<{ index: number; square: number }>, total: number): Promise<void> {
    const results = await batch.collect()
    expect(results.map((result) => result.status === 'completed' && result.value.square)).toEqual(
      items(total).map(({ index }) => index ** 2),
    )
    expect(await batch.progress()).toMatchObject({
      total,
      done: total,
      completed: total,
      failed: 0,
      cancelled: 0,
      open: false,
    })
    await this.witness.until('every task was run', () => this.witness.counts('work').size === total)
    this.expectFair()
    expect(this.witness.errors).toEqual([])
  }

  /** One host at a time: no task was taken from a living one, none was run again that had been recorded, and none without a claim. */
  expectFair(): void {
    const histories = this.witness.histories()
    const hosts = this.witness.hosts()
    expect(hosts).toEqual([...new Set(hosts)])
    const last = hosts.at(-1)
    for (const history of histories.values()) {
      const before = history.slice(0, -1)
      // `to`: what this host recorded; it said nothing of the last thing it did.
      expect(before.filter(({ to, host }) => to === 'completed' || (to === undefined && host === last))).toEqual([])
    }
    const runs = new Map<string, number>()
    for (const { place } of this.witness.runs) runs.set(place, (runs.get(place) ?? 0) + 1)
    const excess = [...runs].filter(([place, count]) => count > (histories.get(place)?.length ?? 0))
    expect(excess).toEqual([])
  }

  /** Places of tasks that were claimed with so many crashes. */
  claimedWith(crashes: number): Set<string> {
    const places = new Set<string>()
    for (const { claimed } of this.witness.exchanges)
      for (const claim of claimed) if (claim.crashes === crashes) places.add(claim.place)
    return places
  }
}

export const items = (total: number, ms = 0): Item[] => Array.from({ length: total }, (_, index) => ({ index, ms }))
