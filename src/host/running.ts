import type { Claimed, Settlement } from '../backend.js'
import { limitOf } from '../execute/handler-table.js'
import type { HandlerTable, Run } from '../executor.js'
import { decodeParts, heldCount } from '../plan/ledger.js'
import { covers } from '../plan/stretches.js'

/** Runs over their handler's limit that may wait in hand beside the others, so that they do not block those. */
const OVERHANG = 64

/** What a host has in hand: the attempts at its executor, and the settlements that wait for the next exchange. */
export class Hand {
  readonly #table: HandlerTable
  readonly #running = new Map<number, Claimed>()
  /** Aborted because they are not this host's any more; their slot is taken until they are reported. */
  readonly #lost = new Set<number>()
  readonly #perName = new Map<string, number>()
  #done: Settlement[] = []
  #doneSince = 0
  #key = 0

  constructor(table: HandlerTable) {
    this.#table = table
  }

  /** Attempts whose outcome counts. */
  get running(): number {
    return this.#running.size
  }

  /** Settlements that wait. */
  get done(): number {
    return this.#done.length
  }

  /** When the first of them came, by the monotonic clock. */
  get doneSince(): number {
    return this.#doneSince
  }

  /** Attempts at the executor, lost ones included, but not the overhang. */
  get load(): number {
    return this.#running.size + this.#lost.size - this.overhang
  }

  /** Attempts that can't run because of their handler's own limit. Up to a number, they must not keep others waiting. */
  get overhang(): number {
    let over = 0
    for (const [name, count] of this.#perName) {
      over += Math.max(0, count - limitOf(name, this.#table))
    }
    return Math.min(over, OVERHANG)
  }

  /** Takes claimed tasks in hand, as runs for the executor. */
  take(claimed: readonly Claimed[]): Run[] {
    return claimed.map((task) => {
      const key = ++this.#key
      this.#running.set(key, task)
      this.#perName.set(task.name, (this.#perName.get(task.name) ?? 0) + 1)
      const { id, name, input, attempt, settings } = task
      const run: Run = { key, id, name, input, attempt, meta: settings.meta }
      if (settings.timeout !== undefined) run.timeout = settings.timeout
      return run
    })
  }

  /** An attempt is over. Undefined if its outcome counts for nothing. */
  finish(key: number): Claimed | undefined {
    this.#lost.delete(key)
    const task = this.#running.get(key)
    if (task) {
      this.#running.delete(key)
      this.#uncount(task)
    }
    return task
  }

  settle(settlement: Settlement, now: number): void {
    if (this.#done.length === 0) this.#doneSince = now
    this.#done.push(settlement)
  }

  /** The settlements for an exchange. */
  takeDone(): Settlement[] {
    const done = this.#done
    this.#done = []
    return done
  }

  /** Gives up everything that runs; returns the keys to abort. */
  loseAll(): number[] {
    return [...this.#running.keys()].map((key) => this.#lose(key))
  }

  /**
   * Gives up what the storage says this host does not hold any more (cancelled, taken) and returns the keys to abort. Mostly
   * nothing was lost, which one comparison of numbers tells: a host holds nothing that it does not know of.
   */
  loseBeyond(held: Float64Array): number[] {
    if (heldCount(held) === this.#running.size + this.#done.length) return []
    const parts = decodeParts(held)
    const holds = (one: Claimed | Settlement) => parts.some((part) => part.seq === one.seq && covers(part, one))
    this.#done = this.#done.filter(holds)
    return [...this.#running].filter(([, task]) => !holds(task)).map(([key]) => this.#lose(key))
  }

  #lose(key: number): number {
    const task = this.#running.get(key)
    if (task) this.#uncount(task)
    this.#running.delete(key)
    this.#lost.add(key)
    return key
  }

  #uncount({ name }: Claimed): void {
    const left = (this.#perName.get(name) ?? 1) - 1
    if (left > 0) this.#perName.set(name, left)
    else this.#perName.delete(name)
  }
}
