/** Opens the storage and runs plans in it: again where it was reopened, after a repair where records are damaged. */
import type { Repaired } from '../backend.js'
import { StorageError } from '../errors.js'
import { BlockCache } from '../plan/cache.js'
import { DamagedError } from '../plan/damage.js'
import { rootPlan } from '../plan/ledger.js'
import { type Root, stores } from '../plan/records.js'
import { randomText } from '../random.js'
import { inDoubt, KeyTakenError, metBy, type Plan, type RunOptions, type Storage } from '../storage.js'
import { loadRepair } from './mending.js'

const ORIGIN_LENGTH = 8
/** No generation that a storage has. */
const NONE = -1
/** So often one operation has damage mended that it met. Each repair reads everything: a second one finds nothing, mostly. */
const MENDINGS = 3

export interface RunnerOptions {
  storage: Storage
  /** What the storage's contents must be of. */
  layout: number
  now: () => number
  closed: AbortSignal
  /** The database was opened, or again: this is its origin. */
  opened(origin: string): void
  /** Something was mended: what, for people. */
  mended(message: string): void
}

export class Runner {
  /** Of the opening that is in force. */
  readonly cache = new BlockCache()
  readonly #options: RunnerOptions
  readonly #storage: Storage
  #origin = ''
  #generation = NONE
  #ready: Promise<void> | undefined
  #repairing: Promise<Repaired> | undefined

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#storage = options.storage
  }

  /** First part of every id. */
  get origin(): string {
    return this.#origin
  }

  /** What was remembered under another one is void. */
  get generation(): number {
    return this.#generation
  }

  async open(): Promise<void> {
    await this.#mending(() => this.#open())
  }

  async #open(): Promise<void> {
    this.#options.closed.throwIfAborted()
    await this.#storage.open()
    if (this.#generation === this.#storage.generation) return
    this.#ready ??= this.#readRoot().finally(() => {
      this.#ready = undefined
    })
    await this.#ready
  }

  /** Whatever was remembered of an earlier opening is void: the database may be another one by now. */
  async #readRoot(): Promise<void> {
    const { layout } = this.#options
    const { generation } = this.#storage
    this.cache.clear()
    const plan = () => rootPlan(this.#freshRoot())
    const root = await this.#storage.run(plan, { stores: ['ledger', 'blocks'], write: true })
    // It is opened by version; this is for what someone has copied, or restored, past that.
    if (root.layout > layout) {
      throw new StorageError('newer-version', 'The database belongs to a newer version of this app: reload the page.')
    }
    this.#origin = root.origin
    this.#generation = generation
    this.#options.opened(root.origin)
  }

  #freshRoot(): Root {
    return { layout: this.#options.layout, origin: randomText(ORIGIN_LENGTH), nextLane: 0 }
  }

  run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    return this.#mending((repeats) => this.try(plan, { ...options, repeats }), options.repeats)
  }

  /** Runs it as it is: damage is the caller's to think about. */
  async try<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    let { repeats = false } = options
    for (;;) {
      try {
        await this.#open()
        return await this.#storage.run(() => this.#current(plan), { ...options, repeats })
      } catch (error) {
        // The storage does not reopen for ever: it is what ends this.
        const met = metBy(error)
        if (!(met instanceof ReopenedError)) throw repeats ? inDoubt(error) : error
        repeats ||= met !== error
      }
    }
  }

  /** The storage may reopen just before it calls: what a plan would take from the caches might be of another database. */
  #current<T>(plan: () => Plan<T>): Plan<T> {
    if (this.#storage.generation !== this.#generation) throw new ReopenedError()
    return plan()
  }

  /** Mends what was found to be damaged, and tries again; not for ever. `repeats`: an earlier attempt may be stored. */
  async #mending<T>(attempt: (repeats: boolean) => Promise<T>, repeats = false): Promise<T> {
    for (let mended = 0; ; mended++) {
      try {
        return await attempt(repeats)
      } catch (error) {
        const met = metBy(error)
        if (!isDamage(met)) throw error
        repeats ||= met !== error
        const told = (reason: unknown) => (repeats ? inDoubt(reason) : reason)
        if (mended === MENDINGS) {
          const message = `Stored records are damaged in a way that can't be mended: ${met.message} Delete the database to go on.`
          throw told(new StorageError('broken', message, { cause: met }))
        }
        await this.repair().catch((reason: unknown) => {
          throw told(reason)
        })
      }
    }
  }

  /** Everyone who met the damage waits for the same repair. */
  repair(): Promise<Repaired> {
    this.#repairing ??= this.#repair().finally(() => {
      this.#repairing = undefined
    })
    return this.#repairing
  }

  async #repair(): Promise<Repaired> {
    const { closed, now, mended } = this.#options
    const { repair, foundAny, describe } = await loadRepair()
    closed.throwIfAborted()
    const plan = () => repair({ now: now(), fresh: this.#freshRoot() })
    const repaired = await this.#storage.run(plan, { stores, write: true })
    // Blocks, tails and the origin may be others now.
    this.#generation = NONE
    if (foundAny(repaired)) mended(describe(repaired))
    return repaired
  }
}

/** Who has read where a lane ends and finds the place taken has read records that are not true. */
export const isDamage = (error: unknown): error is Error =>
  error instanceof DamagedError || error instanceof KeyTakenError

/** The storage was reopened between the caller's look and the plan's start. */
class ReopenedError extends Error {
  override readonly name = 'ReopenedError'
}
