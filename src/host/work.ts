import type { Exchanged, Settlement } from '../backend.js'
import type { Hint } from '../channel.js'
import type { EndedRun, HandlerTable, Report } from '../executor.js'
import { ONLINE } from '../gates.js'
import type { HostId } from '../task.js'
import { Exchanges } from './exchanges.js'
import { leaseEnd } from './lease.js'
import { Network } from './network.js'
import { afterIdle, claimLimit, freshPace, isTooMuch, measure, observe, SILENCE, weigh } from './pacing.js'
import { Hand } from './running.js'
import { freshTally, type HostParts, type Tally } from './settings.js'
import { crashOf, giveBack, settlementOf } from './settle.js'

/** Claims that brought nothing although there should be more, before the host waits for news. */
const IN_VAIN = 2

/** The rate is measured over at least so many ms: the clocks of browsers are coarse. */
const MEASURED = 5

/** What a host works on and the steps it can take; the loop says when. */
export class Work {
  readonly hand: Hand
  readonly exchanges: Exchanges
  readonly tally: Tally = freshTally()
  /** Handlers that tasks were parked for. */
  readonly #parked: Set<string>
  readonly #parts: HostParts
  readonly #host: HostId
  readonly #table: HandlerTable
  readonly #network: Network
  #pace = freshPace
  /** Attempts that ended since there was work, or since the rate was last measured. */
  #ended = { since: 0, count: 0 }
  /** There may be something to claim. */
  more = true
  /** Something was heard since the last exchange began. */
  #news = false
  #inVain = 0
  /** Queues that were paused at the last look, and whether all were. */
  #paused: ReadonlySet<string> = new Set()
  #allPaused = false
  #closing = false
  #givesBack = false
  /** Not this host's any more: what comes in now counts for nothing. */
  #over = false
  /** Tasks that failed offline were set aside: the loop sees to it that they go on. */
  offline = false
  /** Someone may have cancelled what runs. */
  check = false
  /** When the next scheduled task is due, ms since the epoch. */
  wakeAt = Number.POSITIVE_INFINITY
  /** Times of the last claim and of the last extension of the lease, by the monotonic clock. */
  lookedAt: number
  leasedAt: number
  /** What may still be claimed. */
  toClaim: number

  constructor(parts: HostParts, host: HostId, table: HandlerTable, parked: Set<string>, toClaim: number) {
    this.#parts = parts
    this.#host = host
    this.#table = table
    this.#network = new Network(parts.settings.online, parts.clock)
    this.#parked = parked
    this.toClaim = toClaim
    this.hand = new Hand(table)
    this.exchanges = new Exchanges(parts, host, Object.keys(table))
    this.lookedAt = this.leasedAt = parts.clock.monotonic()
  }

  /** Look again: timers may have stood still, or someone says there is work. */
  look(): void {
    this.#news = this.more = true
    this.#inVain = 0
    this.#network.look()
  }

