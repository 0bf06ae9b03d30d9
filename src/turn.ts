/** Where there is one: no browser has it. */
declare const setImmediate: ((run: () => void) => unknown) | undefined

/** How long work may go on before the event loop gets its turn, in ms. Leaves room for other things within a 60 Hz frame. */
export const TURN = 10

/**
 * Whether a message comes in a later task of the event loop. Vercel's edge runtime has no MessageChannel, and in workerd (2026) a
 * message arrives as a microtask: timers and I/O would wait until nobody sends any more.
 */
export const messagesTakeTurns = (): boolean =>
  typeof MessageChannel !== 'undefined' && globalThis.navigator?.userAgent !== 'Cloudflare-Workers'

/**
 * Resolves in a later task of the event loop: messages, timers, rendering come first. In pages by a MessageChannel of its own
 * each time (about 20 µs): setTimeout is held back by 4 ms when nested and by up to a minute in hidden ones, and a channel
 * left open keeps a Node process alive. Servers have setImmediate, and need it: Bun (1.4) lets some ten messages follow each other
 * before any timer has its turn, and Deno (2.9) fifty, once anything has loaded node:worker_threads, as each CommonJS module does.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve)
      return
    }
    if (!messagesTakeTurns()) {
      setTimeout(resolve, 0)
      return
    }
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
}
