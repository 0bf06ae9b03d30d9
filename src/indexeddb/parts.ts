import type { StorageNotice } from '../channel.js'
import type { LocalOptions } from '../local.js'
import { onPageLeft } from '../page.js'
import { currentLayout, type Layout } from '../plan/migrations.js'
import type { Storage } from '../storage.js'
import { broadcastChannel } from './channel.js'
import { pageDepartures } from './departures.js'
import { departuresUntil, FallbackStorage, locksUntil } from './fallback.js'
import type { DatabaseEvent } from './link.js'
import { webLocks } from './locks.js'
import { OriginMark } from './marks.js'
import { provide } from './provision.js'
import { IndexedDBStorage } from './storage.js'

export interface PartsOptions {
  name: string
  durability?: 'relaxed' | 'strict'
  fallback?: 'memory'
  /** Default: this version's. */
  layout?: Layout
}

/** What a backend over IndexedDB is made of. Nothing is opened or touched yet. */
export interface Parts {
  local: Omit<LocalOptions, 'clock'>
  /** The backend is closed: nothing listens to the page any more. */
  close(): void
  /** Deletes the database and what is marked of it outside. The backend is closed. */
  destroy(): Promise<void>
}

export function partsOf({ name, durability, fallback, layout = currentLayout }: PartsOptions): Parts {
  const channel = broadcastChannel(name)
  const mark = new OriginMark(name)
  const notices: StorageNotice[] = []
  const locks = webLocks(name)
  const departures = pageDepartures(name)

  const notice = (event: StorageNotice['event'], message: string): StorageNotice => ({
    type: 'storage',
    event,
    message,
  })
  const onEvent = ({ event, message }: DatabaseEvent) => {
    if (event === 'quota') return channel.post(notice(event, message))
    channel.postHere(notice(event, message))
    if (event === 'blocked')
      channel.postThere(notice('upgrade-blocked', 'Another tab waits for this one: close or reload it.'))
  }
  const database = new IndexedDBStorage({
    name,
    layout,
    onEvent,
    onDelete: () => mark.forget(),
    ...(durability ? { durability } : {}),
  })
  const falling = fallback && new FallbackStorage(database)
  const storage: Storage = falling ?? database

  // Nothing is kept open in a page that is left: there it could block an upgrade, or drop the page from the back/forward
  // cache. What the page does when it is back opens it again.
  let closed = false
  let stopListening: (() => void) | undefined
  let stopProviding: (() => void) | undefined
  const begin = () => {
    if (closed) return
    stopListening ??= onPageLeft(
      () => database.leave(),
      () => database.back(),
    )
    stopProviding ??= provide()
  }

  const opened = (origin: string) => {
    begin()
    if (falling?.fallen.aborted) return
    const before = mark.origin
    if (before === origin) return
    mark.set(origin)
    if (before === undefined) return
    const message = `The browser has deleted the database "${name}" with all tasks in it. A new one is open.`
    const deleted = notice('deleted', message)
    notices.push(deleted)
    channel.post(deleted)
  }
  falling?.fallen.addEventListener('abort', () => {
    const why = falling.fallen.reason instanceof Error ? falling.fallen.reason.message : ''
    const memory = notice('memory', `Tasks are in memory now, and end with this page. ${why}`)
    notices.push(memory)
    channel.isolate()
    channel.postHere(memory)
  })
  const held = locks && falling ? locksUntil(falling.fallen, locks) : locks
  const left = falling ? departuresUntil(falling.fallen, departures) : departures
  const local = { storage, channel, departures: left, notices, opened, layout: layout.version }

  return {
    local: { ...local, ...(held ? { locks: held } : {}) },
    close() {
      closed = true
      stopListening?.()
      stopProviding?.()
    },
    async destroy() {
      const { origin } = mark
      // First: no tab that opens a new one meanwhile must take the old one for lost.
      mark.forget()
      try {
        await database.destroy()
      } catch (error) {
        if (origin !== undefined) mark.set(origin)
        throw error
      }
      // Hosts of a database that is no more: nobody would ever ask for their marks again.
      departures.forget(departures.left())
    },
  }
}
