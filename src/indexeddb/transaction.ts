import { unwrap } from 'idb'
import { fill } from '../found.js'
import { KeyTakenError, type Plan, type RawRead, type RunOptions, type Write } from '../storage.js'
import { isGecko, isWebKit } from './engine.js'
import { answer, issue, RefusedError, request, UnreadableError, valid, withKeys } from './requests.js'
import type { Database, Upgrade } from './schema.js'

/** All writes were handed over, then the connection broke: they are stored or not, and nobody is left to tell. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
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

/**
 * Stores null in place of what cannot be read, for a repair to find. In a transaction before its own: Chromium (147) aborts
 * one at its end if such an error was prevented in it ("UnknownError"). False: all can be read.
 */
async function blank(db: Database, read: RawRead): Promise<boolean> {
  const { store } = read
  const page: RawRead = { ...read, keys: [], found: [] }
  const reading = unwrap(db).transaction(store, 'readonly')
  const records = await unlessAborted(reading, withKeys(reading, page))
  const lost = page.keys.filter((_, i) => records[i] === undefined)
  const writing = unwrap(db).transaction(store, 'readwrite')
  const { ended } = endOf(writing)
  for (const key of lost) writing.objectStore(store).put(null, valid(key))
  if ((await ended) === 'abort') throw writing.error ?? new DOMException('The transaction was aborted.', 'AbortError')
  return lost.length > 0
}

async function readOnly<T>(db: Database, plan: () => Plan<T>, { stores, unfinished }: DriveOptions): Promise<T> {
  // Its requests tell what happens to it; it ends by itself when no more come, and nobody needs to wait for that.
  const tx = unwrap(db).transaction([...stores], 'readonly')
  // In the back/forward cache it would stand still, and Chromium drops the page as soon as another one waits for that.
  let leave = () => {}
  const left = new Promise<never>((_, reject) => {
    leave = () => {
      if (abort(tx)) reject(new DOMException('The page was left.', 'AbortError'))
    }
  })
  unfinished.add(leave)
  try {
    const { writes, value } = await Promise.race([waves(tx, plan()), left])
    if (writes.length > 0) throw new Error('A plan that writes must be run with write: true.')
    return value
  } finally {
    unfinished.delete(leave)
  }
}

async function readAndWrite<T>(
  db: Database,
  plan: () => Plan<T>,
  { stores, durability, unfinished, first = [], unseen = false }: DriveOptions,
): Promise<T> {
  const tx = unwrap(db).transaction([...stores], 'readwrite', durability ? { durability } : {})
  const { ended, aborted, failures } = endOf(tx)
  // The connection is closed right after it.
  const leave = () => {
    if (abort(tx)) aborted()
  }
  unfinished.add(leave)
  void ended.then(() => unfinished.delete(leave))
  let end: { writes: readonly Write[]; value: T }
  try {
    const steps = plan()
    const early = unseen ? waves(tx, steps) : undefined
    early?.catch(() => {}) // in case the next line throws
    for (const write of first) issue(tx, write)
    end = await (early ?? waves(tx, steps))
    for (const write of end.writes) issue(tx, write)
    // Saves the round trip in which the browser would find out that no more requests come: 0.88 ms instead of 1.26.
    if (maySayCommit(first.length + end.writes.length)) tx.commit()
  } catch (error) {
    // A plan that threw, or a value that can't be cloned: without this, the writes issued before it would be committed.
    abort(tx)
    await ended
    // One of the first may have ended the transaction while the plan read.
    throw takenIn([...failures, tx.error]) ?? error
  }
  if ((await ended) === 'abort') throw reasonOf(failures, tx)
  return end.value
}

/**
 * How a transaction ended. Its requests are not waited for: when no space is left, Chromium (147) never answers the put of a
 * value over 64 kB, which it would store as a file of its own. Nor may the event come: WebKitGTK (2.50) tells nothing of a
 * transaction that was aborted and whose connection was closed at once. `aborted` is for who did that. `failures`: of its requests.
 *
 * Chromium (147, 150) tells nothing at all of one that began while it closed the connection: the connection's event is the last word.
 */
