import type { HostSettings } from './settings.js'

/** Timers of hidden pages fire once a minute, and late: theirs last longer, in ms. */
const HIDDEN = 150_000
/** No lease is longer than this many of one's own. Workers of one database are expected to be set alike. */
const LONGEST = 10

/** When a lease that is extended now ends, ms since the epoch. */
export function leaseEnd({ lease, visible }: Pick<HostSettings, 'lease' | 'visible'>, now: number): number {
  return now + (visible() ? lease : Math.max(lease, HIDDEN))
}

/** A lease that ends later than this was written before the clock was put back. */
export function latestLease({ lease }: Pick<HostSettings, 'lease'>, now: number): number {
  return now + Math.max(LONGEST * lease, 2 * HIDDEN)
}
