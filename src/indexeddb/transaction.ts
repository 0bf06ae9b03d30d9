import { type IDBPDatabase, type IDBPTransaction, unwrap } from 'idb'
import { fill } from '../found.js'
import { DamagedError } from '../plan/damage.js'
import type { Store } from '../plan/records.js'
import {
  compareKeys,
  isList,
  type Key,
  KeyTakenError,
  type Plan,
  type RawRead,
  type Read,
  type RunOptions,
  type Write,
} from '../storage.js'

export type Schema = { [S in Store]: { key: IDBValidKey; value: unknown } }
export type Database = IDBPDatabase<Schema>
type Mode = 'readonly' | 'readwrite' | 'versionchange'
type Transaction<M extends Mode> = IDBPTransaction<Schema, Store[], M>
type Writing = 'readwrite' | 'versionchange'
/** Where a reading from the end is. */
interface Cursor {
  value: unknown
  continue(): Promise<Cursor | null>
}
/** The transaction in which a database comes to its version. */
export type Upgrade = Transaction<'versionchange'>

/** All writes were handed over, then the connection broke: they are stored or not, and nobody is left to tell. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
}

/** A record holds something that cannot be stored. The transaction was aborted. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
}

export interface DriveOptions extends RunOptions {
  /** Ways to abort those that are under way. One that was committed is beyond that. */
  unfinished: Set<() => void>
}

/** Drives a plan in one transaction. Rejects with `KeyTakenError`, `NoAnswerError`, `RefusedError`, the platform's error or the plan's own. */
export async function drive<T>(db: Database, plan: () => Plan<T>, options: DriveOptions): Promise<T> {
  if (!options.write) return readOnly(db, plan, options)
  for (;;) {
    try {
      return await readAndWrite(db, plan, options)
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error
      if (!(await blank(db, error.read))) throw new DOMException(error.message, 'NotReadableError')
    }
  }
}

/** A page holds a record that the browser itself cannot read. The transaction was aborted. */
class UnreadableError extends Error {
  override readonly name = 'UnreadableError'
  readonly read: RawRead

  constructor(read: RawRead) {
    super('The browser cannot read a stored record.')
    this.read = read
  }
}

/**
 * Stores null in place of what cannot be read, for a repair to find. In a transaction before its own: Chromium (147) aborts
 * one at its end if such an error was prevented in it ("UnknownError"). False: all can be read.
 */
async function blank(db: Database, read: RawRead): Promise<boolean> {
  const { store } = read
  const page: RawRead = { ...read, keys: [], found: [] }
  const reading = db.transaction([store], 'readonly')
  reading.done.catch(() => {})
  const records = await unlessAborted(reading, withKeys(reading, page))
  const lost = page.keys.filter((_, i) => records[i] === undefined)
  const writing = db.transaction(store, 'readwrite')
  // How they end is how it ends.
  for (const key of lost) void writing.store.put(null, valid(key)).catch(() => {})
  await writing.done
  return lost.length > 0
}

async function readOnly<T>(db: Database, plan: () => Plan<T>, { stores }: RunOptions): Promise<T> {
  const tx = db.transaction([...stores], 'readonly')
  // Its requests tell what happens to it; it ends by itself when no more come, and nobody needs to wait for that.
  tx.done.catch(() => {})
  const { writes, value } = await waves(tx, plan())
  if (writes.length > 0) throw new Error('A plan that writes must be run with write: true.')
  return value
}

async function readAndWrite<T>(
  db: Database,
  plan: () => Plan<T>,
  { stores, durability, unfinished }: DriveOptions,
): Promise<T> {
  const tx = db.transaction([...stores], 'readwrite', durability ? { durability } : {})
  const leave = () => abort(tx)
  unfinished.add(leave)
  tx.done.catch(() => {})
  const ended = endOf(tx)
  void ended.then(() => unfinished.delete(leave))
  const refused: unknown[] = []
  let end: { writes: readonly Write[]; value: T }
  try {
    end = await waves(tx, plan())
    for (const write of end.writes) issue(tx, write).catch((reason: unknown) => refused.push(reason))
    // Saves the round trip in which the browser would find out that no more requests come: 0.88 ms instead of 1.26.
    if (end.writes.length === 1 || !storesTheRest()) tx.commit()
  } catch (error) {
    // A plan that threw, or a value that can't be cloned: without this, the writes issued before it would be committed.
    abort(tx)
    await ended
    throw error
  }
  if ((await ended) === 'abort') throw reasonOf(refused, tx)
  return end.value
}

