/**
 * Calls `fire` with the reason of whichever signal aborts first, once, and at once if one has. Returns the way to call it
 * off. (`AbortSignal.any` does the same; edge runtimes lack it.)
 */
export function onAbort(signals: readonly (AbortSignal | undefined)[], fire: (reason: unknown) => void): () => void {
  const stops: (() => void)[] = []
  const stop = () => {
    for (const undo of stops.splice(0)) undo()
  }
  for (const signal of signals) {
    if (!signal) continue
    const heard = () => {
      stop()
      fire(signal.reason)
    }
    if (signal.aborted) {
      heard()
      break
    }
    signal.addEventListener('abort', heard)
    stops.push(() => signal.removeEventListener('abort', heard))
  }
  return stop
}
