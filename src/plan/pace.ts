/**
 * How fast a batch goes, smoothed, in three numbers that can be stored: an exponentially decaying count of events. Each
 * event weighs e^(−age/τ), so the last five seconds or so decide.
 */
export interface Pace {
  /** The decayed count at `at`. */
  value: number
  /** Of the last events, ms since the epoch. */
  at: number
  /** When counting began. The events of that moment are not in `value`: nobody knows how long they took. */
  since: number
}

/** Time constant τ in ms. */
const TAU = 5_000

/** The pace after `count` more events at `now`. A clock that went back counts as one that stood still. */
export function paceAdd(pace: Pace | undefined, count: number, now: number): Pace {
  if (!pace) return { value: 0, at: now, since: now }
  const at = Math.max(now, pace.at)
  // Those of the first moment come one by one.
  if (at === pace.since) return pace
  return { value: pace.value * Math.exp((pace.at - at) / TAU) + count, at, since: pace.since }
}

/**
 * Events per second at `now`; 0 while nothing is known. A steady stream of r events/s has brought the count to
 * r·τ·(1 − e^(−t/τ)) after a time t; this solves it for r, so a rate is right from the first second on.
 */
export function paceRate(pace: Pace | undefined, now: number): number {
  if (!pace) return 0
  const at = Math.max(now, pace.at)
  const reach = 1 - Math.exp((pace.since - at) / TAU)
  if (reach <= 0) return 0
  const value = pace.value * Math.exp((pace.at - at) / TAU)
  return value / (TAU / 1_000) / reach
}
