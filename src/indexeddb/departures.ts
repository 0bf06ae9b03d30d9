import type { Departures } from '../backend.js'

/**
 * Departures from the pages that use the database of this name, noted in localStorage: it is synchronous, unlike all of
 * IndexedDB, and is there without a secure context too.
 */
export function pageDepartures(name: string): Departures {
  const prefix = `sitq:${name}:left:`
  return {
    leave(host) {
      try {
        marksHere()?.setItem(prefix + host, '')
      } catch {
        // It is full, or was taken away: the tasks will count a crash, no more.
      }
    },

    left() {
      const marks = marksHere()
      const keys: string[] = []
      for (let i = 0; marks && i < marks.length; i++) keys.push(marks.key(i) ?? '')
      return keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
    },

    forget(hosts) {
      const marks = marksHere()
      for (const host of hosts) marks?.removeItem(prefix + host)
    },
  }
}

/** undefined in Web Workers, and where site data is blocked: there the getter throws. */
function marksHere(): globalThis.Storage | undefined {
  try {
    return typeof window === 'undefined' ? undefined : window.localStorage
  } catch {
    return undefined
  }
}
