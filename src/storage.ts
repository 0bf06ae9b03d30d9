/**
 * Storage is four ordered key-value stores and transactions over them. It knows nothing of tasks: what a change means is
 * a plan, and a storage only drives plans.
 */
import { StorageError } from './errors.js'
import type { Key } from './keys.js'
import type { Store, Table, TableRecord } from './plan/records.js'

/**
 * A request for records. The driver fills in `found` before the plan goes on: the record under `key`, or, if `to` is
 * given, those from `key` to `to` (both included), in key order, at most `limit` of them; from the end if `reverse`.
 */
export interface ReadOf<T extends Table> {
  readonly table: T
  readonly store: Store
  readonly key: Key
  readonly to?: Key
  readonly limit?: number
  readonly reverse?: boolean
  found: TableRecord<T>[]
}
/** Records as they are, whatever they are, with their keys: for repairs. */
export interface RawRead {
  readonly table: 'raw'
  readonly store: Store
  readonly key: Key
  readonly to?: Key
  readonly limit?: number
  readonly reverse?: boolean
  keys: Key[]
  found: unknown[]
}
export type Read = { [T in Table]: ReadOf<T> }[Table] | RawRead

/** Stores the record; a key that is taken aborts the whole transaction with `KeyTakenError`. */
export interface Add {
  readonly kind: 'add'
  readonly store: Store
  readonly key: Key
  readonly record: unknown
}
export type Write =
  | Add
  /** Stores the record, whether or not there is one under the key. */
  | { readonly kind: 'put'; readonly store: Store; readonly key: Key; readonly record: unknown }
  /** Deletes the record under `key`, or those from `key` to `to` (both included). */
  | { readonly kind: 'delete'; readonly store: Store; readonly key: Key; readonly to?: Key }

/**
 * A transaction: yields waves of reads, gets their records, ends with its writes. Pure: no I/O, no clock, no random
 * numbers. It can be driven synchronously or not, and may be started again from its beginning.
 */
export type Plan<T> = Generator<readonly Read[], { writes: readonly Write[]; value: T }, void>

export interface RunOptions {
  /** The stores the plan reads or writes. */
  stores: readonly Store[]
  /** Whether it writes. Plans that write and share a store run one after the other; nothing runs between their waves. */
  write: boolean
  /** `'strict'`: on the disk before `run` resolves. Default: the storage's own setting. */
  durability?: 'relaxed' | 'strict'
  /** An earlier run of it may be stored: should this one fail, whatever the reason, the error is `'lost'`. */
  repeats?: boolean
  /**
   * Records that are added before the plan reads, which finds them there. Its function is called first. Should the plan throw, they
   * are not stored either; should one of their keys be taken, nothing is.
   */
  first?: readonly Add[]
  /** What the plan reads first has nothing to do with those: a storage may ask for it before it adds them, and has it sooner. */
  unseen?: boolean
  /**
   * Once it has aborted, it is not begun any more, nor again. What was handed over by then may be stored. For what means
   * nothing, or harm, when a page that was left is back: see `left`. A storage without one may ignore it.
   */
  unless?: AbortSignal
}

/**
 * What a place to store things must do. `run` resolves once the writes are committed, with the plan's value; it rejects
 * with `KeyTakenError` or `StorageError`, and then nothing was written — but for the code `'lost'`, which means that
 * nobody knows: its cause is what the last run met, the plan's own errors included (`metBy`). It may start the plan again by
 * calling the function again, even if the first run was committed. Records are isolated: what a plan gets is its own to
 * change, what it wrote can change no more.
 */
export interface Storage {
  /** Opens it, if it is not open; `run` does so too. Returns true if this opened it anew. */
  open(): Promise<boolean>
  /** Counts the openings, the ones that healed a lost connection included: when it moves, what is remembered of the contents is void. */
  readonly generation: number
  /** False: what is stored ends with this page or process. */
  readonly durable?: boolean
  /** Aborts when the page is left, the next time; then there is another one. Where pages are none of its business: none. */
  readonly left?: AbortSignal | undefined
  run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T>
  close(): Promise<void>
}

/** An `add` found its key taken; the transaction wrote nothing. */
export class KeyTakenError extends Error {
  override readonly name = 'KeyTakenError'
}

/** What failed after it may have been stored. */
export function inDoubt(cause: unknown): StorageError {
  if (isInDoubt(cause)) return cause
  const message = 'The connection broke in a commit: stored or not, look before you repeat it.'
  return new StorageError('lost', message, { cause })
}

const isInDoubt = (error: unknown): error is StorageError => error instanceof StorageError && error.code === 'lost'

/** What a run met, in doubt or not. */
export const metBy = (error: unknown): unknown => (isInDoubt(error) ? (error.cause ?? error) : error)
