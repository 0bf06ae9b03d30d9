/** What the host side knows of the page it lives in, where there is one. Nothing is touched before it is asked. */

/** A page without a document (a worker, a server) is never hidden. */
export const pageVisible = (): boolean => typeof document === 'undefined' || document.visibilityState === 'visible'

/** False only where the platform says so: a hint. */
export const pageOnline = (): boolean => typeof navigator === 'undefined' || navigator.onLine !== false

/** Calls `look` when timers may have stood still or work may have become possible. Returns the way to stop. */
export function onPageEvents(look: () => void): () => void {
  const ways: [EventTarget, string][] = []
  if (typeof document !== 'undefined') ways.push([document, 'visibilitychange'], [document, 'resume'])
  if (typeof addEventListener === 'function') ways.push([globalThis, 'pageshow'], [globalThis, 'online'])
  for (const [target, type] of ways) target.addEventListener(type, look)
  return () => {
    for (const [target, type] of ways) target.removeEventListener(type, look)
  }
}
