import type { Hint } from '../channel.js'
import { ClosedError, StorageError } from '../errors.js'
import type { Report } from '../executor.js'
import { Backoff } from './backoff.js'
import { Bell } from './bell.js'
import type { Chores } from './chores.js'
import type { HostParts } from './settings.js'
import type { Work } from './work.js'

/**
 * Ended attempts wait for others this long, in ms, before they are recorded. Longer while tasks in hand wait for a slot: there is more
 * work than hands, and what the page takes for a transaction is taken from the handlers where all cores compute.
 */
const GATHER = 20
const GATHER_BUSY = 100
/** Hints may all be lost: an idle host looks this often, in ms. */
const POLL = 5_000
/** After a quota error no tasks are claimed for this long, in ms; and this many slices are pruned before the next try. */
const FULL = 30_000
const SLICES = 10
/** What leaving may take beyond the grace where the storage does not answer, in ms. */
const LEAVE = 5_000
const NEVER = Number.POSITIVE_INFINITY
/** Hints after which there may be something to do. */
const STIRRING: readonly Hint['type'][] = ['changed', 'added', 'role', 'left']

/**
 * `left`: everything was given back; `fenced`: this host was voided, or its lock was stolen; `closed`: the storage is closed
 * for good; `outdated`: so it is, because a newer version of the app has it; `dropped`: it was told to let go of everything as
 * it is.
 */
export type LoopEnd = 'left' | 'fenced' | 'closed' | 'outdated' | 'dropped'

/** Something to do now, or how long to wait, in ms. */
type Next = (() => Promise<void>) | number

/**
 * Decides what a host does when. One operation on the storage is under way at any time; whatever happens meanwhile is
 * gathered and goes with the next, so batches form by themselves.
 */
export class Loop {
  readonly #parts: HostParts
  readonly #work: Work
  readonly #chores: Chores
  /** ms since the epoch. */
  readonly #deadline: number
  /** Ends when nothing is left to do. */
  readonly #draining: boolean
  readonly #bell = new Bell()
  readonly #backoff: Backoff
  #end: LoopEnd | undefined
  #busy = false
  #looked = false
  #closing: { abortAt: number; giveUpAt: number } | undefined
  /** By the monotonic clock, as all that follow. */
  #retryAt = 0
  #fullUntil = 0
  #makeRoom = false

  constructor(parts: HostParts, work: Work, chores: Chores, drain?: { deadline?: number | undefined }) {
    this.#parts = parts
    this.#work = work
    this.#chores = chores
    this.#draining = drain !== undefined
    this.#deadline = drain?.deadline ?? NEVER
    this.#backoff = new Backoff(100, 10_000, parts.settings.random)
  }

  /** Runs until it is closed or fenced, or `lost` aborts. Never rejects. */
  async run(lost: AbortSignal): Promise<LoopEnd> {
    const fence = () => this.#finish('fenced')
    lost.addEventListener('abort', fence)
    if (lost.aborted) fence()
    while (!this.#end) {
      const next = this.#next()
      if (typeof next === 'number') await this.#bell.wait(this.#parts.clock, next)
      else void this.#do(next)
    }
    lost.removeEventListener('abort', fence)
    return this.#end
  }

