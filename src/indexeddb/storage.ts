import { deleteDB } from 'idb'
import type { Hint } from '../channel.js'
import { type Clock, sleep, systemClock } from '../clock.js'
import { StorageError } from '../errors.js'
import type { Plan, RunOptions, Storage } from '../storage.js'
import { type Connection, connect } from './connect.js'
import { type Database, drive, NoAnswerError, RefusedError } from './transaction.js'

/** What someone should hear of, as it is told on the channel. */
export type DatabaseEvent = Pick<Extract<Hint, { type: 'storage' }>, 'event' | 'message'>

export interface IndexedDBStorageOptions {
  name: string
  /** `'strict'`: committed means on the disk. Default `'relaxed'`: handed to the system; only a power cut can undo it. */
  durability?: 'relaxed' | 'strict'
  /** Called while something else is under way: it must not throw. */
  onEvent?: (event: DatabaseEvent) => void
  /** For the watchdog and the pauses between reopenings. They wait for the browser: real time even if the queue's is not. */
  clock?: Clock
}

/** How many losses of the connection are made good within how many ms; one more is an error. */
const LOSSES = { count: 3, within: 10_000 }

/** What browsers say when the connection is gone, whatever was asked for. */
const LOST = [
  'InvalidStateError', // "The database connection is closing", all of them
  'UnknownError', // "Connection to Indexed Database server lost", WebKit; "Internal error opening backing store", Chromium
  'AbortError', // of a transaction that was under way when the browser closed the connection
  'TimeoutError', // of a transaction that Chromium gave up
]

/**
 * Four object stores with keys out of line. Opened by the first operation; reopened when the browser has lost it.
 *
 * **A plan may be run again after it was committed.** When the connection breaks, the database is reopened and the plan's
 * function called once more. If its writes were handed over already, they may be stored: no browser tells. They are
 * repeated all the same, because the plans can be: an exchange is known by its seq, an append by its nonce (it meets its
 * own block under its key and gets `KeyTakenError`: the caller compares nonces), the others move what is no longer there.
 * The answer is then the second run's, for example a cancellation that counts 0. Should the second run fail too, the error
 * is `StorageError('lost')`: stored or not, nobody knows. With every other code, nothing was stored.
 *
 * `generation` goes up before the function is called again: what a plan takes from a cache it takes inside that function,
 * after a look at the generation. A database that was deleted meanwhile and is new is also `'lost'`, and no plan is run.
 */
export class IndexedDBStorage implements Storage {
  readonly name: string
  readonly #durability: 'relaxed' | 'strict'
  readonly #onEvent: (event: DatabaseEvent) => void
  readonly #clock: Clock
  readonly #running = new Set<Promise<unknown>>()
  #generation = 0
  /** Aborts when the page is left. */
  #leaving = new AbortController()
  /** While it is away: ends when it is back. */
  #away: { back: Promise<void>; end(): void } | undefined
  #db: Database | undefined
  #opening: Promise<{ db: Database; replaced: boolean }> | undefined
  /** There was a connection and nobody here closed it. */
  #broken = false
  /** When connections were lost or refused, by the monotonic clock. */
  #losses: number[] = []

  constructor({ name, durability = 'relaxed', onEvent = () => {}, clock = systemClock }: IndexedDBStorageOptions) {
    this.name = name
    this.#durability = durability
    this.#onEvent = onEvent
    this.#clock = clock
  }

  /** Counts the connections: what a caller remembers from another generation is void. */
  get generation(): number {
    return this.#generation
  }

  async open(): Promise<boolean> {
    if (this.#db) return false
    const mine = !this.#opening
    await this.#reopen()
    return mine
  }

  run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    const run = this.#run(plan, { durability: this.#durability, ...options })
    const over = () => this.#running.delete(run)
    this.#running.add(run)
    run.then(over, over)
    return run
  }

