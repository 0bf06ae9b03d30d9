/** How long work may go on before the event loop gets its turn, in ms. Leaves room for other things within a 60 Hz frame. */
export const TURN = 10

/**
 * Resolves in a later task of the event loop: messages, timers, rendering come first. A MessageChannel of its own each
 * time (about 20 µs): setTimeout is held back by 4 ms when nested and by up to a minute in hidden pages, and a channel
 * left open keeps a Node process alive.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof MessageChannel === 'undefined') {
      setTimeout(resolve, 0) // Vercel's edge runtime, workerd
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
