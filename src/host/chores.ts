import type { HandlerTable } from '../executor.js'
import { handlerGate, inputGate, markOf, ONLINE, readGate } from '../gates.js'
import { AGE } from '../plan/prune.js'
import type { HostId } from '../task.js'
import { latestLease } from './lease.js'
import { Parked } from './parked.js'
import type { HostParts } from './settings.js'

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
/** Pages of gates read for one look, at most; one at a time with a pause between them, so that work goes on. */
const PAGES = 20
const PAGE_PAUSE = 50
/** Gates opened in one transaction. */
const GATES = 500
/** Tasks whose input did not fit that are tried again at a time; with a pause, longer while there is other work. */
const REFITS = 512
const REFIT_PAUSE = 50
const REFIT_PAUSE_BUSY = 1_000
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
  /** Gates of tasks to try again, and since when the next slice is due: so many ms after that, by the monotonic clock. */
  #refit: string[] = []
  /** Not more than were blocked when it began: where there are no locks, other hosts may set them aside anew meanwhile. */
  #refits = 0
  #refitAt = NEVER
  /** Tasks wait for the network. */
  #offline = false
  /** An exchange was answered: from then on, to have no entry is to have been voided. */
  #entered = false
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

  someParked(): string[] {
    return this.#parked.some()
  }

  /** The chore to do now; it resolves to true if there may be more to claim. Pruning waits for an idle host, up to a limit. */
  due(idle: boolean): (() => Promise<boolean | 'fenced'>) | undefined {
    const { clock } = this.#parts
    if (clock.monotonic() >= this.#lookAt) return () => this.#lookAfter()
    if (clock.monotonic() >= this.#pageAt) return () => this.#page()
    if (clock.monotonic() >= this.#nextRefit(idle)) return () => this.#tryAgain()
    if (this.#offline && this.#parts.settings.online()) return () => this.#openNetwork()
    if (this.next(idle) > 0) return undefined
    return async () => {
      await this.prune(idle)
      return false
    }
  }

  /** When the next chore is due, in ms from now. */
  next(idle: boolean): number {
    const prune = this.#pruneAt + (idle ? 0 : PRUNE_LATE)
    const at = Math.min(this.#lookAt, this.#pageAt, this.#nextRefit(idle), prune)
    return Math.max(0, at - this.#parts.clock.monotonic())
  }

  #nextRefit(idle: boolean): number {
    return this.#refitAt + (idle ? REFIT_PAUSE : REFIT_PAUSE_BUSY)
  }

  entered(): void {
    this.#entered = true
  }

  /** Voids dead hosts and takes back what they held. Resolves to true if there was something. */
  async recover(): Promise<boolean | 'fenced'> {
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
      entered: this.#entered,
      maxCrashes,
    })
    if (recovered === undefined) return 'fenced'
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

  async #lookAfter(): Promise<boolean | 'fenced'> {
    const began = this.#parts.clock.monotonic()
    const recovered = await this.recover()
    this.#lookAt = began + this.#lookEvery
    if (recovered === 'fenced') return recovered
    this.#pages = PAGES
    return (await this.#page()) || recovered
  }

  /** A task failed offline: it goes on as soon as the page says that it is online. */
  waitForNetwork(): void {
    this.#offline = true
  }

  async #openNetwork(): Promise<boolean> {
    const { backend, clock } = this.#parts
    this.#offline = false
    try {
      return (await backend.change({ type: 'open-gate', gate: ONLINE, now: clock.now() })) > 0
    } catch (error) {
      this.#offline = true
      throw error
    }
  }

  /**
   * Before there is work: lets parked tasks go on whose handlers are here, and learns of the others. What did not fit its
   * handler is tried again, once: the code may be newer now.
   */
  async unpark(table: HandlerTable): Promise<void> {
    this.#table = table
    const { gates, more } = await this.#parked.look()
    if (more) this.#readOn(PAGES)
    // Behind so many others there may be tasks of any handler here: they need not wait until all were read, unless there are
    // so many handlers that asking for each would take longer.
    const names = Object.keys(table)
    const any = more && names.length <= GATES / 2
    const held = any ? [ONLINE, ...names.flatMap((name) => [handlerGate(name), inputGate(name)])] : gates
    await this.#open(held)
    this.#refit = held.filter((gate) => this.#isServed(gate, 'input'))
    if (this.#refit.length === 0) return
    this.#refits = (await this.#parts.backend.counts()).blocked
    await this.#tryAgain()
  }

  /** Reads one page. Resolves to true if there was something to let go on. */
  async #page(): Promise<boolean> {
    const { gates, more } = await this.#parked.look()
    this.#readOn(more ? this.#pages - 1 : 0)
    return (await this.#open(gates)) > 0
  }

  #readOn(pages: number): void {
    this.#pages = pages
    this.#pageAt = pages > 0 ? this.#parts.clock.monotonic() + PAGE_PAUSE : NEVER
  }

  /** Opens the gates of those handlers that are here, and the one of the network. Resolves with the number of tasks behind them. */
  async #open(gates: readonly string[]): Promise<number> {
    const { backend, clock } = this.#parts
    // That the page is offline is a hint: it may be wrong for ever, so what failed is tried now and then.
    const served = gates.filter((gate) => gate === ONLINE || this.#isServed(gate, 'handler'))
    for (const gate of served) this.parked.delete(readGate(gate)?.name ?? '')
    let opened = 0
    for (let i = 0; i < served.length; i += GATES) {
      opened += await backend.change({ type: 'open-gate', gate: served.slice(i, i + GATES), now: clock.now() })
    }
    return opened
  }

  /** One slice of what did not fit under an earlier host: there may be any number, and other tasks are to go on. */
  async #tryAgain(): Promise<boolean> {
    const { backend, clock } = this.#parts
    const change = {
      type: 'open-gate',
      gate: this.#refit,
      but: markOf(this.#host),
      limit: Math.min(REFITS, this.#refits),
      now: clock.now(),
    } as const
    const opened = await backend.change(change)
    this.#refits -= opened
    this.#refitAt = opened < REFITS || this.#refits === 0 ? NEVER : clock.monotonic()
    return opened > 0
  }

  #isServed(gate: string, kind: 'handler' | 'input'): boolean {
    const held = readGate(gate)
    return held?.kind === kind && Object.hasOwn(this.#table, held.name)
  }

  /** One slice. `full`: of what may go when there is no space left. Resolves to true if there is more. */
  async prune(idle: boolean, full = false): Promise<boolean> {
    const { backend, clock, settings } = this.#parts
    const { whenFull = NEVER, ...retention } = settings.retention
    this.#pruneAt = clock.monotonic() + PRUNE_EVERY
    if (full) retention.age = Math.min(whenFull, retention.age ?? AGE)
    const more = await backend.prune({ ...retention, now: clock.now() })
    if (more) this.#pruneAt = clock.monotonic() + (idle ? PRUNE_PAUSE : BUSY_PAUSE - PRUNE_LATE)
    return more
  }

  get #lookEvery(): number {
    return this.#parts.backend.locks ? LOOK_AFTER : this.#parts.settings.renewEvery
  }
}