  /** At once if it is open: a page that is left has no later. Transactions under way are finished by the browser. */
  async close(): Promise<void> {
    // Those that wait for the opening were asked for before: they are let through.
    if (!this.#db) await Promise.allSettled([this.#opening, ...this.#running])
    this.#db?.close()
    this.#db = undefined
    this.#broken = false
  }

  /**
   * The page is left. In the back/forward cache a transaction that is not handed over whole would stand still, and others
   * with it, until the browser drops the page: it is run again when the page is back.
   */
  leave(): void {
    if (this.#away) return
    let end = () => {}
    const back = new Promise<void>((resolve) => {
      end = resolve
    })
    this.#away = { back, end }
    this.#leaving.abort()
    this.#leaving = new AbortController()
    void this.close()
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
      // One that is damaged can't be opened and may be deleted; one that is not ours stays.
      if (!(error instanceof StorageError && error.code === 'unavailable')) throw error
      unopened = error
    }
    await this.close()
    try {
      await deleteDB(this.name, { blocked: () => this.#blocked() })
    } catch (error) {
      throw unopened ?? this.#told(error, false)
    }
  }

  async #run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    let unanswered = false
    for (let last = false; ; last = true) {
      let db: Database | undefined
      // What is asked for while the page is left is begun at once: it may be the last that the page has to say.
      if (last) await this.#away?.back
      const { signal: leaving } = this.#leaving
      try {
        db = this.#db ?? (await this.#renewed())
        return await drive(db, plan, { ...options, leaving })
      } catch (error) {
        unanswered ||= error instanceof NoAnswerError
        const lost = db && isLost(error) ? db : undefined
        if (lost) this.#lose(lost, error)
        if (!lost || last) throw this.#told(error, unanswered)
      }
    }
  }

  /** The new connection, but not to a database that is not the one the plan was made for. */
  async #renewed(): Promise<Database> {
    const { db, replaced } = await this.#reopen()
    if (replaced) {
      throw new StorageError('lost', `The database "${this.name}" was deleted while it was in use. A new one is open.`)
    }
    return db
  }

  #reopen(): Promise<{ db: Database; replaced: boolean }> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #open(): Promise<{ db: Database; replaced: boolean }> {
    const { db, created } = await this.#connect()
    // A connection that does not let go blocks the upgrade or the deletion for every tab.
    db.addEventListener('versionchange', ({ newVersion }) => {
      const event = newVersion === null ? 'lost' : 'closed-by-upgrade'
      const message = newVersion === null ? 'It is being deleted.' : 'Another tab has a newer version: reload this one.'
      this.#drop(db, event, message)
    })
    db.addEventListener('close', () => this.#lose(db, new Error('The browser closed the connection.')))
    const broken = this.#broken
    this.#broken = false
    this.#db = db
    this.#generation++
    if (broken)
      this.#tell('reopened', created ? 'It was deleted: this one is new and empty.' : 'The connection is back.')
    return { db, replaced: broken && created }
  }

  async #connect(): Promise<Connection> {
    let reason: unknown
    for (;;) {
      const now = this.#clock.monotonic()
      this.#losses = this.#losses.filter((time) => now - time < LOSSES.within)
      const count = this.#losses.length
      if (count > LOSSES.count) {
        const message = `The database "${this.name}" can't be kept open: reload the page, or free some disk space.`
        throw new StorageError('unavailable', message, { cause: reason })
      }
      // The first time at once, then with some patience.
      if (count > 1) await sleep(this.#clock, (count - 1) * 100)
      try {
        return await connect(this.name, this.#clock, () => this.#blocked())
      } catch (error) {
        if (!isLost(error)) throw this.#told(error, false)
        this.#losses.push(this.#clock.monotonic())
        reason = error
      }
    }
  }

  #lose(db: Database, reason: unknown): void {
    if (this.#db !== db) return
    this.#losses.push(this.#clock.monotonic())
    this.#drop(db, 'lost', reason instanceof Error ? reason.message : String(reason))
  }

  #drop(db: Database, event: DatabaseEvent['event'], message: string): void {
    if (this.#db !== db) return
    this.#db = undefined
    this.#broken = true
    db.close()
    this.#tell(event, message)
  }

  #blocked(): void {
    this.#tell('upgrade-blocked', 'Another tab keeps the database open: close or reload it.')
  }

  #tell(event: DatabaseEvent['event'], message: string): void {
    this.#onEvent({ event, message })
  }

  /** The error as the caller gets it. What a plan threw stays what it is. */
  #told(error: unknown, unanswered: boolean): unknown {
    const kinds = [DOMException, StorageError, NoAnswerError, RefusedError]
    if (unanswered && kinds.some((kind) => error instanceof kind)) {
      const message = 'The connection broke in a commit: stored or not, look before you repeat it.'
      return new StorageError('lost', message, { cause: error })
    }
    if (error instanceof RefusedError) {
      return new StorageError('uncloneable', `${error.message} Nothing was.`, { cause: error.cause })
    }
    if (!(error instanceof DOMException)) return error
    if (error.name === 'QuotaExceededError') {
      const message = 'The space that the browser grants is used up: prune finished tasks or free some disk space.'
      this.#tell('quota', message)
      return new StorageError('quota', message, { cause: error })
    }
    if (isLost(error))
      return new StorageError('unavailable', `The connection broke twice: ${error.message}`, { cause: error })
    return new StorageError('broken', `The database refused: ${error.message}`, { cause: error })
  }
}

function isLost(error: unknown): boolean {
  return error instanceof NoAnswerError || (error instanceof DOMException && LOST.includes(error.name))
}
