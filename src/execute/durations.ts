/** Weight of the newest duration in the mean: the last twenty or so count. */
const WEIGHT = 0.1
/** Attempts expected to take longer than this, in ms, are announced before they begin. */
const LONG = 5

/** Longer ones, in ms, are all the same here; and clocks that are set make years, or less than nothing, of a moment. */
const LONGEST = 1_000

/** How long the attempts of each handler take, as measured lately. */
export class Durations {
  readonly #means = new Map<string, { ms: number; samples: number }>()

  /** `count` attempts that took `ms` each on average. */
  add(name: string, taken: number, count = 1): void {
    const ms = Math.min(Math.max(taken, 0), LONGEST)
    const known = this.#means.get(name)
    if (!known) {
      this.#means.set(name, { ms, samples: count })
      return
    }
    known.ms += (ms - known.ms) * (1 - (1 - WEIGHT) ** count)
    known.samples += count
  }

  /** Attempts that ended together. They are averaged first: clocks in Web Workers are coarse. */
  addAll(attempts: readonly { name: string; ms: number }[]): void {
    const sums = new Map<string, { ms: number; count: number }>()
    for (const { name, ms } of attempts) {
      const sum = sums.get(name)
      if (sum) {
        sum.ms += ms
        sum.count++
      } else sums.set(name, { ms, count: 1 })
    }
    for (const [name, { ms, count }] of sums) this.add(name, ms / count, count)
  }

  /** In ms; undefined if none has ended yet. */
  mean(name: string): number | undefined {
    return this.#means.get(name)?.ms
  }

  samples(name: string): number {
    return this.#means.get(name)?.samples ?? 0
  }

  /** True also for handlers that nothing is known of. */
  isLong(name: string): boolean {
    return (this.mean(name) ?? Number.POSITIVE_INFINITY) > LONG
  }
}
