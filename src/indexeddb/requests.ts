/** A plan's reads and writes as requests to IndexedDB. */
import { compareKeys, isList, type Key } from '../keys.js'
import { DamagedError } from '../plan/damage.js'
import type { RawRead, Read, Write } from '../storage.js'
import { isGecko } from './engine.js'

/** A record holds something that cannot be stored. The transaction was aborted. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
}

/** A page holds a record that the browser itself cannot read. The transaction was aborted. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError'
  readonly read: RawRead

  constructor(read: RawRead) {
    super('The browser cannot read a stored record.')
    this.read = read
  }
}

/**
 * Hands it its keys too: in a request of its own, as WebKit has no getAllRecords; nothing comes between the two. What the
 * browser itself cannot read is `undefined`, or, where the transaction writes, an UnreadableError.
 */
export async function withKeys(tx: IDBTransaction, read: RawRead): Promise<unknown[]> {
  const query = queryOf(read)
  if (query === undefined || read.limit === 0) return []
  const store = tx.objectStore(read.store)
  // Repairs read pages, forwards.
  const isPage = read.to !== undefined && read.limit !== 1 && !read.reverse
  const page = isPage ? readable(store.getAll(query, read.limit)) : request(tx, read)
  const [records, keys] = await Promise.all([page, keysOf(tx, read)])
  read.keys = keys
  if (!records && tx.mode !== 'readonly') throw new UnreadableError(read)
  return records ?? Promise.all(keys.map((key) => readable(store.get(valid(key)))))
}

/** What a request comes to. */
export function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
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

async function keysOf(tx: IDBTransaction, read: RawRead): Promise<Key[]> {
  const query = queryOf(read)
  if (query === undefined || read.limit === 0) return []
  const keys = await answer(tx.objectStore(read.store).getAllKeys(query, read.reverse ? undefined : read.limit))
  return (read.reverse ? keys.reverse().slice(0, read.limit) : keys).map(ours)
}

/** Async so that a key that is refused on the spot rejects like everything else. */
export async function request(tx: IDBTransaction, read: Read): Promise<unknown[]> {
  const store = tx.objectStore(read.store)
  const query = queryOf(read)
  // To getAll, a limit of 0 means none.
  if (query === undefined || read.limit === 0) return []
  // Outside of the try: a key that is refused on the spot is no damage.
  const asked = found(store, query, read)
  try {
    return await asked
  } catch (error) {
    if (!isUnreadable(error) || read.table === 'raw') throw error
    throw new DamagedError(read.table, 'the browser itself cannot read it')
  }
}

function found(store: IDBObjectStore, query: IDBValidKey | IDBKeyRange, read: Read): Promise<unknown[]> {
  // Of a range, get returns the first; it is cheaper than a cursor.
  if (read.to === undefined || (read.limit === 1 && !read.reverse)) {
    return answer<unknown>(store.get(query)).then((record) => (record === undefined ? [] : [record]))
  }
  if (!read.reverse) return answer<unknown[]>(store.getAll(query, read.limit))
  return read.limit === 1 && isGecko() ? last(store, query) : backwards(store.openCursor(query, 'prev'), read.limit)
}

/** With each record that a cursor comes to, Firefox (140) reads 64 more, of which nobody asks for one here; of keys that is little. */
async function last(store: IDBObjectStore, query: IDBValidKey | IDBKeyRange): Promise<unknown[]> {
  const cursor = await answer(store.openKeyCursor(query, 'prev'))
  return cursor ? [await answer<unknown>(store.get(cursor.primaryKey))] : []
}

/** One request for each record: to be used with small limits. getAllRecords could do it in one, but WebKit has none. */
function backwards(opened: IDBRequest<IDBCursorWithValue | null>, limit: number | undefined): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const found: unknown[] = []
    opened.onsuccess = () => {
      const cursor = opened.result
      if (cursor) found.push(cursor.value)
      if (!cursor || found.length === limit) resolve(found)
      else cursor.continue()
    }
    opened.onerror = () => reject(opened.error)
  })
}

/** Asks for one write; its transaction tells how it ends, too. Throws on the spot if its key or record is not storable. */
export function issue(tx: IDBTransaction, write: Write): IDBRequest | undefined {
  const store = tx.objectStore(write.store)
  const key = valid(write.key)
  if (write.kind === 'delete') {
    const query = write.to === undefined ? key : between(write.key, write.to)
    return query === undefined ? undefined : store.delete(query)
  }
  try {
    return write.kind === 'put' ? store.put(write.record, key) : store.add(write.record, key)
  } catch (cause) {
    // The platform's other errors are about the connection or the transaction; what a getter threw comes as it is.
    if (cause instanceof DOMException && !isOfValue(cause)) throw cause
    throw new RefusedError('There is a value that cannot be stored.', { cause })
  }
}

/** It would be refused for ever: it can't be cloned, or is larger than the browser takes ("The serialized value is too large"). */
const isOfValue = ({ name, message }: DOMException): boolean =>
  name === 'DataCloneError' || name === 'DataError' || message.includes('too large')

const queryOf = ({ key, to }: Read) => (to === undefined ? valid(key) : between(key, to))
export const valid = (key: Key): IDBValidKey => (isList(key) ? key.map(valid) : key)
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
