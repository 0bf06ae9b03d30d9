/**
 * Calls `fire` with the reason of whichever signal aborts first, at once if one has. Returns the way to call it off.
 * (`AbortSignal.any` does the same where it exists; edge runtimes lack it.)
 */
export function onAbort(signals: readonly (AbortSignal | undefined)[], fire: (reason: unknown) => void): () => void {
  const stops: (() => void)[] = []
  const stop = () => {
    for (const undo of stops) undo()
  }
  for (const signal of signals) {
    if (!signal) continue
    if (signal.aborted) {
      stop()
      fire(signal.reason)
      return () => {}
    }
    const heard = () => {
      stop()
      fire(signal.reason)
    }
    signal.addEventListener('abort', heard)
    stops.push(() => signal.removeEventListener('abort', heard))
  }
  return stop
}
