import type { StorageNotice } from '../channel.js'
import { type Clock, sleep } from '../clock.js'
import { StorageError } from '../errors.js'
import type { Layout } from '../plan/migrations.js'
import { type Connection, connect } from './connect.js'
import { isLost, Losses, newerVersion, toldError } from './failures.js'
import type { Database } from './schema.js'

/** What someone should hear of. */
export type DatabaseEvent = Pick<StorageNotice, 'event' | 'message'>

export interface LinkOptions {
  name: string
  layout: Layout
  clock: Clock
  onEvent(event: DatabaseEvent): void
  /** Somebody deletes the database on purpose; told before the event. */
  onDelete(): void
}

interface Opened {
  db: Database
  /** The one before it was lost, and this database is new: nothing is in it. */
  replaced: boolean
}

/** The one connection to a database: opened when it is needed, let go when another tab asks, opened again when it was lost. */
export class Link {
  readonly #options: LinkOptions
  readonly #losses: Losses
  #generation = 0
  #db: Database | undefined
  #opening: Promise<Opened> | undefined
  /** There was a connection and nobody here closed it. */
  #broken = false
  /** A newer version of the app asked for the database: it is not opened here again. */
  #superseded = false

  constructor(options: LinkOptions) {
    this.#options = options
    this.#losses = new Losses(options.clock)
  }

  /** Counts the connections. */
  get generation(): number {
    return this.#generation
  }

  get db(): Database | undefined {
    return this.#db
  }

  /** The opening that is under way. */
  get opening(): Promise<Opened> | undefined {
    return this.#opening
  }

  /** Joins the opening that is under way. */
  async open(): Promise<Opened> {
    if (this.#superseded) throw newerVersion(this.#options.name)
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  close(): void {
    this.#db?.close()
    this.#db = undefined
    this.#broken = false
  }

  /** An operation found out that a connection is gone. */
  lose(db: Database, reason: unknown): void {
    if (this.#db !== db) return
    this.#losses.add(reason)
    this.#drop(db, 'lost', reason instanceof Error ? reason.message : String(reason))
  }

  /** Opens it once more, however often it was lost: that says nothing of what is in it. Throws if it is not to be deleted. */
  async isDamaged(): Promise<boolean> {
    try {
      const { db } = await this.#connectOnce()
      db.close()
      return false
    } catch (error) {
      if (!isLost(error)) throw toldError(error, false)
      return true
    }
  }

  /** Somebody else keeps the database open. */
  blocked(): void {
    this.#tell('blocked', 'Another tab keeps the database open: close or reload it.')
  }

  async #open(): Promise<Opened> {
    const { db, created } = await this.#connect()
    // A connection that does not let go blocks the upgrade or the deletion for every tab.
    db.addEventListener('versionchange', ({ newVersion }) => {
      if (newVersion === null) {
        this.#options.onDelete()
        this.#drop(db, 'lost', 'The database is being deleted.')
      } else {
        this.#superseded = true
        this.#drop(db, 'closed-by-upgrade', 'Another tab has a newer version of this app: reload this one.')
      }
    })
    db.addEventListener('close', () => this.lose(db, new Error('The browser closed the connection.')))
    const broken = this.#broken
    this.#broken = false
    this.#db = db
    this.#generation++
    if (broken)
      this.#tell('reopened', created ? 'It was deleted: this one is new and empty.' : 'The connection is back.')
    return { db, replaced: broken && created }
  }

  async #connect(): Promise<Connection> {
    const { name, clock } = this.#options
    for (;;) {
      const { pause, reason } = this.#losses
      if (pause === undefined) {
        const message = `The database "${name}" can't be kept open: reload the page, or free some disk space.`
        throw new StorageError('unavailable', message, { cause: reason })
      }
      if (pause > 0) await sleep(clock, pause)
      try {
        return await this.#connectOnce()
      } catch (error) {
        if (!isLost(error)) throw toldError(error, false)
        this.#losses.add(error)
      }
    }
  }

  #connectOnce(): Promise<Connection> {
    const { name, layout, clock } = this.#options
    return connect({ name, layout, clock, blocked: () => this.blocked() })
  }

  #drop(db: Database, event: DatabaseEvent['event'], message: string): void {
    if (this.#db !== db) return
    this.#db = undefined
    this.#broken = true
    db.close()
    this.#tell(event, message)
  }

  #tell(event: DatabaseEvent['event'], message: string): void {
    this.#options.onEvent({ event, message })
  }
}
