import type { Clock } from '../clock.js'

/**
 * What begins within so long after the network is back, in ms, may fail for want of it all the same: a page hears of it before its
 * Web Workers have it, and before names are resolved again.
 */
const SETTLING = 1_000

/** What a failure is judged by. */
export interface NetworkState {
  online: boolean
  /** For so long, in ms. Without an end: nobody here knows of a time without. */
  since: number
}

/** Remembers when there was no network: what runs then proves nothing, also where it ends after that. */
export class Network {
  readonly #online: () => boolean
  readonly #clock: Pick<Clock, 'monotonic'>
  #wasOnline = true
  #backAt = Number.NEGATIVE_INFINITY

  constructor(online: () => boolean, clock: Pick<Clock, 'monotonic'>) {
    this.#online = online
    this.#clock = clock
  }

  /** To be asked when the page tells, and whenever it may have changed unheard. */
  look(): NetworkState {
    const online = this.#online()
    const now = this.#clock.monotonic()
    if (online && !this.#wasOnline) this.#backAt = now
    this.#wasOnline = online
    return { online, since: now - this.#backAt }
  }
}

/**
 * Whether an attempt that began `ago` ms ago and failed since had a network. `'none'`: it goes on when there is one, or at once. A number:
 * it had one that was just back, and goes on in so many ms.
 */
export function hadNetwork({ online, since }: NetworkState, ago: number): 'none' | 'settled' | number {
  if (!online || ago > since) return 'none'
  return since - ago < SETTLING ? Math.max(0, SETTLING - since) : 'settled'
}
