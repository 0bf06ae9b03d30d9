/** Time as the library sees it. Injected, so that tests never sleep. All times are milliseconds. */
export interface Clock {
  /** Wall-clock time since the epoch: what is stored. */
  now(): number
  /** A clock that never goes back: what durations are measured with. */
  monotonic(): number
  /** Calls `fire` once after `ms`. Returns the way to call it off. */
  timer(ms: number, fire: () => void): () => void
}

/** Longest delay a platform timer can hold: 2^31 − 1 ms, about 24.8 days. Longer ones would fire at once. */
const LONGEST_TIMER = 2_147_483_647

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(ms, fire) {
    const handle = setTimeout(fire, Math.min(Math.max(ms, 0), LONGEST_TIMER))
    return () => clearTimeout(handle)
  },
}

/** Resolves after `ms`, or as soon as the signal aborts; it never rejects: the caller looks at the signal. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const end = () => {
      stop()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const stop = clock.timer(ms, end)
    signal?.addEventListener('abort', end)
  })
}
