import { loadRepair } from '../local/mending.js'
import { pageOnline } from '../page.js'

/** The page has shown what it has to show by then, in ms. */
const SOON = 5_000

/**
 * Loads the repair of damaged databases while there is a network, or once there is one: later there may be none, or another version of
 * the app where this one came from. Returns the way to call it off.
 */
export function provide(): () => void {
  // Who is not a page has its code at hand, and a timer would keep a process from ending.
  if (typeof document === 'undefined') return () => {}
  const look = () => {
    if (!pageOnline()) return
    stop()
    // Whoever needs it says that it is not there.
    loadRepair().catch(() => {})
  }
  const timer = setTimeout(look, SOON)
  addEventListener('online', look)
  const stop = () => {
    clearTimeout(timer)
    removeEventListener('online', look)
  }
  return stop
}
