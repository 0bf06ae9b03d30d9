/** Chance that can be repeated: the same seed gives the same draws, in the same order. */
export class Seeded {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** In [0, 1). mulberry32, by Tommy Ettinger; public domain. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  /** True so often, of 1. */
  chance(of: number): boolean {
    return this.next() < of
  }

  pick<T>(from: readonly T[]): T {
    const one = from[Math.floor(this.next() * from.length)]
    if (one === undefined) throw new Error('There is nothing to pick from.')
    return one
  }

  /** In another order. */
  shuffled<T>(list: readonly T[]): T[] {
    const left = [...list]
    return list.map(() => {
      const [one] = left.splice(Math.floor(this.next() * left.length), 1)
      if (one === undefined) throw new Error('There is nothing left to pick from.')
      return one
    })
  }
}
