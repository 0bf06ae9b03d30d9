import { checkDurability, checkKnown, checkText } from '../checks.js'
import type { Clock } from '../clock.js'
import { LocalBackend } from '../local.js'
import { onPageLeft } from '../page.js'
import { broadcastChannel } from './channel.js'
import { pageDepartures } from './departures.js'
import { webLocks } from './locks.js'
import { IndexedDBStorage } from './storage.js'

export { estimate, persist } from './persistence.js'

export interface IndexedDBBackendOptions {
  /** The database's name. Pages of one origin that use the same name share its tasks. */
  name: string
  /**
   * What "committed" means. `'relaxed'`, the default here and in every browser: handed to the operating system, so a
   * crash of the page or the browser loses nothing, a power cut may. `'strict'`: on the disk.
   */
  durability?: 'relaxed' | 'strict'
  clock?: Clock
}

/** Tasks in IndexedDB. Nothing is opened or touched before the first operation. */
export class IndexedDBBackend extends LocalBackend {
  readonly name: string
  readonly #storage: IndexedDBStorage
  #stopListening: (() => void) | undefined

  /** Throws InvalidOptionError. */
  constructor(options: IndexedDBBackendOptions) {
    checkKnown('options', options, ['name', 'durability', 'clock'])
    const { durability, clock } = options
    const name = checkText('name', options.name)
    if (durability !== undefined) checkDurability(durability)
    const channel = broadcastChannel(name)
    const storage = new IndexedDBStorage({
      name,
      onEvent: (event) => channel.post({ type: 'storage', ...event }),
      ...(durability ? { durability } : {}),
    })
    const locks = webLocks(name)
    const departures = pageDepartures(name)
    super({ storage, channel, departures, ...(locks ? { locks } : {}), ...(clock ? { clock } : {}) })
    this.name = name
    this.#storage = storage
  }

  override async open(): Promise<void> {
    await super.open()
    // Nothing is kept open in a page that is left: there it could block an upgrade, or drop the page from the back/forward
    // cache. What the page does when it is back opens it again.
    const [leave, back] = [() => this.#storage.leave(), () => this.#storage.back()]
    if (!this.closed.aborted) this.#stopListening ??= onPageLeft(leave, back)
  }

  override async close(): Promise<void> {
    this.#stopListening?.()
    await super.close()
  }

  /** Closes and deletes the database with everything in it. Other tabs' connections close themselves. */
  async destroy(): Promise<void> {
    await this.close()
    await this.#storage.destroy()
    // Hosts of a database that is no more: nobody would ever ask for their marks again.
    this.departures?.forget(this.departures.left())
  }
}