function endOf(tx: IDBTransaction) {
  const failures: unknown[] = []
  tx.addEventListener('error', ({ target }) => failures.push(target instanceof IDBRequest ? target.error : undefined))
  let aborted = () => {}
  const ended = new Promise<'complete' | 'abort'>((resolve) => {
    aborted = () => resolve('abort')
    tx.addEventListener('complete', () => resolve('complete'))
    tx.addEventListener('abort', aborted)
    tx.db.addEventListener('close', aborted)
  })
  void ended.then(() => tx.db.removeEventListener('close', aborted))
  return { ended, aborted, failures }
}

/** Drives a plan in a transaction that goes on afterwards. Rejects with the platform's error or the plan's own. */
export async function runIn<T>(upgrade: Upgrade, plan: Plan<T>): Promise<T> {
  const tx = unwrap(upgrade)
  const { writes, value } = await waves(tx, plan)
  const requests = writes.flatMap((write) => issue(tx, write) ?? [])
  await unlessAborted(tx, Promise.all(requests.map(answer)))
  return value
}

/** Nothing but requests is awaited here: a transaction with none pending is over at the end of the current task. */
async function waves<T>(tx: IDBTransaction, steps: Plan<T>): Promise<{ writes: readonly Write[]; value: T }> {
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
 * Firefox (tried: 153) breaks all or nothing: of a transaction that was committed explicitly, it stores everything else when a
 * request fails that is not the last one, and even says `complete`. (Its parent process leaves the abort to the page, whose
 * transaction no longer counts as active.) Without `commit()` it aborts as it should, and is hardly slower.
 *
 * WebKitGTK (tried: 2.50) can't store a Blob in a private window. It finds that out late: a transaction that was committed explicitly is told
 * to be stored then, and is not.
 */
const maySayCommit = (writes: number): boolean => !isWebKit() && (!isGecko() || writes === 1)

/** Why a transaction failed, told by its requests or, if it failed only when it was to be committed, by itself. */
function reasonOf(failures: readonly unknown[], tx: IDBTransaction): unknown {
  const reasons = [...failures, tx.error]
  const taken = takenIn(reasons)
  if (taken) return taken
  const blob = reasons.find((reason) => reason instanceof Error && reason.message.includes('preparing Blob'))
  if (blob)
    return new RefusedError('A Blob cannot be stored here: WebKit takes none in private windows.', { cause: blob })
  const clear = named(reasons, 'QuotaExceededError', 'DataError')
  return clear ?? new NoAnswerError('The connection broke during a commit.', { cause: tx.error ?? failures[0] })
}

/** The stores have no indexes, so only an add can be refused for what is there. */
function takenIn(reasons: readonly unknown[]): KeyTakenError | undefined {
  const cause = named(reasons, 'ConstraintError')
  return cause && new KeyTakenError('There is a record under the key of an add.', { cause })
}

const named = (reasons: readonly unknown[], ...names: string[]) =>
  reasons.find((reason): reason is Error => reason instanceof Error && names.includes(reason.name))

/** What requests come to, or an error once the transaction is aborted without them. It does not complete without them. */
function unlessAborted<T>(tx: IDBTransaction, requests: Promise<T>): Promise<T> {
  let aborted = () => {}
  const answered = new Promise<T>((resolve, reject) => {
    aborted = () => reject(tx.error ?? new DOMException('The transaction was aborted.', 'AbortError'))
    requests.then(resolve, reject)
  })
  const over = () => {
    tx.removeEventListener('abort', aborted)
    tx.db.removeEventListener('close', aborted)
  }
  tx.addEventListener('abort', aborted)
  tx.db.addEventListener('close', aborted)
  answered.then(over, over)
  return answered
}

/** False: it is over already, or handed over. */
export function abort(tx: { abort(): void }): boolean {
  try {
    tx.abort()
    return true
  } catch {
    return false
  }
}
