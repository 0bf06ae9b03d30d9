/** Where lanes were last seen to end: there the next blocks are added without reading, while that can be trusted. */
import type { Clock } from '../clock.js'
import { block, type Stretch } from '../plan/layout.js'
import type { Block } from '../plan/records.js'
import type { Lane, Position } from '../task.js'

/** How long a tail that was seen is trusted, in ms, by the wall clock and by the one that never goes back. */
const TRUSTED = 10_000

interface Seen {
  lane: Lane
  tail: Position
  wall: number
  monotonic: number
}

export class Tails {
  readonly #clock: Clock
  /** By queue and priority, of one generation. */
  readonly #seen = new Map<string, Seen>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What was seen is void. */
  clear(): void {
    this.#seen.clear()
  }

  saw({ queue, priority, lane, tail }: { queue: string; priority: number; lane: Lane; tail: Position }): void {
    this.#saw(laneKey(queue, priority), lane, tail)
  }

  #saw(key: string, lane: Lane, tail: Position): void {
    this.#seen.set(key, { lane, tail, wall: this.#clock.now(), monotonic: this.#clock.monotonic() })
  }

  /** Blocks at the tails last seen, which move on. undefined if one is not known well enough. */
  blocks(stretches: readonly Stretch[], at: { now: number; nonce: string }): Block[] | undefined {
    const tails = new Map<string, Seen>()
    const blocks: Block[] = []
    for (const stretch of stretches) {
      const key = laneKey(stretch.queue, stretch.priority)
      const seen = tails.get(key) ?? this.#seen.get(key)
      if (!seen || !this.#trusts(seen)) return undefined
      const made = block(stretch, { lane: seen.lane, from: seen.tail, ...at })
      blocks.push(made)
      tails.set(key, { ...seen, tail: made.to })
    }
    for (const [key, { lane, tail }] of tails) this.#saw(key, lane, tail)
    return blocks
  }

  /** Both clocks: the one that never goes back may stop while the machine sleeps. */
  #trusts({ wall, monotonic }: Seen): boolean {
    const passed = this.#clock.now() - wall
    return passed >= 0 && passed < TRUSTED && this.#clock.monotonic() - monotonic < TRUSTED
  }
}

const laneKey = (queue: string, priority: number) => JSON.stringify([queue, priority])
