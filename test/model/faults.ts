import { StorageError } from '../../src/errors.js'
import { inDoubt, type Plan, type RunOptions, type Storage } from '../../src/storage.js'

/** What may happen to a transaction. */
export const faults = {
  refused: 'it is refused before it begins',
  full: 'the disk is full',
  undone: 'the connection breaks before its commit; it is reopened and the plan run again',
  broken: 'the connection breaks before its commit, and again',
  repeated: 'it commits, the connection breaks, it is reopened and the plan run again',
  lost: 'it commits and nobody hears of it',
  missed: 'it does not commit and nobody knows',
  reopened: 'the connection was lost before and is reopened for it',
  'dies before': 'the process dies before its commit',
  'dies after': 'the process dies after its commit',
} as const
export type Fault = keyof typeof faults
export const allFaults = Object.keys(faults).filter((name): name is Fault => name in faults)

/** The process is gone: nobody hears this. */
export class DeadError extends Error {
  override readonly name = 'DeadError'
}

/**
 * One client's connection to a storage that others share, with a fault at the transaction that the test names. What the
 * wrapper does after it is what `Storage` promises: another generation, the plan run again, an error with the right code.
 */
export class FaultyStorage implements Storage {
  generation = 0
  dead = false
  /** Transactions since `arm`. */
  count = 0
  /** Whether one of them that writes tasks or moves them was committed. */
  committed = false
  /** Transactions under way. */
  busy = 0
  /** A fault took place. */
  struck: Fault | undefined
  #armed: { nth: number; fault: Fault } | undefined
  #counting = false
  #opened = false
  readonly #inner: Storage
  readonly #died: (() => void) | undefined

  /** `died`: told of the death of the process. Then nobody hears anything any more, not even of that. */
  constructor(inner: Storage, died?: () => void) {
    this.#inner = inner
    this.#died = died
  }

  /** For what comes now: a fault at its nth transaction, or none. */
  arm(fault?: { nth: number; fault: Fault }): void {
    this.#armed = fault
    this.#counting = true
    this.count = 0
    this.committed = false
    this.struck = undefined
  }

  /** What comes now is not part of the step. */
  disarm(): void {
    this.#armed = undefined
    this.#counting = false
  }

  async open(): Promise<boolean> {
    if (this.dead) await this.#silence()
    await this.#inner.open()
    if (this.#opened) return false
    this.#opened = true
    this.generation++
    return true
  }

  async close(): Promise<void> {
    this.#opened = false
  }

  async run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    await this.open()
    const nth = this.#counting ? this.count++ : -1
    const fault = this.#armed?.nth === nth ? this.#armed.fault : undefined
    if (!fault) return this.#commit(plan, options)
    this.struck = fault
    switch (fault) {
      case 'refused':
        throw new StorageError('unavailable', 'refused')
      case 'full':
        if (!options.write) return this.#commit(plan, options)
        await this.#withoutWriting(plan, options)
        throw new StorageError('quota', 'full')
      case 'undone':
        await this.#withoutWriting(plan, options)
        this.generation++
        return this.#commit(plan, options)
      case 'broken':
        await this.#withoutWriting(plan, options)
        this.generation++
        throw new StorageError('unavailable', 'broken')
      case 'repeated':
        await this.#commit(plan, options)
        this.generation++
        return this.#commit(plan, options).catch((error: unknown) => {
          throw inDoubt(error)
        })
      case 'lost':
        await this.#commit(plan, options)
        this.generation++
        throw new StorageError(options.write ? 'lost' : 'unavailable', 'lost')
      case 'missed':
        await this.#withoutWriting(plan, options)
        throw new StorageError(options.write ? 'lost' : 'unavailable', 'missed')
      case 'reopened':
        this.generation++
        return this.#commit(plan, options)
      case 'dies before':
        await this.#withoutWriting(plan, options)
        return this.#silence()
      case 'dies after':
        await this.#commit(plan, options)
        return this.#silence()
    }
  }

  #silence(): Promise<never> {
    this.dead = true
    if (!this.#died) return Promise.reject(new DeadError())
    this.#died()
    return new Promise(() => {})
  }

  async #run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    this.busy++
    return this.#inner.run(plan, options).finally(() => this.busy--)
  }

  async #commit<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    const value = await this.#run(plan, options)
    // Opening makes and looks up the root, and stores no tasks; it is the only one that writes there and asks for blocks.
    const opening = options.stores.length === 2 && options.stores.includes('ledger')
    if (this.#counting && options.write && options.stores.includes('blocks') && !opening) this.committed = true
    return value
  }

  /** The plan has seen everything and believes that it wrote; what it threw itself is what went wrong. */
  async #withoutWriting<T>(plan: () => Plan<T>, options: RunOptions): Promise<void> {
    const undone = new Error('undone')
    const undo = function* () {
      yield* plan()
      throw undone
    }
    await this.#run(undo, options).catch((error: unknown) => {
      if (error !== undone) throw error
    })
  }
}
