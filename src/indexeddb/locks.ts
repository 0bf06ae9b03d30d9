import type { Locks } from '../backend.js'

/**
 * The lock of one database, over Web Locks. undefined where there are none: outside of browsers, and in pages that are
 * not secure (plain http); then leases alone say who holds what.
 *
 * The browser frees the lock when its page or worker ends in whatever way, but not while the page is frozen.
 */
export function webLocks(name: string): Locks | undefined {
  const manager = managerHere()
  if (!manager) return undefined
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
  }
}

function managerHere(): LockManager | undefined {
  if (typeof navigator === 'undefined' || globalThis.isSecureContext === false) return undefined
  return navigator.locks
}
