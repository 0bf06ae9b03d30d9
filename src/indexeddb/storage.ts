import { deleteDB } from 'idb'
import { type Clock, systemClock } from '../clock.js'
import { ClosedError, StorageError } from '../errors.js'
import { currentLayout, type Layout } from '../plan/migrations.js'
import type { Plan, RunOptions, Storage } from '../storage.js'
import { isLost, toldError } from './failures.js'
import { type DatabaseEvent, Link } from './link.js'
import { LayoutMark } from './marks.js'
import type { Database } from './schema.js'
import { drive, NoAnswerError } from './transaction.js'

export interface IndexedDBStorageOptions {
  name: string
  /** `'strict'`: committed means on the disk. Default `'relaxed'`: handed to the system; only a power cut can undo it. */
  durability?: 'relaxed' | 'strict'
  /** Called while something else is under way: it must not throw. */
  onEvent?: (event: DatabaseEvent) => void
  /** Somebody deletes the database on purpose; told before the event. It must not throw. */
  onDelete?: () => void
  /** Default: this version's. */
  layout?: Layout
  /** For the watchdog and the pauses between reopenings. They wait for the browser: real time even if the queue's is not. */
  clock?: Clock
}

/** A quota error is told this often at most, in ms: whoever is refused tries again. */
const TOLD_FULL = 10_000

/**
 * Four object stores with keys out of line. Opened by the first operation; reopened when the browser has lost it.
 *
 * **A plan may be run again after it was committed.** When the connection breaks, the database is reopened and the plan's
 * function called once more. If its writes were handed over already, they may be stored: no browser tells. They are
 * repeated all the same, because the plans can be: an exchange is known by its seq, an append by its nonce (it meets its
 * own block under its key, and the caller compares nonces), the others move what is no longer there.
 * The answer is then the second run's, for example a cancellation that counts 0. Should the second run fail too, for
 * whatever reason, the error is `StorageError('lost')`: stored or not, nobody knows. With every other one, nothing was stored.
 *
 * `generation` goes up before the function is called again: what a plan takes from a cache it takes inside that function,
 * after a look at the generation. A database that was deleted meanwhile and is new is also `'lost'`, and no plan is run.
 */
export class IndexedDBStorage implements Storage {
  readonly name: string
  readonly #durability: 'relaxed' | 'strict'
  readonly #onEvent: (event: DatabaseEvent) => void
  readonly #clock: Clock
  readonly #link: Link
  readonly #running = new Set<Promise<unknown>>()
  readonly #unfinished = new Set<() => void>()
  /** While it is away: ends when it is back, or fails as it is closed. */
  #away: { back: Promise<void>; end(): void; fail(reason: unknown): void } | undefined
  #leaving = new AbortController()
  /** By the monotonic clock. */
  #toldFullAt = Number.NEGATIVE_INFINITY

  constructor(options: IndexedDBStorageOptions) {
    const { name, durability = 'relaxed', clock = systemClock, layout = currentLayout } = options
    this.name = name
    this.#durability = durability
    this.#onEvent = options.onEvent ?? (() => {})
    this.#clock = clock
    const { onDelete = () => {} } = options
    this.#link = new Link({ name, layout, clock, onEvent: this.#onEvent, onDelete })
  }

  /** Counts the connections: what a caller remembers from another generation is void. */
  get generation(): number {
    return this.#link.generation
  }

  async open(): Promise<boolean> {
    if (this.#link.db) return false
    const mine = !this.#link.opening
    try {
      await this.#link.open()
    } catch (error) {
      throw this.#told(error, false)
    }
    return mine
  }

  run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    const run = this.#run(plan, { durability: this.#durability, ...options })
    const over = () => this.#running.delete(run)
    this.#running.add(run)
    run.then(over, over)
    return run
  }

  /** Aborts when the page is left, the next time. */
  get left(): AbortSignal {
    return this.#leaving.signal
  }

  /** At once if it is open: a page that is left has no later. Transactions under way are finished by the browser. */
  async close(): Promise<void> {
    // Nobody will say that the page is back: what waits for that is not run again.
    this.#away?.fail(new ClosedError('backend'))
    this.#away = undefined
    await this.#disconnect()
  }

  async #disconnect(): Promise<void> {
    // Those that wait for the opening were asked for before: they are let through.
    if (!this.#link.db) await Promise.allSettled([this.#link.opening, ...this.#running])
    this.#link.close()
  }

  /**
   * The page is left. In the back/forward cache a transaction that is not handed over whole would stand still, and others
   * with it, until the browser drops the page: it is run again when the page is back, `unless` it must not be.
   */
  leave(): void {
    if (this.#away) return
    const { promise: back, resolve: end, reject: fail } = deferred()
    back.catch(() => {})
    this.#away = { back, end, fail }
    // Another one at once: what is asked for from now on is asked for by a page that knows that it is left.
    const leaving = this.#leaving
    this.#leaving = new AbortController()
    leaving.abort()
    for (const abort of [...this.#unfinished]) abort()
    void this.#disconnect()
  }

  /** The page is shown again. */
  back(): void {
    this.#away?.end()
    this.#away = undefined
  }

  /** Deletes the database with all that is in it, unless a newer version of the app owns it. */
  async destroy(): Promise<void> {
    let unopened: unknown
    try {
      await this.open()
    } catch (error) {
      // One that is damaged can't be opened and may be deleted. One that is not ours stays, and so does one that does not
      // answer: a newer version may be at work on it.
      const refused = error instanceof StorageError && error.code === 'unavailable' && error.cause !== undefined
      if (!refused) throw error
      if (await this.#link.isDamaged()) unopened = error
    }
    await this.close()
    try {
      await deleteDB(this.name, { blocked: () => this.#link.blocked() })
      new LayoutMark(this.name).forget()
    } catch (error) {
      throw unopened ?? toldError(error, false)
    }
  }

  async #run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    let unanswered = options.repeats ?? false
    const stay = () => {
      if (options.unless?.aborted) throw new StorageError('unavailable', 'The page was left meanwhile.')
    }
    for (let last = false; ; last = true) {
      let db: Database | undefined
      try {
        stay()
        // What is asked for while the page is left is begun at once: it may be the last that the page has to say.
        if (last) await this.#away?.back
        db = this.#link.db ?? (await this.#renewed())
        stay()
        return await drive(db, plan, { ...options, unfinished: this.#unfinished })
      } catch (error) {
        unanswered ||= error instanceof NoAnswerError
        const lost = db && isLost(error) ? db : undefined
        if (lost) this.#link.lose(lost, error)
        if (!lost || last) throw this.#told(error, unanswered)
      }
    }
  }

  /** The new connection, but not to a database that is not the one the plan was made for. */
  async #renewed(): Promise<Database> {
    const { db, replaced } = await this.#link.open()
    if (replaced) {
      throw new StorageError('lost', `The database "${this.name}" was deleted while it was in use. A new one is open.`)
    }
    return db
  }

  #told(error: unknown, unanswered: boolean): unknown {
    const told = toldError(error, unanswered)
    const now = this.#clock.monotonic()
    if (told instanceof StorageError && told.code === 'quota' && now - this.#toldFullAt >= TOLD_FULL) {
      this.#toldFullAt = now
      this.#onEvent({ event: 'quota', message: told.message })
    }
    return told
  }
}

function deferred() {
  let resolve = () => {}
  let reject: (reason: unknown) => void = () => {}
  const promise = new Promise<void>((fulfil, refuse) => {
    resolve = fulfil
    reject = refuse
  })
  return { promise, resolve, reject }
}
