/** What is known of the page around, where there is one. Nothing is touched before it is asked. */

/** A page without a document (a worker, a server) is never hidden. */
export const pageVisible = (): boolean => typeof document === 'undefined' || document.visibilityState === 'visible'

/** False only where the platform says so: a hint. */
export const pageOnline = (): boolean => typeof navigator === 'undefined' || navigator.onLine !== false

/**
 * Whether the page stays as it is, as far as anyone knows: it is shown, and not just being left. What is begun in one that does not
 * should be handed over at once. Others may hear of `pagehide` before any listener of ours; the event that is being dispatched tells.
 */
export function pageStays(): boolean {
  const event: unknown = Reflect.get(globalThis, 'event')
  return pageVisible() && !(typeof Event !== 'undefined' && event instanceof Event && event.type === 'pagehide')
}

type Way = [target: EventTarget, type: string, hear: () => void]

/** Calls `look` when timers may have stood still, work may have become possible, or the network is gone. Returns the way to stop. */
export function onPageEvents(look: () => void): () => void {
  const ways: Way[] = []
  if (typeof document !== 'undefined') ways.push([document, 'visibilitychange', look], [document, 'resume', look])
  if (typeof addEventListener === 'function')
    for (const type of ['pageshow', 'online', 'offline']) ways.push([globalThis, type, look])
  return listen(ways)
}

/**
 * Calls `leave` when the page is left. It is closed or reloaded, or the back/forward cache keeps it, and drops it as soon as
 * somebody waits for what it holds: so it must hold nothing when `leave` returns, and its microtasks. Calls `back` when it is
 * shown again, and when it is shown for the first time. Returns the way to stop. Web Workers are told nothing.
 */
export function onPageLeft(leave: () => void, back: () => void = () => {}): () => void {
  if (typeof document === 'undefined') return () => {}
  return listen([
    [globalThis, 'pagehide', leave],
    [globalThis, 'pageshow', back],
  ])
}

function listen(ways: readonly Way[]): () => void {
  for (const [target, type, hear] of ways) target.addEventListener(type, hear)
  return () => {
    for (const [target, type, hear] of ways) target.removeEventListener(type, hear)
  }
}
