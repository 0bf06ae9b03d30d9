import type { Locks } from '../backend.js'
import { attempt, marksHere } from './marks.js'

/**
 * The lock of one database, over Web Locks. undefined where there are none: outside of browsers, and in pages that are
 * not secure (plain http); then leases alone say who holds what.
 *
 * The browser frees the lock when its page or worker ends in whatever way, but not while the page is frozen.
 */
export function webLocks(name: string): Locks | undefined {
  const manager = managerHere()
  if (!manager) return undefined
  const prefix = `sitq:${name}:left:`

  return {
    async hold({ signal, ifAvailable, steal }, held) {
      if (signal?.aborted) return false
      const lost = new AbortController()
      const work: { done?: Promise<void>; ended?: boolean } = {}
      // A signal cannot be combined with the others (NotSupportedError), nor is it needed: they do not wait.
      const options: LockOptions = steal ? { steal } : ifAvailable ? { ifAvailable } : signal ? { signal } : {}
      try {
        await manager.request(`sitq:${name}`, options, (lock) => {
          if (!lock) return
          work.done = held(lost.signal).finally(() => {
            work.ended = true
          })
          return work.done
        })
      } catch (error) {
        if (!work.done) {
          if (signal?.aborted) return false
          throw error
        }
        // Stolen: the request is rejected at once (AbortError) while the holder's code goes on.
        if (!work.ended) lost.abort()
      }
      await work.done
      return work.done !== undefined
    },

    leaving(host) {
      const marks = marksHere()
      // In a Web Worker nothing tells of the end of the page.
      if (!marks || typeof window === 'undefined') return () => {}
      // Synchronous, unlike all of IndexedDB: what a page begins to store while it is left may never be stored.
      const leave = () => attempt(() => marks.setItem(prefix + host, ''))
      // It comes back from the back/forward cache, its tasks with it.
      const back = () => attempt(() => marks.removeItem(prefix + host))
      window.addEventListener('pagehide', leave)
      window.addEventListener('pageshow', back)
      return () => {
        window.removeEventListener('pagehide', leave)
        window.removeEventListener('pageshow', back)
      }
    },

    retire(host) {
      attempt(() => marksHere()?.setItem(prefix + host, ''))
    },

    left() {
      const marks = marksHere()
      const keys: string[] = []
      for (let i = 0; marks && i < marks.length; i++) keys.push(marks.key(i) ?? '')
      return keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
    },

    forget(hosts) {
      const marks = marksHere()
      for (const host of hosts) attempt(() => marks?.removeItem(prefix + host))
    },
  }
}

function managerHere(): LockManager | undefined {
  if (typeof navigator === 'undefined' || globalThis.isSecureContext === false) return undefined
  return navigator.locks
}
