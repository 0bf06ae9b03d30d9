import type { Locks } from '../backend.js'
import type { HostId } from '../task.js'

/** A lock within one process, for the workers of one memory backend; it behaves as Web Locks do. */
export interface MemoryLocks extends Locks {
  /** For tests: the page is left. Hosts that said `leaving` are in `left()` from now on. */
  leave(): void
}

export function memoryLocks(): MemoryLocks {
  /** First come, first served; each takes the lock when called. */
  const waiting: (() => void)[] = []
  const leaving = new Set<HostId>()
  const gone = new Set<HostId>()
  /** Whose signal tells that the lock was stolen. Changes hands at once, never in a later microtask: nobody else fits between. */
  let holder: AbortController | undefined

  /** Resolves to true once the lock is `me`'s, to false if the signal came first. */
  function turn(me: AbortController, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const take = () => {
        signal?.removeEventListener('abort', giveUp)
        holder = me
        resolve(true)
      }
      const giveUp = () => {
        waiting.splice(waiting.indexOf(take), 1)
        resolve(false)
      }
      signal?.addEventListener('abort', giveUp, { once: true })
      waiting.push(take)
    })
  }

  return {
    async hold({ signal, ifAvailable, steal }, held) {
      if (signal?.aborted) return false
      const me = new AbortController()
      if (steal || (!holder && waiting.length === 0)) {
        const victim = holder
        holder = me
        victim?.abort()
      } else if (ifAvailable || !(await turn(me, signal))) return false
      try {
        await held(me.signal)
      } finally {
        // Once stolen, it is the thief's to pass on.
        if (holder === me) {
          holder = undefined
          waiting.shift()?.()
        }
      }
      return true
    },
    leaving(host) {
      leaving.add(host)
      return () => leaving.delete(host)
    },
    retire: (host) => void gone.add(host),
    left: () => [...gone],
    forget(hosts) {
      for (const host of hosts) gone.delete(host)
    },
    leave() {
      for (const host of leaving) gone.add(host)
    },
  }
}
