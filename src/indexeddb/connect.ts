import { openDB } from 'idb'
import type { Clock } from '../clock.js'
import { StorageError } from '../errors.js'
import type { Layout } from '../plan/migrations.js'
import { stores } from '../plan/records.js'
import { isGecko } from './engine.js'
import { newerVersion } from './failures.js'
import { LayoutMark } from './marks.js'
import { migrate } from './migrate.js'
import type { Database, Schema } from './schema.js'
import { abort } from './transaction.js'

/** Ms after which an opening that does not answer is tried again, once. */
const PATIENCE = 5_000

export interface Connection {
  db: Database
  /** There was no such database before. */
  created: boolean
}

export interface ConnectOptions {
  name: string
  layout: Layout
  clock: Clock
  /** Another tab does not let the database be upgraded. */
  blocked(): void
}

/**
 * One connection to the database, which is made if there is none and brought to the layout if it is of an older one. Rejects
 * with `StorageError` if trying again cannot help, else with the platform's error.
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { name, layout } = options
  if (typeof indexedDB === 'undefined') {
    throw new StorageError('unavailable', 'There is no IndexedDB here: use another backend, such as MemoryBackend.')
  }
  let blocked = false
  const told = {
    ...options,
    blocked() {
      if (!blocked) options.blocked()
      blocked = true
    },
  }
  const mark = new LayoutMark(name)
  let connection = await patiently(told)
  if (!connection) {
    const older = isOlder(name, layout.version, mark.layout)
    const again = patiently(told)
    // Where one tab holds the database and another lets go of it a moment later, Firefox says nothing.
    void older.then((is) => is && !connection && told.blocked())
    connection = await again
  }
  if (!connection) {
    const seconds = (2 * PATIENCE) / 1_000
    const [code, why] = blocked ? (['blocked', 'is held by an older version of this app'] as const) : hangs(seconds)
    throw new StorageError(code, `The database "${name}" ${why}: close or reload the app's other tabs, then try again.`)
  }
  if (!isOurs(connection.db)) {
    connection.db.close()
    throw foreign(name)
  }
  mark.set(layout.version)
  return connection
}

const hangs = (seconds: number) => ['unavailable', `did not open within ${seconds} s`] as const
const isOurs = (db: Database) => stores.every((store) => db.objectStoreNames.contains(store))
const foreign = (name: string) =>
  new StorageError('broken', `The database "${name}" is not one of sitq's: choose another name.`)

/** `upgrading`: it takes its time from now on. */
async function open({ name, layout, blocked }: ConnectOptions, upgrading: () => void): Promise<Connection> {
  let created = false
  let failed: { error: unknown } | undefined
  try {
    const db = await openDB<Schema>(name, layout.version, {
      upgrade(database, before, _, tx) {
        upgrading()
        tx.done.catch(() => {})
        created = before === 0
        if (created) for (const store of stores) database.createObjectStore(store)
        else {
          const done = isOurs(database) ? migrate(tx, layout, before) : Promise.reject(foreign(name))
          done.catch((error: unknown) => {
            failed = { error }
            abort(tx)
          })
        }
      },
      blocked,
    })
    return { db, created }
  } catch (error) {
    throw refusal(name, failed ? failed.error : error)
  }
}

/** What trying again cannot help. */
function refusal(name: string, error: unknown): unknown {
  if (error instanceof StorageError) return error
  if (!(error instanceof DOMException)) {
    const message = `The database "${name}" could not be brought to this version's layout; nothing in it was changed.`
    return new StorageError('broken', message, { cause: error })
  }
  if (error.name === 'VersionError') return newerVersion(name, error)
  if (error.name === 'SecurityError') {
    const message = 'The browser does not let this page store anything (site data blocked, or a sandboxed frame).'
    return new StorageError('unavailable', message, { cause: error })
  }
  return error
}

/**
 * undefined if it takes too long, other than by migrating. What opens later still is closed, or it would block upgrades for
 * ever.
 */
function patiently(options: ConnectOptions): Promise<Connection | undefined> {
  return new Promise((resolve, reject) => {
    let late = false
    const stop = options.clock.timer(PATIENCE, () => {
      late = true
      resolve(undefined)
    })
    open(options, stop).then(
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

/**
 * Whether there is such a database of an older layout. May never answer, but asking is good for something else too: the first
 * opening after Safari's start may not answer either until the list is asked for. https://bugs.webkit.org/show_bug.cgi?id=226547
 *
 * Firefox (140, tried) must not be asked: its list waits for an upgrade or deletion that waits, and until then no database of the
 * whole site opens any more. There it is what was marked the last time that counts.
 */
async function isOlder(name: string, version: number, marked: number | undefined): Promise<boolean> {
  if (isGecko()) return marked !== undefined && marked < version
  const all = (await indexedDB.databases?.().catch(() => undefined)) ?? []
  return all.some((each) => each.name === name && (each.version ?? version) < version)
}
