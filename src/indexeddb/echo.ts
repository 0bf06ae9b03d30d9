import { systemClock } from '../clock.js'
import { randomText } from '../random.js'

/** A message comes back within a millisecond or two; where it does not, nobody waits longer than this, in ms. */
const PATIENCE = 1_000

/**
 * Resolves once every message that another page had posted on a BroadcastChannel, before something that is seen here by now, has been
 * heard here: messages take one way, and keep their order on it. Something else, such as a lock that was released after them, may be
 * faster (seen in Chromium 147). So one is sent on that way, and comes back behind them.
 */
export function messagesHeard(): Promise<void> {
  return new Promise((resolve) => {
    const open: BroadcastChannel[] = []
    const end = () => {
      stop()
      for (const channel of open) channel.close()
      resolve()
    }
    const stop = systemClock.timer(PATIENCE, end)
    try {
      // A name of its own: no other page is disturbed, nor dropped from the back/forward cache.
      const name = `sitq-echo:${randomText(16)}`
      const [to, from] = [new BroadcastChannel(name), new BroadcastChannel(name)]
      open.push(to, from)
      to.onmessage = end
      from.postMessage(0)
    } catch {
      end() // there is no BroadcastChannel, or none may be used
    }
  })
}
