import { StorageError } from '../errors.js'
import { fill } from '../found.js'
import { compareKeys, isList, type Key } from '../keys.js'
import type { Store } from '../plan/records.js'
import { KeyTakenError, type Plan, type Read, type RunOptions, type Storage, type Write } from '../storage.js'

/** Each array is sorted by key. */
type Entry = { key: Key; record: unknown }

/**
 * Four sorted arrays. Everything ends with the process: for tests, for servers that keep tasks elsewhere, and for pages
 * whose browser refuses IndexedDB. Plans are driven without a pause, so that nothing can come between their waves.
 */
export class MemoryStorage implements Storage {
  /** Counts how often it was opened: what a caller remembers from another generation is void. */
  generation = 0
  readonly durable = false
  readonly #entries: Record<Store, Entry[]> = { blocks: [], outcomes: [], ledger: [], marks: [] }
  #opened = false

  async open(): Promise<boolean> {
    return this.#open()
  }

  /** Keeps what is stored, as a database would; the next operation opens it again. */
  async close(): Promise<void> {
    this.#opened = false
  }

  async run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    this.#open()
    const steps = plan()
    const { first = [] } = options
    this.#write(first, options)
    try {
      return this.#drive(steps, options)
    } catch (error) {
      for (const { store, key } of first) apply(this.#entries[store], { kind: 'delete', store, key })
      throw error
    }
  }

  #drive<T>(steps: Plan<T>, options: RunOptions): T {
    let step = steps.next()
    while (!step.done) {
      for (const read of step.value) this.#read(read, options)
      step = steps.next()
    }
    this.#write(step.value.writes, options)
    return step.value.value
  }

  #open(): boolean {
    if (this.#opened) return false
    this.#opened = true
    this.generation++
    return true
  }

  #read(read: Read, options: RunOptions): void {
    const entries = this.#in(read.store, options)
    check(read.key)
    if (read.to !== undefined) check(read.to)
    let [start, end] = bounds(entries, read.key, read.to)
    const limit = read.limit ?? Number.POSITIVE_INFINITY
    if (read.reverse) start = Math.max(start, end - limit)
    else end = Math.min(end, start + limit)
    const slice = entries.slice(start, end)
    if (read.reverse) slice.reverse()
    const found = slice.map((entry) => structuredClone(entry.record))
    if (read.table === 'raw') read.keys = slice.map((entry) => structuredClone(entry.key))
    fill(read, found)
  }

  /** All that can be refused is refused before the first change. */
  #write(writes: readonly Write[], options: RunOptions): void {
    if (writes.length > 0 && !options.write) throw new Error('A plan that writes must be run with write: true.')
    const changes = writes.map((write) => {
      check(write.key)
      if (write.kind === 'delete') return write
      return { ...write, key: structuredClone(write.key), record: cloned(write.record) }
    })
    for (const [index, change] of changes.entries()) {
      const entries = this.#in(change.store, options)
      if (change.kind === 'add' && taken(entries, changes.slice(0, index), change)) {
        throw new KeyTakenError(`There is a record under ${JSON.stringify(change.key)} in ${change.store}.`)
      }
    }
    for (const change of changes) apply(this.#entries[change.store], change)
  }

  /** Refuses what a transaction of IndexedDB would refuse, so that tests on memory find it too. */
  #in(store: Store, options: RunOptions): Entry[] {
    if (!options.stores.includes(store)) throw new Error(`The plan uses ${store}, which its options do not name.`)
    return this.#entries[store]
  }
}

/** Whether an `add` meets a record, the earlier writes of its own plan considered. */
function taken(entries: Entry[], earlier: Write[], { store, key }: Write): boolean {
  const [start, end] = bounds(entries, key)
  let there = end > start
  for (const write of earlier) if (write.store === store && covers(write, key)) there = write.kind !== 'delete'
  return there
}

function covers(write: Write, key: Key): boolean {
  const order = compareKeys(write.key, key)
  return write.kind === 'delete' && write.to !== undefined ? order <= 0 && compareKeys(key, write.to) <= 0 : order === 0
}

function apply(entries: Entry[], write: Write): void {
  const [start, end] = bounds(entries, write.key, write.kind === 'delete' ? write.to : undefined)
  if (write.kind === 'delete') entries.splice(start, end - start)
  else entries.splice(start, end - start, { key: write.key, record: write.record })
}

/** Where the entries from `key` to `to` begin and end; both the same if there are none. */
function bounds(entries: Entry[], key: Key, to = key): [start: number, end: number] {
  const start = lowerBound(entries, (other) => compareKeys(other, key) >= 0)
  const end = lowerBound(entries, (other) => compareKeys(other, to) > 0)
  return [start, Math.max(start, end)]
}

/** Index of the first key that is far enough. Most writes go to the end of a log, so the last key is looked at first. */
function lowerBound(entries: Entry[], enough: (key: Key) => boolean): number {
  const last = entries.at(-1)
  if (!last || !enough(last.key)) return entries.length
  let [low, high] = [0, entries.length - 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    const entry = entries[middle]
    if (entry && enough(entry.key)) high = middle
    else low = middle + 1
  }
  return low
}

/** Refuses as IndexedDB's put does. */
function cloned(record: unknown): unknown {
  try {
    return structuredClone(record)
  } catch (cause) {
    throw new StorageError('uncloneable', 'There is a value that cannot be stored: nothing was.', { cause })
  }
}

/** NaN has no order, so IndexedDB refuses it in keys; here it would spoil the order of the others. */
function check(key: Key): void {
  if (Number.isNaN(key)) throw new Error('NaN cannot be part of a key.')
  if (isList(key)) key.forEach(check)
}
