import type { Departures } from '../backend.js'
import { messagesHeard } from './echo.js'
import { attempt, marksHere } from './marks.js'

/**
 * Departures from the pages that use the database of this name, noted in localStorage: it is synchronous, unlike all of
 * IndexedDB, and is there without a secure context too.
 */
export function pageDepartures(name: string): Departures {
  // In quotes, and apart from the other marks: no name begins like another one's.
  const prefix = `sitq-left:${JSON.stringify(name)}:`
  return {
    // Should it fail, the tasks will count a crash, no more.
    leave: (host) => attempt(() => marksHere()?.setItem(prefix + host, '')),

    // They say it on the channel too, and whoever hears it there notes it. What they note themselves comes its own way, and may be late.
    heard: messagesHeard,

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
