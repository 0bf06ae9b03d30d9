/** What becomes of a page whose database can't be had, if the app chose memory for that case. */
import { onAbort } from '../abort.js'
import type { Departures, Locks } from '../backend.js'
import { StorageError } from '../errors.js'
import { memoryDepartures, memoryLocks } from '../memory/locks.js'
import { MemoryStorage } from '../memory/storage.js'
import { inDoubt, type Plan, type RunOptions, type Storage } from '../storage.js'

/**
 * A database, and memory from the moment it can't be had any more: when it can't be opened, not when an operation failed.
 * For good, as long as the page lives: were it to return, the tasks in memory would be gone. What is in the database stays
 * there, out of reach, for the next page.
 */
export class FallbackStorage implements Storage {
  readonly #database: Storage
  readonly #memory = new MemoryStorage()
  readonly #fallen = new AbortController()

  constructor(database: Storage) {
    this.#database = database
  }

  /** Aborts with the StorageError because of which it was, when memory takes over. */
  get fallen(): AbortSignal {
    return this.#fallen.signal
  }

  get durable(): boolean {
    return !this.fallen.aborted
  }

  get left(): AbortSignal | undefined {
    return this.#database.left
  }

  get generation(): number {
    return this.#database.generation + this.#memory.generation
  }

  async open(): Promise<boolean> {
    if (this.fallen.aborted) return this.#memory.open()
    try {
      return await this.#database.open()
    } catch (error) {
      if (!isUnavailable(error)) throw error
      if (!this.fallen.aborted) this.#fallen.abort(error)
      return this.#memory.open()
    }
  }

  /**
   * A plan that did not run in the database runs in memory, and finds another generation there. One that may be stored in the
   * database does not: it would be in both.
   */
  async run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    if (this.fallen.aborted) {
      if (options.repeats) throw inDoubt(this.fallen.reason)
      return this.#memory.run(plan, options)
    }
    try {
      return await this.#database.run(plan, options)
    } catch (error) {
      // One that was too late says nothing of the database, which a page that is left keeps closed.
      if (!isUnavailable(error) || options.unless?.aborted) throw error
      // One operation that failed says little; what counts is whether the database can be opened.
      await this.open()
      if (!this.fallen.aborted) throw error
      return this.#memory.run(plan, options)
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#database.close(), this.#memory.close()])
  }
}

const isUnavailable = (error: unknown) => error instanceof StorageError && error.code === 'unavailable'

/**
 * The database's lock until `fallen` aborts, one of this page's own from then on: another page may hold the database's, and
 * host the tasks that are there. Who holds the database's then has lost it, and who waits for it waits for the other.
 */
export function locksUntil(fallen: AbortSignal, locks: Locks): Locks {
  const own = memoryLocks()
  return {
    async hold(options, held) {
      if (fallen.aborted) return own.hold(options, held)
      let began = false
      const call = either([options.signal, fallen])
      const got = await locks
        .hold({ ...options, signal: call.signal }, async (stolen) => {
          began = true
          call.end()
          const lost = either([stolen, fallen])
          await held(lost.signal).finally(lost.end)
        })
        .finally(call.end)
      return began || !fallen.aborted ? got : own.hold(options, held)
    },
  }
}

/**
 * Who leaves after `fallen` has aborted may have been a host of the database until then: others hear of it there, and what it
 * held counts no crash.
 */
export function departuresUntil(fallen: AbortSignal, departures: Departures): Departures {
  const own = memoryDepartures()
  const now = () => (fallen.aborted ? own : departures)
  return {
    leave(host) {
      departures.leave(host)
      if (fallen.aborted) own.leave(host)
    },
    heard: async () => now().heard?.(),
    left: () => now().left(),
    forget: (gone) => now().forget(gone),
  }
}

/** Aborts when one of them does. */
function either(signals: readonly (AbortSignal | undefined)[]): { signal: AbortSignal; end(): void } {
  const both = new AbortController()
  return { signal: both.signal, end: onAbort(signals, (reason) => both.abort(reason)) }
}
