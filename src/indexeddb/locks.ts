import type { Locks } from '../backend.js'

/** Nobody steals from a page that was heard within this time, in ms: what was asked for later than that is not stolen yet. */
const LONG = 5_000

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
      let [granted, stolen] = [false, false]
      const asked = performance.now()
      // A signal cannot be combined with the others (NotSupportedError), nor is it needed: they do not wait.
      const options: LockOptions = steal ? { steal } : ifAvailable ? { ifAvailable } : signal ? { signal } : {}
      try {
        await manager.request(`sitq:${name}`, options, async (lock) => {
          if (!lock) return
          granted = true
          if (performance.now() - asked > LONG) await heard(manager)
          if (stolen) return
          work.done = held(lost.signal).finally(() => {
            work.ended = true
          })
          await work.done
        })
      } catch (error) {
        stolen = granted
        if (!work.done) {
          if (granted || signal?.aborted) return false
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

/**
 * A page that stands still may be granted the lock in its sleep, and robbed of it: when it wakes it is told of both, one after
 * the other, and must not take the new holder for dead in between. What the browser knew is heard before its answer.
 * An answer that comes after the page was left would drop it from the back/forward cache: only who waited for long asks.
 */
async function heard(manager: LockManager): Promise<void> {
  await manager.query().catch(() => {})
}

function managerHere(): LockManager | undefined {
  if (typeof navigator === 'undefined' || globalThis.isSecureContext === false) return undefined
  return navigator.locks
}