  hear(hint: Hint): void {
    if (hint.type === 'changed') this.check = true
    if (hint.type === 'changed' || (hint.type === 'added' && this.#isNews(hint))) this.look()
  }

  /** Tasks are being stored from this page: what is asked for now comes after that. False: they must wait. */
  appending(): boolean {
    if (this.#allPaused) return false
    this.look()
    return true
  }

  /** Not what this page has stored, unless it had to wait with all the rest; nor what is known to be paused. */
  #isNews({ queues, by }: Extract<Hint, { type: 'added' }>): boolean {
    const own = by !== undefined && by === this.#parts.backend.appends?.id
    return !(own && !this.#allPaused) && !queues.every((queue) => this.#paused.has(queue))
  }

  /** What the executor says. */
  report(report: Report): void {
    if (report.type === 'ended') this.#finished(report.runs)
    else if (report.type === 'crashed') this.#crashed(report)
  }

  #finished(runs: readonly EndedRun[]): void {
    const { clock, settings } = this.#parts
    const { random, maxCrashes, concurrency = 1 } = settings
    const host = this.#host
    const at = clock.monotonic()
    const judging = { now: clock.now(), random, network: this.#network.look(), maxCrashes, table: this.#table, host }
    let ms = 0
    for (const run of runs) {
      ms += run.finishedAt - run.startedAt
      const task = this.hand.finish(run.key)
      if (!task) continue
      if (!('misfit' in run)) this.tally.ran++
      const settlement = settlementOf(task, run, judging)
      this.hand.settle(settlement, at)
    }
    const slots = this.#slots
    this.#pace = observe(this.#pace, { count: runs.length, ms }, { slots, workers: slots / concurrency })
    this.#inVain = 0
    this.#ended.count += runs.length
    const passed = at - this.#ended.since
    const dry = this.hand.running === 0
    if (passed < MEASURED && !dry) return
    this.#pace = measure(this.#pace, { count: this.#ended.count, ms: Math.max(passed, 1), dry })
    this.#ended = { since: at, count: 0 }
  }

  #crashed(crash: Extract<Report, { type: 'crashed' }>): void {
    const { clock, settings } = this.#parts
    const task = this.hand.finish(crash.key)
    if (!task) return
    this.tally.ran++
    this.hand.settle(crashOf(task, crash, { now: clock.now(), maxCrashes: settings.maxCrashes }), clock.monotonic())
    this.#inVain = 0
  }

  get #slots(): number {
    return Math.max(1, this.#parts.settings.executor.slots)
  }

  /** Attempts that wait for a slot. */
  get waiting(): number {
    const { load, overhang } = this.hand
    return Math.max(load - this.#slots, this.#parts.settings.executor.backlog - overhang, 0)
  }

  /** How many tasks the executor wants now. */
  get limit(): number {
    return Math.min(this.toClaim, claimLimit(this.#pace, this.#slots, this.hand.load, this.waiting))
  }

  /** Gives back what waits if that is far more than should wait. */
  shed(): void {
    const silence = this.#parts.clock.monotonic() - this.#ended.since
    if (!isTooMuch(this.#pace, this.#slots, this.waiting, silence)) return
    this.#pace = { ...this.#pace, perSlot: 1 }
    if (this.#recall() === 0) return
    // A claim does not see what the same exchange gives back, and would take what comes after it.
    this.#givesBack = this.more = true
  }

  /** When it is time to look whether there is too much, in ms from now. */
  get shedIn(): number {
    const left = this.#ended.since + SILENCE - this.#parts.clock.monotonic()
    return this.waiting > this.#slots && left > 0 ? left : Number.POSITIVE_INFINITY
  }

  /** Nothing more is claimed, and what has not begun is taken back. */
  close(): void {
    this.#closing = true
    this.#recall()
  }

  #recall(): number {
    const keys = this.#parts.settings.executor.recall()
    for (const key of keys) this.#return(key)
    return keys.length
  }

  #return(key: number): void {
    const task = this.hand.finish(key)
    if (!task) return
    this.hand.settle(giveBack(task), this.#parts.clock.monotonic())
    this.toClaim++
  }

  stop(): void {
    this.#over = true
  }

  /** Aborts attempts that are not this host's any more, or that it gives up. */
  abort(keys: readonly number[], reason: string): void {
    for (const key of keys) this.#parts.settings.executor.abort(key, reason)
  }

  /**
   * Records what has ended and claims what is wanted, or repeats the exchange that was not answered. Resolves to how it
   * ended if this host was voided, or has left: that takes several if the storage refuses a settlement.
   */
  async exchange({ claim, leave }: { claim: boolean; leave: boolean }): Promise<'left' | 'fenced' | undefined> {
    const began = this.#parts.clock.monotonic()
    if (this.hand.load === 0) this.#pace = afterIdle(this.#pace, began - this.#ended.since)
    const limit = claim && !this.#closing && !this.#givesBack ? this.limit : 0
    if (!this.exchanges.open) {
      this.#givesBack = false
      this.exchanges.begin(this.hand.takeDone(), { limit, leave })
      this.#news = this.check = false
    } else if (limit === 0) this.exchanges.dropClaim()
    const { sent, answer } = await this.exchanges.send()
    if (this.#over) return undefined
    if (answer.fenced) return sent.leave ? 'left' : 'fenced'
    if (sent.settle.length > 0 || answer.claimed.length > 0) this.leasedAt = began
    this.offline ||= sent.settle.some((settlement) => settlement.to === 'aside' && settlement.gate === ONLINE)
    this.#count(sent, answer)
    for (const name of answer.parked) this.#parked.add(name)
    if (sent.claim) this.#looked(began, sent, answer)
    else this.more ||= answer.more
    this.#give(answer, this.#parts.clock.monotonic())
    return sent.leave ? 'left' : undefined
  }

  #count({ settle }: { settle: readonly Settlement[] }, { dropped }: Exchanged): void {
    const gone = new Set(dropped.map(({ lane, position }) => `${lane}:${position}`))
    for (const { to, lane, position } of settle) {
      if (to !== 'aside' && (gone.size === 0 || !gone.has(`${lane}:${position}`))) this.tally[to]++
    }
  }

  #looked(at: number, { settle }: { settle: readonly Settlement[] }, answer: Exchanged): void {
    const { claimed, parked, more, wakeAt } = answer
    this.lookedAt = at
    this.#paused = new Set(answer.paused)
    this.#allPaused = answer.allPaused === true
    this.wakeAt = wakeAt ?? Number.POSITIVE_INFINITY
    // A claim does not see what the same exchange gives back or leads to: that is for the next one, and no sign that asking is in vain.
    const changed = claimed.length > 0 || parked.length > 0 || settle.length > 0
    this.#inVain = changed ? 0 : this.#inVain + 1
    this.more = this.#news || (more && this.#inVain < IN_VAIN)
    this.toClaim -= claimed.length
    this.tally.more = more
    if (wakeAt === undefined) delete this.tally.wakeAt
    else this.tally.wakeAt = wakeAt
  }

  #give({ claimed, held }: Exchanged, now: number): void {
    if (this.hand.running === 0) this.#ended = { since: now, count: 0 }
    const runs = this.hand.take(claimed)
    this.#pace = weigh(
      this.#pace,
      runs.map(({ input }) => input),
    )
    this.loseBeyond(held)
    // Claimed before someone said to stop: they go back.
    if (this.#closing) for (const { key } of runs) this.#return(key)
    else if (runs.length > 0) {
      this.#network.look()
      this.#parts.settings.executor.give(runs)
    }
  }

  /** Extends the lease and learns what was cancelled. Resolves to false if this host was voided. */
  async renew(): Promise<boolean> {
    const { backend, clock, settings } = this.#parts
    this.check = false
    this.leasedAt = clock.monotonic()
    const held = await backend.renew(this.#host, leaseEnd(settings, clock.now()))
    if (this.#over) return true
    if (held) this.loseBeyond(held)
    return held !== undefined
  }

  /** Aborts what the storage says this host does not hold any more. */
  loseBeyond(held: Float64Array): void {
    const lost = this.hand.loseBeyond(held)
    this.abort(lost, 'The task was cancelled, or another host has taken it.')
    // What had to wait for these can go on now.
    if (lost.length > 0) this.more = true
  }
}
