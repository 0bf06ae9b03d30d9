import { openDB } from 'idb'
import type { Clock } from '../clock.js'
import { StorageError } from '../errors.js'
import { LAYOUT, stores } from '../plan/records.js'
import type { Database, Schema } from './transaction.js'

/** Ms after which an opening that does not answer is tried again, once. */
const PATIENCE = 5_000

export interface Connection {
  db: Database
  /** There was no such database before. */
  created: boolean
}

/**
 * One connection to the database, which is made if there is none. Rejects with `StorageError` if trying again cannot
 * help, else with the platform's error.
 */
export async function connect(name: string, clock: Clock, blocked: () => void): Promise<Connection> {
  if (typeof indexedDB === 'undefined') {
    throw new StorageError('unavailable', 'There is no IndexedDB here: use another backend, such as MemoryBackend.')
  }
  const connection =
    (await patiently(open(name, blocked), clock)) ??
    // The first opening after Safari's start may never answer; asking for the list wakes it up.
    // https://bugs.webkit.org/show_bug.cgi?id=226547
    (await wake().then(() => patiently(open(name, blocked), clock)))
  if (!connection) {
    const seconds = (2 * PATIENCE) / 1_000
    throw new StorageError(
      'unavailable',
      `The database "${name}" did not open within ${seconds} s: close or reload the app's other tabs, then try again.`,
    )
  }
  if (!stores.every((store) => connection.db.objectStoreNames.contains(store))) {
    connection.db.close()
    throw new StorageError('broken', `The database "${name}" is not one of sitq's: choose another name.`)
  }
  return connection
}

async function open(name: string, blocked: () => void): Promise<Connection> {
  let created = false
  try {
    const db = await openDB<Schema>(name, LAYOUT, {
      upgrade(database, before) {
        created = before === 0
        for (const store of stores) if (!database.objectStoreNames.contains(store)) database.createObjectStore(store)
      },
      blocked,
    })
    return { db, created }
  } catch (error) {
    throw refusal(name, error)
  }
}

/** What trying again cannot help. */
function refusal(name: string, error: unknown): unknown {
  if (!(error instanceof DOMException)) return error
  if (error.name === 'VersionError') {
    const message = `The database "${name}" belongs to a newer version of this app: reload the page.`
    return new StorageError('newer-version', message, { cause: error })
  }
  if (error.name === 'SecurityError') {
    const message = 'The browser does not let this page store anything (site data blocked, or a sandboxed frame).'
    return new StorageError('unavailable', message, { cause: error })
  }
  return error
}

/** undefined if it takes too long. What opens later still is closed, or it would block upgrades for ever. */
function patiently(opening: Promise<Connection>, clock: Clock): Promise<Connection | undefined> {
  return new Promise((resolve, reject) => {
    let late = false
    const stop = clock.timer(PATIENCE, () => {
      late = true
      resolve(undefined)
    })
    opening.then(
      (connection) => {
        if (late) return connection.db.close()
        stop()
        resolve(connection)
      },
      (error: unknown) => {
        stop()
        reject(error)
      },
    )
  })
}

/** Doesn't wait for the answer, which may never come either. */
async function wake(): Promise<void> {
  indexedDB.databases?.().catch(() => {})
}
