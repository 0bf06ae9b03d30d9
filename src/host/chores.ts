import { StorageError } from '../errors.js'
import type { HandlerTable } from '../executor.js'
import { handlerGate, inputGate, ONLINE, readGate } from '../gates.js'
import { AGE } from '../plan/prune.js'
import type { HostId } from '../task.js'
import { latestLease } from './lease.js'
import { Openings } from './opening.js'
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
/** Handlers whose gates are opened unseen, at most. */
const UNSEEN = 250
/** Clocks that move apart by more than this between two looks, in ms, were set; or the machine slept. */
const JUMP = 1_000
const NEVER = Number.POSITIVE_INFINITY

/** What a host does beside its work: taking back what dead hosts held, opening the gates of its handlers, pruning. */
export class Chores {
  readonly #parked: Parked
  readonly #openings: Openings
  readonly #parts: HostParts
  readonly #host: HostId
  #table: HandlerTable = {}
  #lookAt: number
  #pruneAt: number
  /** When the next page of blocked tasks is read, and how many may be read until the next look. */
  #pageAt = NEVER
  #pages = 0
  /** An exchange was answered: from then on, to have no entry is to have been voided. */
  #entered = false
  /** By how much the wall clock was ahead of the other at the last look; and until when no lease is taken for run out. */
  #ahead: number
  #mercyUntil = Number.NEGATIVE_INFINITY

  constructor(parts: HostParts, host: HostId) {
    this.#parts = parts
    this.#host = host
    this.#parked = new Parked(parts.backend)
    this.#openings = new Openings(parts, host)
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

  /** There is more to be claimed as soon as its gates are open. */
  get opening(): boolean {
    return this.#openings.pending || this.#pageAt < NEVER
  }

  /** The chore to do now; it resolves to true if there may be more to claim. Pruning waits for an idle host, up to a limit. */
  due(idle: boolean): (() => Promise<boolean | 'fenced'>) | undefined {
    const { clock } = this.#parts
    if (clock.monotonic() >= this.#lookAt) return () => this.#lookAfter()
    if (clock.monotonic() >= this.#nextPage) return () => this.#page()
    const opening = this.#openings.due(idle)
    if (opening || this.next(idle) > 0) return opening
    return async () => {
      await this.prune(idle)
      return false
    }
  }

  /** When the next chore is due, in ms from now. */
  next(idle: boolean): number {
    const prune = this.#pruneAt + (idle ? 0 : PRUNE_LATE)
    const at = Math.min(this.#lookAt, this.#nextPage, this.#openings.next(idle), prune)
    return Math.max(0, at - this.#parts.clock.monotonic())
  }

  /** What was found is opened before more is read. */
  get #nextPage(): number {
    return this.#openings.handlersPending ? NEVER : this.#pageAt
  }

  entered(): void {
    this.#entered = true
  }

  /** A storage that is full keeps nobody from beginning: only who works can make room. What failed is done with the first look. */
  async unlessFull(chore: () => Promise<unknown>): Promise<void> {
    try {
      await chore()
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'quota') throw error
      this.#parts.settings.onError(error)
      this.#lookAt = this.#parts.clock.monotonic()
    }
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
    this.#readOn(PAGES)
    return (!this.#openings.handlersPending && (await this.#page())) || recovered
  }

  /** A task failed offline: it goes on as soon as the page says that it is online. */
  waitForNetwork(): void {
    this.#openings.waitForNetwork()
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
    const any = more && names.length <= UNSEEN
    const held = any ? [ONLINE, ...names.flatMap((name) => [handlerGate(name), inputGate(name)])] : gates
    // The others are found again by the next look, should the storage fail.
    await this.#openings.inputs(held.filter((gate) => this.#isServed(gate, 'input')))
    await this.#open(held)
  }

  /** Reads one page. Resolves to true if there was something to let go on. */
  async #page(): Promise<boolean> {
    const { gates, more } = await this.#parked.look()
    this.#readOn(more ? this.#pages - 1 : 0)
    return await this.#open(gates)
  }

  #readOn(pages: number): void {
    this.#pages = pages
    this.#pageAt = pages > 0 ? this.#parts.clock.monotonic() + PAGE_PAUSE : NEVER
  }

  /** Opens the gates of those handlers that are here, and the one of the network. */
  async #open(gates: readonly string[]): Promise<boolean> {
    const served = gates.filter((gate) => this.#isServed(gate, 'handler'))
    for (const gate of served) this.parked.delete(readGate(gate)?.name ?? '')
    const opened = await this.#openings.handlers(served)
    return (gates.includes(ONLINE) && (await this.#openings.network())) || opened
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
