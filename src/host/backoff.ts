/** Growing pauses between tries. */
export class Backoff {
  readonly #first: number
  readonly #longest: number
  readonly #random: () => number
  #failures = 0

  /** From `first` ms, doubled each time, to `longest`; jitter takes off up to half. */
  constructor(first: number, longest: number, random: () => number) {
    this.#first = first
    this.#longest = longest
    this.#random = random
  }

  get failures(): number {
    return this.#failures
  }

  /** One more failure; how long to wait now, in ms. */
  next(): number {
    const delay = Math.min(this.#longest, this.#first * 2 ** this.#failures++)
    return delay * (1 - this.#random() / 2)
  }

  reset(): void {
    this.#failures = 0
  }
}
