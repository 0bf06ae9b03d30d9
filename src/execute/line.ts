import type { Run } from '../executor.js'

type Judge = (run: Run) => 'take' | 'aside' | 'stop'

/**
 * Runs that wait for their turn, first in, first out. Runs of a handler that is at its limit step aside, so that they
 * block nobody behind them, and come first once there is room. No operation's cost grows with the number that waits.
 */
export class Line {
  #returned = new Map<number, Run>()
  readonly #waiting = new Map<number, Run>()
  /** By handler name. While there are any, later ones of that name step aside too, which keeps their order. */
  readonly #aside = new Map<string, Map<number, Run>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  push(run: Run): void {
    this.#waiting.set(run.key, run)
    this.#size++
  }

  /** Puts runs that were taken back to the front, in their order. */
  putBack(runs: readonly Run[]): void {
    if (runs.length === 0) return
    this.#returned = new Map([...runs.map((run) => [run.key, run] as const), ...this.#returned])
    this.#size += runs.length
  }

  /**
   * The next run, of those that `judge` lets go: `'stop'` ends the search, `'aside'` says that the run's handler is at its
   * limit, which holds for all of that name.
   */
  take(judge: Judge): Run | undefined {
    const found = this.#find(judge)
    return found && this.#leave(found.runs, found.run)
  }

  /** True if `take` would find one. */
  has(judge: Judge): boolean {
    return this.#find(judge) !== undefined
  }

  /** Undefined if it is not in line. */
  remove(key: number): Run | undefined {
    for (const runs of [this.#returned, this.#waiting, ...this.#aside.values()]) {
      const run = runs.get(key)
      if (run) return this.#leave(runs, run)
    }
    return undefined
  }

  /** Empties the line. */
  clear(): Run[] {
    const all = [this.#returned, ...this.#aside.values(), this.#waiting].flatMap((runs) => [...runs.values()])
    this.#returned.clear()
    this.#waiting.clear()
    this.#aside.clear()
    this.#size = 0
    return all
  }

  #find(judge: Judge): { runs: Map<number, Run>; run: Run } | undefined {
    for (const runs of this.#aside.values()) {
      const [run] = runs.values()
      const verdict = run && judge(run)
      if (verdict === 'stop') return undefined
      if (run && verdict === 'take') return { runs, run }
    }
    for (const runs of [this.#returned, this.#waiting]) {
      for (const run of runs.values()) {
        const verdict = this.#aside.has(run.name) ? 'aside' : judge(run)
        if (verdict === 'stop') return undefined
        if (verdict === 'take') return { runs, run }
        runs.delete(run.key)
        const others = this.#aside.get(run.name)
        if (others) others.set(run.key, run)
        else this.#aside.set(run.name, new Map([[run.key, run]]))
      }
    }
    return undefined
  }

  #leave(from: Map<number, Run>, run: Run): Run {
    from.delete(run.key)
    if (from.size === 0 && this.#aside.get(run.name) === from) this.#aside.delete(run.name)
    this.#size--
    return run
  }
}