/**
 * How a transaction ended. Its requests are not waited for: when no space is left, Chromium (147) never answers the put of a
 * value over 64 kB, which it would store as a file of its own.
 */
function endOf<M extends Mode>(tx: Transaction<M>): Promise<'complete' | 'abort'> {
  return new Promise((resolve) => {
    tx.addEventListener('complete', () => resolve('complete'))
    tx.addEventListener('abort', () => resolve('abort'))
  })
}

/** What requests come to, or an error once the transaction is aborted without them. It does not complete without them. */
function unlessAborted<T, M extends Mode>(tx: Transaction<M>, requests: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(tx.error ?? new DOMException('The transaction was aborted.', 'AbortError'))
    tx.addEventListener('abort', aborted)
    const over = () => tx.removeEventListener('abort', aborted)
    requests.then(resolve, reject).then(over)
  })
}

/** Drives a plan in a transaction that goes on afterwards. Rejects with the platform's error or the plan's own. */
export async function runIn<T>(tx: Upgrade, plan: Plan<T>): Promise<T> {
  const { writes, value } = await waves(tx, plan)
  await unlessAborted(tx, Promise.all(writes.map((write) => issue(tx, write))))
  return value
}

/** Nothing but requests is awaited here: a transaction with none pending is over at the end of the current task. */
async function waves<T, M extends Mode>(
  tx: Transaction<M>,
  steps: Plan<T>,
): Promise<{ writes: readonly Write[]; value: T }> {
  let step = steps.next()
  while (!step.done) {
    const wave = step.value
    // All at once: they cost one round trip together.
    const reads = wave.map((read) => (read.table === 'raw' ? withKeys(tx, read) : request(tx, read)))
    const records = await unlessAborted(tx, Promise.all(reads))
    for (const [index, read] of wave.entries()) fill(read, records[index] ?? [])
    step = steps.next()
  }
  return step.value
}

/**
 * Hands it its keys too: in a request of its own, as WebKit has no getAllRecords; nothing comes between the two. What the
 * browser itself cannot read is `undefined`, or, where the transaction writes, an UnreadableError.
 */
async function withKeys<M extends Mode>(tx: Transaction<M>, read: RawRead): Promise<unknown[]> {
  const query = queryOf(read)
  if (query === undefined || read.limit === 0) return []
  const store = unwrap(tx.objectStore(read.store))
  // Repairs read pages, forwards.
  const isPage = read.to !== undefined && read.limit !== 1 && !read.reverse
  const page = isPage ? readable(store.getAll(query, read.limit)) : request(tx, read)
  const [records, keys] = await Promise.all([page, keysOf(tx, read)])
  read.keys = keys
  if (!records && tx.mode !== 'readonly') throw new UnreadableError(read)
  return records ?? Promise.all(keys.map((key) => readable(store.get(valid(key)))))
}

/** Its result; undefined, and the transaction goes on, if the browser cannot read a record of it. */
function readable<T>(request: IDBRequest<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', (event) => {
      if (!isUnreadable(request.error)) return reject(request.error)
      // Unhandled, it would abort the transaction.
      event.preventDefault()
      event.stopPropagation()
      resolve(undefined)
    })
  })
}

/**
 * What the request for a record fails with when the browser has lost it. Chromium (147) keeps values over 64 kB as files of
 * their own: "Data lost due to missing file. Affected record should be considered irrecoverable".
 */
const isUnreadable = (error: unknown): boolean =>
  error instanceof DOMException && (error.name === 'NotReadableError' || error.name === 'DataError')

async function keysOf<M extends Mode>(tx: Transaction<M>, read: RawRead): Promise<Key[]> {
  const query = queryOf(read)
  if (query === undefined || read.limit === 0) return []
  const keys = await tx.objectStore(read.store).getAllKeys(query, read.reverse ? undefined : read.limit)
  return (read.reverse ? keys.reverse().slice(0, read.limit) : keys).map(ours)
}

