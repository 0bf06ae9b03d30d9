import { onAbort } from '../abort.js'
import type { Hint } from '../channel.js'
import { StorageError } from '../errors.js'
import type { HandlerTable } from '../executor.js'
import { randomText } from '../random.js'
import type { HostId } from '../task.js'
import { Chores } from './chores.js'
import { Loop, type LoopEnd } from './loop.js'
import type { Bounds, HostParts, Tally } from './settings.js'
import { freshTally } from './settings.js'
import { Work } from './work.js'

/** A host keeps its role at least this long, in ms, before it hands it over … */
const TENURE = 10_000
/** … and lets what runs go on for this long, in ms, before it gives it back. */
const HAND_OVER = 30_000

export type TenureEnd = LoopEnd | 'handed-over'

/** The hosts that live in this page. */
const living = new Set<HostId>()
export const livesHere = (host: HostId): boolean => living.has(host)

/** A name for one tenure. */
export const newHostId = (): HostId => randomText(16)

/**
 * One time in the role of host: from taking the lock to leaving. Recovers what dead hosts held while the executor opens,
 * works, and closes the executor again.
 */
export class Tenure {
  readonly host: HostId
  readonly #parts: HostParts
  readonly #bounds: Bounds | undefined
  readonly #on: { began(names: readonly string[]): void; workers(): void }
  readonly #stopping = new AbortController()
  readonly #chores: Chores
  #work: Work | undefined
  #loop: Loop | undefined
  #since = Number.POSITIVE_INFINITY
  #handingOver = false
  #dropped: 'dropped' | 'closed' | undefined

  constructor(
    parts: HostParts,
    host: HostId,
    on: { began(names: readonly string[]): void; workers(): void },
    bounds?: Bounds,
  ) {
    this.#parts = parts
    this.host = host
    this.#on = on
    this.#bounds = bounds
    this.#chores = new Chores(parts, host)
  }

  get tally(): Tally {
    return this.#work?.tally ?? freshTally()
  }

  /** Some of the handlers that tasks wait for: a hint takes a few, and others each time. */
  get parked(): string[] {
    return this.#chores.someParked()
  }

  /** Rejects if it cannot begin: the executor does not open, or the storage fails. */
  async run(lost: AbortSignal): Promise<TenureEnd> {
    const { backend, clock, settings } = this.#parts
    living.add(this.host)
    try {
      const table = await this.#begin(lost)
      if (!table) return this.#dropped ?? (lost.aborted ? 'fenced' : 'left')
      const limit = this.#bounds?.limit ?? Number.POSITIVE_INFINITY
      this.#work = new Work(this.#parts, this.host, table, this.#chores.parked, limit)
      this.#loop = new Loop(this.#parts, this.#work, this.#chores, this.#bounds)
      this.#since = clock.monotonic()
      this.#on.began(Object.keys(table))
      const end = await this.#loop.run(lost)
      // The database is out of its reach: it can give nothing back any more, and none of its tasks is to blame.
      if (end === 'outdated' || lost.reason instanceof StorageError) backend.departures?.leave(this.host)
      return end === 'left' && this.#handingOver ? 'handed-over' : end
    } finally {
      living.delete(this.host)
      await settings.executor.close().catch(settings.onError)
    }
  }

  /** The handlers; undefined if it ended before it began. */
  async #begin(lost: AbortSignal): Promise<HandlerTable | undefined> {
    const { backend, settings } = this.#parts
    const { executor, concurrency } = settings
    const opening = executor.open(
      (report) => {
        this.#loop?.report(report)
        if (report.type === 'workers') this.#on.workers()
        if (report.type === 'trouble') settings.onError(report.error)
      },
      concurrency === undefined ? {} : { concurrency },
    )
    const over = () => lost.aborted || this.#stopping.signal.aborted
    const recovering = this.#chores.unlessFull(async () => {
      // The lock may have come faster than the last words of who had it.
      await backend.departures?.heard?.()
      if (!over()) await this.#chores.recover()
    })
    const ready = Promise.all([opening, recovering]).then(async ([table]) => {
      if (over()) return table
      await this.#chores.unlessFull(() => this.#chores.unpark(table))
      return table
    })
    return await unlessAborted([lost, this.#stopping.signal], ready)
  }

  /** Ends it; what runs has `grace` ms. */
  stop(grace: number): void {
    this.#handingOver = false
    this.#stopping.abort()
    this.#loop?.close(grace)
  }

  /** Lets go of everything at once, without a word to the storage; what it held runs elsewhere, and nothing is charged for it. */
  drop(end: 'dropped' | 'closed'): void {
    this.#dropped = end
    this.#parts.backend.departures?.leave(this.host)
    this.#parts.backend.channel.post({ type: 'left', host: this.host })
    this.#stopping.abort()
    this.#loop?.drop(end)
  }

  hear(hint: Hint): void {
    this.#loop?.hear(hint)
    if (hint.type === 'wanted' && hint.from !== this.host) this.#wanted(hint.names)
  }

  offered(): void {
    this.#loop?.offered()
  }

  appending(): void {
    this.#loop?.appending()
  }

  look(): void {
    this.#loop?.look()
  }

  /**
   * A standby has handlers that tasks here wait for. It asks again and again, so the first times may be ignored. What runs
   * longer than HAND_OVER starts again there: nothing is charged for it, and a task that hangs must not keep the role here.
   */
  #wanted(names: readonly string[]): void {
    const { backend, clock } = this.#parts
    if (!backend.locks || this.#handingOver || this.#stopping.signal.aborted) return
    if (clock.monotonic() - this.#since < TENURE) return
    if (!names.some((name) => this.#chores.parked.has(name))) return
    this.#handingOver = true
    this.#loop?.close(HAND_OVER)
  }
}

/** What the promise comes to; undefined as soon as one of the signals aborts. */
function unlessAborted<T>(signals: readonly AbortSignal[], promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = onAbort(signals, () => resolve(undefined))
    promise.then(resolve, reject).finally(stop)
  })
}
