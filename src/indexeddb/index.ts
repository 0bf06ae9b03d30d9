import { checkDurability, checkKnown, checkText } from '../checks.js'
import type { Clock } from '../clock.js'
import { InvalidOptionError } from '../errors.js'
import { LocalBackend } from '../local.js'
import { type Parts, partsOf } from './parts.js'

export { estimate, persist, persisted } from './persistence.js'

export interface IndexedDBBackendOptions {
  /** The database's name. Pages of one origin that use the same name share its tasks. */
  name: string
  /**
   * What "committed" means. `'relaxed'`, the default here and in every browser: handed to the operating system, so a
   * crash of the page or the browser loses nothing, a power cut may. `'strict'`: on the disk.
   */
  durability?: 'relaxed' | 'strict'
  /**
   * `'memory'`: where IndexedDB can't be had (site data is blocked, its files are damaged, it can't be kept open), tasks live
   * in this page's memory from then on until it is reloaded: `durable` is false, and an event says so. Tasks stored before stay
   * in the database, unknown here, and go on after a reload or in another tab. Default: operations reject with StorageError.
   */
  fallback?: 'memory'
  clock?: Clock
}

/** Tasks in IndexedDB. Nothing is opened or touched before the first operation. */
export class IndexedDBBackend extends LocalBackend {
  readonly name: string
  readonly #parts: Parts

  /** Throws InvalidOptionError. */
  constructor(options: IndexedDBBackendOptions) {
    checkKnown('options', options, ['name', 'durability', 'fallback', 'clock'])
    const { durability, fallback, clock } = options
    const name = checkText('name', options.name)
    if (durability !== undefined) checkDurability(durability)
    if (fallback !== undefined && fallback !== 'memory') {
      throw new InvalidOptionError('fallback', "fallback must be 'memory', or left out.")
    }
    const parts = partsOf({ name, ...(durability ? { durability } : {}), ...(fallback ? { fallback } : {}) })
    super({ ...parts.local, ...(clock ? { clock } : {}) })
    this.name = name
    this.#parts = parts
  }

  override async close(): Promise<void> {
    this.#parts.close()
    await super.close()
  }

  /**
   * Closes and deletes the database with everything in it, unless a newer version of the app owns it. Other tabs' connections
   * close themselves. Throws StorageError.
   */
  async destroy(): Promise<void> {
    await this.close()
    await this.#parts.destroy()
  }
}