  /** No more claims; what has not begun goes back, what runs has `grace` ms to end. The shortest grace asked for counts. */
  close(grace: number): void {
    const abortAt = Math.min(this.#now + grace, this.#closing?.abortAt ?? NEVER)
    this.#closing = { abortAt, giveUpAt: abortAt + LEAVE }
    this.#work.close()
    this.#bell.ring()
  }

  /** Ends at once and records nothing more: the page is left, or the storage was closed. */
  drop(end: 'dropped' | 'closed'): void {
    this.#finish(end)
  }

  look(): void {
    this.#work.look()
    this.#bell.ring()
  }

  /**
   * Tasks are about to be stored from this page: idle hands claim them as they are, in one transaction. Not while there are outcomes to
   * be recorded, which whoever stores would have to wait for.
   */
  offered(): void {
    if (this.#end || this.#busy || this.#closing || this.#makeRoom || this.#now < this.#retryAt) return
    const { hand, exchanges } = this.#work
    // Chores come first, as ever, and nobody who stores waits for them.
    if (hand.done > 0 || exchanges.open || this.#limit <= 0 || this.#chore(false)) return
    if (this.#work.appending()) void this.#do(() => this.#exchange(false))
  }

  /** Tasks are being stored from this page. */
  appending(): void {
    if (this.#work.appending()) this.#bell.ring()
  }

  hear(hint: Hint): void {
    this.#work.hear(hint)
    if (hint.type === 'left' || (hint.type === 'role' && hint.role !== 'host')) this.#chores.lookSoon()
    if (STIRRING.includes(hint.type)) this.#bell.ring()
    // Whatever befell the storage, the next look shows what it means for this host.
    if (hint.type !== 'storage') return
    if (hint.event === 'quota') this.#makeRoom = true
    this.look()
  }

  report(report: Report): void {
    if (this.#end) return
    this.#work.report(report)
    // What has begun may have made room: that counts only if someone waits for it.
    if (this.#work.more || report.type === 'ended' || report.type === 'crashed' || report.type === 'tick')
      this.#bell.ring()
  }

  get #now(): number {
    return this.#parts.clock.monotonic()
  }

  #next(): Next {
    const now = this.#now
    const wait = this.#closingTimes(now)
    if (this.#end || this.#busy) return wait
    if (now < this.#retryAt) return Math.min(wait, this.#retryAt - now)
    if (this.#makeRoom) return () => this.#prune()
    const next = this.#exchangeOrRenewal(now) ?? this.#drained() ?? this.#idle()
    return typeof next === 'number' ? Math.min(wait, next) : next
  }

  /** The times that count even while an operation is under way. */
  #closingTimes(now: number): number {
    const left = this.#deadline - this.#parts.clock.now()
    if (left <= 0 && !(this.#closing && this.#closing.abortAt <= now)) this.close(0)
    if (!this.#closing) return left
    const { abortAt, giveUpAt } = this.#closing
    if (now >= giveUpAt) this.#finish('left')
    if (now < abortAt) return abortAt - now
    this.#work.abort(this.#work.hand.loseAll(), 'The worker stops.')
    return Math.max(0, giveUpAt - now)
  }

  #exchangeOrRenewal(now: number): Next | undefined {
    const { hand, exchanges } = this.#work
    if (exchanges.open) return () => this.#exchange(false)
    if (this.#closing && hand.running === 0) {
      if (!exchanges.none) return () => this.#exchange(true)
      this.#finish('left')
      return 0
    }
    const chore = this.#chore(false)
    if (chore) return chore
    this.#work.shed()
    if (now - this.#work.lookedAt >= POLL || this.#work.wakeAt <= this.#parts.clock.now()) this.#work.more = true
    const gathered = hand.done > 0 && (hand.running === 0 || now - hand.doneSince >= this.#gather)
    if (gathered || (this.#work.more && this.#limit > 0)) return () => this.#exchange(false)
    if (this.#leased && (this.#work.check || this.#renewIn(now) <= 0)) return () => this.#renew()
    return undefined
  }

  /** Where there are locks, nobody takes anything from a living host that holds nothing. */
  get #leased(): boolean {
    return this.#work.hand.running > 0 || (!this.#parts.backend.locks && this.#looked)
  }

  #renewIn(now: number): number {
    return this.#work.leasedAt + this.#parts.settings.renewEvery - now
  }

  get #gather(): number {
    return this.#work.waiting > 0 ? GATHER_BUSY : GATHER
  }

  /** How many tasks may be claimed now. */
  get #limit(): number {
    return this.#closing || this.#full ? 0 : this.#work.limit
  }

  /** The storage was full a short while ago. */
  get #full(): boolean {
    return this.#now < this.#fullUntil
  }

  #drained(): Next | undefined {
    const { hand, toClaim, tally } = this.#work
    if (!this.#draining || this.#closing || hand.running > 0 || hand.done > 0) return undefined
    // What can't be claimed for want of space is for another time.
    const over = this.#full || toClaim <= 0
    const more = this.#work.more || this.#chores.opening
    if (!over && (more || !this.#looked)) return undefined
    if (this.#full) tally.more ||= more
    this.close(0)
    return 0
  }

  #chore(idle: boolean): Next | undefined {
    // They take room too: what has ended comes first, and pruning, which makes some.
    const chore = this.#closing || this.#full ? undefined : this.#chores.due(idle)
    if (!chore) return undefined
    return async () => {
      const found = await chore()
      if (found === 'fenced') this.#finish('fenced')
      else if (found) this.#work.look()
    }
  }

  /** Something for idle hands, or how long to wait for what comes next. */
  #idle(): Next {
    const now = this.#now
    const { hand, more, lookedAt, wakeAt } = this.#work
    const chore = this.#chore(!more)
    if (chore) return chore
    const times = [this.#closing || this.#full ? NEVER : this.#chores.next(!more), this.#work.shedIn]
    if (hand.done > 0) times.push(hand.doneSince + this.#gather - now)
    if (this.#leased) times.push(this.#renewIn(now))
    if (this.#limit > 0) times.push(lookedAt + POLL - now, wakeAt - this.#parts.clock.now())
    if (this.#full) times.push(this.#fullUntil - now)
    return Math.max(0, Math.min(...times))
  }

  async #do(operation: () => Promise<void>): Promise<void> {
    this.#busy = true
    try {
      await operation()
    } catch (error) {
      this.#failed(error)
    }
    this.#busy = false
    this.#bell.ring()
  }

  async #exchange(leave: boolean): Promise<void> {
    const end = await this.#work.exchange({ claim: !this.#full, leave })
    this.#backoff.reset()
    this.#looked = true
    this.#chores.entered()
    if (this.#work.offline) this.#chores.waitForNetwork()
    this.#work.offline = false
    if (end) this.#finish(end)
  }

  async #renew(): Promise<void> {
    if (!(await this.#work.renew())) this.#finish('fenced')
    this.#backoff.reset()
  }

  async #prune(): Promise<void> {
    this.#makeRoom = false
    try {
      for (let i = 0; i < SLICES; i++) if (!(await this.#chores.prune(true, true))) return
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'quota') throw error
      // To forget takes a little room as well. What has ended is tried next all the same: there may be some by now.
      this.#parts.settings.onError(error)
      this.#retryAt = this.#now + this.#backoff.next()
    }
  }

  #failed(error: unknown): void {
    if (this.#end) return
    this.#parts.settings.onError(error)
    const code = error instanceof StorageError || error instanceof ClosedError ? error.code : undefined
    if (code === 'closed') this.#finish('closed')
    if (code === 'newer-version') this.#finish('outdated')
    if (code === 'quota') {
      // Nothing was committed. What has ended is recorded as soon as there is room; more work would only need more of it.
      this.#work.exchanges.withdraw()
      this.#fullUntil = this.#now + FULL
      this.#makeRoom = true
    }
    this.#retryAt = this.#now + this.#backoff.next()
  }

  #finish(end: LoopEnd): void {
    this.#end ??= end
    this.#work.stop()
    this.#bell.ring()
  }
}