/** Async so that a key that is refused on the spot rejects like everything else. */
async function request<M extends Mode>(tx: Transaction<M>, read: Read): Promise<unknown[]> {
  const store = tx.objectStore(read.store)
  const query = queryOf(read)
  // To getAll, a limit of 0 means none.
  if (query === undefined || read.limit === 0) return []
  // Of a range, get returns the first; it is cheaper than a cursor.
  const single = read.to === undefined || (read.limit === 1 && !read.reverse)
  // Outside of the try: a key that is refused on the spot is no damage.
  const asked = single
    ? store.get(query)
    : read.reverse
      ? backwards(store.openCursor(query, 'prev'), read.limit)
      : store.getAll(query, read.limit)
  try {
    const answer: unknown = await asked
    return Array.isArray(answer) && !single ? answer : answer === undefined ? [] : [answer]
  } catch (error) {
    if (!isUnreadable(error) || read.table === 'raw') throw error
    throw new DamagedError(read.table, 'the browser itself cannot read it')
  }
}

/** One request for each record: to be used with small limits. getAllRecords could do it in one, but WebKit has none. */
async function backwards(opened: Promise<Cursor | null>, limit: number | undefined): Promise<unknown[]> {
  const found: unknown[] = []
  let cursor = await opened
  while (cursor) {
    found.push(cursor.value)
    cursor = found.length === limit ? null : await cursor.continue()
  }
  return found
}

/** The promise of one write. Throws on the spot if its key or record is not storable. */
function issue<M extends Writing>(tx: Transaction<M>, write: Write): Promise<unknown> {
  const store = tx.objectStore(write.store)
  const key = valid(write.key)
  if (write.kind !== 'delete') {
    try {
      return write.kind === 'put' ? store.put(write.record, key) : store.add(write.record, key)
    } catch (cause) {
      // The platform's other errors are about the connection or the transaction; what a getter threw comes as it is.
      if (cause instanceof DOMException && !isOfValue(cause)) throw cause
      throw new RefusedError('There is a value that cannot be stored.', { cause })
    }
  }
  const query = write.to === undefined ? key : between(write.key, write.to)
  return query === undefined ? Promise.resolve() : store.delete(query)
}

/** It would be refused for ever: it can't be cloned, or is larger than the browser takes ("The serialized value is too large"). */
const isOfValue = ({ name, message }: DOMException): boolean =>
  name === 'DataCloneError' || name === 'DataError' || message.includes('too large')

/**
 * Firefox (tried: 153) breaks all or nothing: of a transaction that was committed explicitly, it stores everything else when a
 * request fails that is not the last one, and even says `complete`. (Its parent process leaves the abort to the page, whose
 * transaction no longer counts as active.) Without `commit()` it aborts as it should, and is hardly slower.
 */
function storesTheRest(): boolean {
  // Everyone else's says "like Gecko".
  return typeof navigator !== 'undefined' && /\bGecko\/\d/.test(navigator.userAgent)
}

/** Why a transaction failed, told by its requests or, if it failed only when it was to be committed, by itself. */
function reasonOf(refused: unknown[], tx: Transaction<'readwrite'>): unknown {
  const reasons = [...refused, tx.error]
  const named = (...names: string[]) => reasons.find((reason) => reason instanceof Error && names.includes(reason.name))
  // The stores have no indexes, so only an add can be refused for what is there.
  const taken = named('ConstraintError')
  if (taken) return new KeyTakenError('There is a record under the key of an add.', { cause: taken })
  const clear = named('QuotaExceededError', 'DataError')
  return clear ?? new NoAnswerError('The connection broke during a commit.', { cause: tx.error ?? refused[0] })
}

export function abort<M extends Writing>(tx: Transaction<M>): void {
  try {
    tx.abort()
  } catch {
    // It is over already: what made the plan fail has aborted it.
  }
}

const queryOf = ({ key, to }: Read) => (to === undefined ? valid(key) : between(key, to))
const valid = (key: Key): IDBValidKey => (isList(key) ? key.map(valid) : key)
const ours = (key: IDBValidKey): Key =>
  Array.isArray(key)
    ? key.map(ours)
    : ArrayBuffer.isView(key)
      ? Uint8Array.from(new Uint8Array(key.buffer)).buffer
      : key

/** undefined if the ends are the wrong way round, which IDBKeyRange would refuse: there is nothing between them. */
function between(from: Key, to: Key): IDBKeyRange | undefined {
  return compareKeys(from, to) > 0 ? undefined : IDBKeyRange.bound(valid(from), valid(to))
}
