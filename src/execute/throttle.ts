import type { Clock } from '../clock.js'

/** Calls `act` at most once in `ms`, and always once more after the last `request`. */
export class Throttle {
  readonly #clock: Clock
  readonly #ms: number
  readonly #act: () => void
  #cancel: (() => void) | undefined
  #last = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, ms: number, act: () => void) {
    this.#clock = clock
    this.#ms = ms
    this.#act = act
  }

  request(): void {
    if (this.#cancel) return
    const wait = this.#last + this.#ms - this.#clock.monotonic()
    this.#cancel = this.#clock.timer(Math.max(0, wait), () => {
      this.#cancel = undefined
      this.#last = this.#clock.monotonic()
      this.#act()
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
