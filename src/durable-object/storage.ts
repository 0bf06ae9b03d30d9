import { StorageError } from '../errors.js'
import { fill } from '../found.js'
import type { Store } from '../plan/records.js'
import { KeyTakenError, type Plan, type Read, type RunOptions, type Storage, type Write } from '../storage.js'
import { broken, refusal } from './failures.js'
import { after, decodeKey, encodeKey } from './keys.js'
import type { ObjectStorage, SyncKV } from './platform.js'

/** Our keys among others that the object may have. */
const PREFIX: Record<Store, string> = { blocks: 'sitq:b', outcomes: 'sitq:o', ledger: 'sitq:l', marks: 'sitq:m' }

export interface ObjectStorageOptions {
  /** Default `'relaxed'`: see below. */
  durability?: 'relaxed' | 'strict'
  /** Called at the end of each transaction that writes, within it; `look` reads what it has made of the storage. */
  written?: (writes: readonly Write[], look: <T>(plan: Plan<T>) => T) => void
}

/**
 * A Durable Object's storage. Records go through its synchronous key-value API, which keeps them in SQLite as structured
 * clone writes them: buffers, dates, maps and what is undefined come back as they were.
 *
 * A plan is driven from end to end without a pause, in a transaction that is rolled back whole if anything in it throws:
 * nothing can come between its waves. `run` resolves when SQLite has committed. That is "stored" to everyone outside all
 * the same: the object's output gate holds whatever it says to anyone until its writes are confirmed, and if they can't be,
 * the object is reset and nobody hears of them (https://developers.cloudflare.com/durable-objects/reference/in-memory-state/,
 * https://blog.cloudflare.com/sqlite-in-durable-objects/). `'strict'` waits for that confirmation before it resolves, for
 * code in the object itself that is to know.
 */
export class ObjectKVStorage implements Storage {
  /** Counts how often it was opened: what a caller remembers from another generation is void. */
  generation = 0
  readonly #storage: ObjectStorage
  readonly #kv: SyncKV
  readonly #durability: 'relaxed' | 'strict'
  readonly #written: NonNullable<ObjectStorageOptions['written']>
  #opened = false

  /** Throws StorageError if the object's class has no SQLite. */
  constructor(storage: ObjectStorage, options: ObjectStorageOptions = {}) {
    if (!storage.kv) {
      const message = 'This Durable Object has no SQLite: declare its class in new_sqlite_classes of a migration.'
      throw new StorageError('unavailable', message)
    }
    this.#storage = storage
    this.#kv = storage.kv
    this.#durability = options.durability ?? 'relaxed'
    this.#written = options.written ?? (() => {})
  }

  async open(): Promise<boolean> {
    return this.#open()
  }

  async close(): Promise<void> {
    this.#opened = false
  }

  async run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    this.#open()
    const value = options.write
      ? this.#storage.transactionSync(() => this.#drive(plan(), options))
      : this.#drive(plan(), options)
    if (options.write && (options.durability ?? this.#durability) === 'strict') await this.#storage.sync()
    return value
  }

  #open(): boolean {
    if (this.#opened) return false
    this.#opened = true
    this.generation++
    return true
  }

  #drive<T>(steps: Plan<T>, options: RunOptions): T {
    const { first = [] } = options
    for (const write of first) this.#write(write, prefixOf(write.store, options))
    let step = steps.next()
    while (!step.done) {
      for (const read of step.value) this.#read(read, options)
      step = steps.next()
    }
    const { writes, value } = step.value
    if (writes.length > 0 && !options.write) throw new Error('A plan that writes must be run with write: true.')
    for (const write of writes) this.#write(write, prefixOf(write.store, options))
    const all = [...first, ...writes]
    if (all.length > 0) this.#written(all, (plan) => this.#drive(plan, { stores: options.stores, write: false }))
    return value
  }

  #read(read: Read, options: RunOptions): void {
    const prefix = prefixOf(read.store, options)
    const found = this.#find(read, prefix)
    if (read.table === 'raw') read.keys = found.map(([key]) => decodeKey(key.slice(prefix.length)))
    fill(
      read,
      found.map(([, record]) => record),
    )
  }

  #find({ key, to, limit, reverse }: Range, prefix: string): [string, unknown][] {
    const start = prefix + encodeKey(key)
    if (limit === 0) return []
    if (to === undefined) {
      const record = this.#get(start)
      return record === undefined ? [] : [[start, record]]
    }
    const end = after(prefix + encodeKey(to))
    if (start >= end) return []
    const options = { start, end, ...(limit === undefined ? {} : { limit }), ...(reverse ? { reverse } : {}) }
    return attempt(() => [...this.#kv.list(options)])
  }

  #get(key: string): unknown {
    return attempt(() => this.#kv.get(key))
  }

  #write(write: Write, prefix: string): void {
    const key = prefix + encodeKey(write.key)
    if (write.kind === 'delete') {
      const gone = write.to === undefined ? [key] : this.#find(write, prefix).map(([each]) => each)
      attempt(() => gone.forEach((each) => void this.#kv.delete(each)))
      return
    }
    if (write.kind === 'add' && this.#get(key) !== undefined) {
      throw new KeyTakenError(`There is a record under ${JSON.stringify(write.key)} in ${write.store}.`)
    }
    attempt(() => this.#kv.put(key, write.record), refusal)
  }
}

type Range = Pick<Read, 'key' | 'to' | 'limit' | 'reverse'>

function attempt<T>(operation: () => T, told = broken): T {
  try {
    return operation()
  } catch (cause) {
    throw told(cause)
  }
}

function prefixOf(store: Store, options: RunOptions): string {
  if (!options.stores.includes(store)) throw new Error(`The plan uses ${store}, which its options do not name.`)
  return PREFIX[store]
}
