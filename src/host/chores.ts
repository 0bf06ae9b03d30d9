import type { HandlerTable } from '../executor.js'
import type { HostId } from '../task.js'
import { latestLease } from './lease.js'
import { Parked } from './parked.js'
import type { HostParts } from './settings.js'
import { ONLINE } from './settle.js'

/**
 * A host looks for what dead ones left, for parked tasks, and for those that wait for the network, when it begins and this often
 * afterwards, in ms: `navigator.onLine` is a hint.
 */
const LOOK_AFTER = 60_000
/** Retention is applied this often, in ms; a slice at a time with a pause between them. */
const PRUNE_EVERY = 60_000
const PRUNE_PAUSE = 50
/** A host that is never idle takes the time after all once pruning is this late, in ms. */
const PRUNE_LATE = 300_000
const BUSY_PAUSE = 1_000
/** Pages of blocked tasks read for one look, at most; one at a time with a pause between them, so that work goes on. */
const PAGES = 20
const PAGE_PAUSE = 50
/** Clocks that move apart by more than this between two looks, in ms, were set; or the machine slept. */
const JUMP = 1_000
const NEVER = Number.POSITIVE_INFINITY

/** What a host does beside its work: taking back what dead hosts held, opening the gates of its handlers, pruning. */
export class Chores {
  readonly #parked: Parked
  readonly #parts: HostParts
  readonly #host: HostId
  #table: HandlerTable = {}
  #lookAt: number
  #pruneAt: number
  /** When the next page of blocked tasks is read, and how many may be read until the next look. */
  #pageAt = NEVER
  #pages = 0
  /** Tasks wait for the network. */
  #offline = false
  /** By how much the wall clock was ahead of the other at the last look; and until when no lease is taken for run out. */
  #ahead: number
  #mercyUntil = Number.NEGATIVE_INFINITY

  constructor(parts: HostParts, host: HostId) {
    this.#parts = parts
    this.#host = host
    this.#parked = new Parked(parts.backend)
    const now = parts.clock.monotonic()
    this.#lookAt = now + this.#lookEvery
    this.#pruneAt = now + PRUNE_EVERY
    this.#ahead = parts.clock.now() - now
  }

  /** Handlers that tasks wait for and this host does not have. */
  get parked(): Set<string> {
    return this.#parked.names
  }

  /** The chore to do now; it resolves to true if there may be more to claim. Pruning waits for an idle host, up to a limit. */
  due(idle: boolean): (() => Promise<boolean>) | undefined {
    const { clock } = this.#parts
    if (clock.monotonic() >= this.#lookAt) return () => this.#lookAfter()
    if (clock.monotonic() >= this.#pageAt) return () => this.#page()
    if (this.#offline && this.#parts.settings.online()) return () => this.#openNetwork()
    if (this.next(idle) > 0) return undefined
    return async () => {
      await this.prune(idle)
      return false
    }
  }

  /** When the next chore is due, in ms from now. */
  next(idle: boolean): number {
    const at = Math.min(this.#lookAt, this.#pageAt, this.#pruneAt + (idle ? 0 : PRUNE_LATE))
    return Math.max(0, at - this.#parts.clock.monotonic())
  }

  /** Voids dead hosts and takes back what they held. Resolves to true if there was something. */
  async recover(): Promise<boolean> {
    const { backend, clock, settings } = this.#parts
    const { departures } = backend
    const left = departures?.left() ?? []
    const dead = this.#dead()
    const now = clock.now()
    const { maxCrashes } = settings
    const recovered = await backend.recover({
      me: this.#host,
      dead,
      left,
      now,
      latest: latestLease(settings, now),
      maxCrashes,
    })
    if (left.length > 0) departures?.forget(left)
    return recovered > 0
  }

  /**
   * Who holds the lock is the only host; where there are no locks, time alone tells, by the wall clock, which all pages
   * share. After a jump all leases may look run out, as they do when a machine wakes up: those of the living are renewed
   * within a lease.
   */
  #dead(): 'others' | 'expired' | 'left' {
    const { backend, clock, settings } = this.#parts
    if (backend.locks) return 'others'
    const now = clock.monotonic()
    const ahead = clock.now() - now
    if (Math.abs(ahead - this.#ahead) > JUMP) this.#mercyUntil = now + settings.lease
    this.#ahead = ahead
    return now < this.#mercyUntil ? 'left' : 'expired'
  }

  /** Where there are no locks: a host says that it goes. What it held need not wait until its lease has run out. */
  lookSoon(): void {
    if (!this.#parts.backend.locks) this.#lookAt = this.#parts.clock.monotonic()
  }

  async #lookAfter(): Promise<boolean> {
    this.#lookAt = this.#parts.clock.monotonic() + this.#lookEvery
    const recovered = await this.recover()
    this.#pages = PAGES
    return (await this.#page()) || recovered
  }

  /** A task failed offline: it goes on as soon as the page says that it is online. */
  waitForNetwork(): void {
    this.#offline = true
  }

  async #openNetwork(): Promise<boolean> {
    this.#offline = false
    return (await this.#openGate(ONLINE)) > 0
  }

  /** Before there is work: lets parked tasks go on whose handlers are here, and learns of the others. */
  async unpark(table: HandlerTable): Promise<void> {
    this.#table = table
    const found = new Set<string>()
    let more = true
    for (let i = 0; more && i < PAGES; i++) {
      const page = await this.#parked.look()
      for (const name of page.found) found.add(name)
      more = page.more
    }
    // Behind so many others there may be tasks of any handler here: they need not wait until all were read.
    await this.#open(more ? Object.keys(table) : found)
  }

  /** Reads one page. Resolves to true if there was something to let go on. */
  async #page(): Promise<boolean> {
    this.#pageAt = NEVER
    const { found, more } = await this.#parked.look()
    if (more && --this.#pages > 0) this.#pageAt = this.#parts.clock.monotonic() + PAGE_PAUSE
    return (await this.#open(found)) > 0
  }

  /** Opens the gates of those handlers that are here, and the one of the network. Resolves with the number of tasks behind them. */
  async #open(names: Iterable<string>): Promise<number> {
    const here = [...names].filter((name) => Object.hasOwn(this.#table, name))
    for (const name of here) this.parked.delete(name)
    // A task whose handler is here may as well wait for the network.
    const gates = here.length > 0 ? [...here.map((name) => `handler:${name}`), ONLINE] : []
    let opened = 0
    for (const gate of gates) opened += await this.#openGate(gate)
    return opened
  }

  #openGate(gate: string): Promise<number> {
    const { backend, clock } = this.#parts
    return backend.change({ type: 'open-gate', gate, now: clock.now() })
  }

  /** One slice. Resolves to true if there is more. */
  async prune(idle: boolean): Promise<boolean> {
    const { backend, clock, settings } = this.#parts
    this.#pruneAt = clock.monotonic() + PRUNE_EVERY
    const more = await backend.prune({ ...settings.retention, now: clock.now() })
    if (more) this.#pruneAt = clock.monotonic() + (idle ? PRUNE_PAUSE : BUSY_PAUSE - PRUNE_LATE)
    return more
  }

  get #lookEvery(): number {
    return this.#parts.backend.locks ? LOOK_AFTER : this.#parts.settings.renewEvery
  }
}
