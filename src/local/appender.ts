/** Appending: without reading, at the tails that were seen last, while they can be trusted. */
import type { AddOptions, NewTask } from '../backend.js'
import type { Clock } from '../clock.js'
import { type AppendValue, append, appendBlind, isPlain, type Tried } from '../plan/append.js'
import { block, group } from '../plan/layout.js'
import { type Block, stores } from '../plan/records.js'
import { randomText } from '../random.js'
import { KeyTakenError, metBy, type Plan } from '../storage.js'
import { formatId, type Lane, type Position, type TaskId } from '../task.js'
import { isDamage, type Runner } from './runner.js'

/** How long a tail that was seen is trusted, in ms, by the wall clock and by the one that never goes back. */
const TRUSTED = 10_000

/** Tells one call's blocks from another's. */
export const newNonce = (): string => randomText(8)

interface Seen {
  lane: Lane
  tail: Position
  wall: number
  monotonic: number
}

export class Appender {
  readonly #runner: Runner
  readonly #clock: Clock
  readonly #begun: () => void
  /** Lanes and tails by queue and priority, of one generation. */
  readonly #seen = new Map<string, Seen>()
  /** Appends of one page follow each other: two at once would guess the same tail. */
  #appending: Promise<unknown> = Promise.resolve()

  /** `begun` is called whenever a transaction that appends has begun. */
  constructor(runner: Runner, clock: Clock, begun: () => void) {
    this.#runner = runner
    this.#clock = clock
    this.#begun = begun
  }

  /** What was seen is void. */
  forget(): void {
    this.#seen.clear()
  }

  add(tasks: readonly NewTask[], options: AddOptions): Promise<(TaskId | undefined)[]> {
    const added = this.#appending.then(
      () => this.#add(tasks, options),
      () => this.#add(tasks, options),
    )
    this.#appending = added.catch(() => undefined)
    return added
  }

  async #add(tasks: readonly NewTask[], options: AddOptions): Promise<(TaskId | undefined)[]> {
    const runner = this.#runner
    await runner.open()
    const nonce = options.nonce ?? newNonce()
    const durability = options.durability ? { durability: options.durability } : {}
    let tried: Tried | undefined
    let repeats = false
    const plain = !options.again && isPlain(tasks, options.now, options.batch)
    const blind = plain ? this.#guess(tasks, options.now, nonce) : undefined
    if (blind) {
      try {
        await runner.try(() => this.#blindly(blind), { stores: ['blocks'], write: true, ...durability })
        for (const last of blind.blocks) this.#saw(blind.keys.get(last.lane) ?? '', last.lane, last.to)
        return blind.places.map(({ lane, position }) => formatId(runner.origin, lane, position))
      } catch (error) {
        // Another tab appended since, or this is a repeat of ours that was committed: reading tells.
        const met = metBy(error)
        if (!isDamage(met)) throw error
        repeats = met !== error
        this.forget()
        const [first] = blind.blocks
        if (first) tried = { lane: first.lane, from: first.from, places: blind.places }
      }
    }
    // Should the storage run the plan again, not knowing whether it was committed, the plan looks where it was before.
    const plan = () => remember(append(tasks, { ...options, nonce, ...(tried ? { tried } : {}) }), (at) => (tried = at))
    const { places, lanes } = await runner.run(() => this.#begin(plan()), {
      stores,
      write: true,
      repeats,
      ...durability,
    })
    for (const { queue, priority, lane, tail } of lanes) this.#saw(laneKey(queue, priority), lane, tail)
    return places.map((place) => place && formatId(runner.origin, place.lane, place.position))
  }

  #blindly({ blocks, generation }: { blocks: readonly Block[]; generation: number }): Plan<void> {
    if (generation !== this.#runner.generation) throw new KeyTakenError('the tails seen are void')
    return this.#begin(appendBlind(blocks))
  }

  #begin<T>(plan: Plan<T>): Plan<T> {
    this.#begun()
    return plan
  }

  #saw(key: string, lane: Lane, tail: Position): void {
    this.#seen.set(key, { lane, tail, wall: this.#clock.now(), monotonic: this.#clock.monotonic() })
  }

  /** The blocks at the tails last seen, or undefined if a lane or tail is not known well enough. */
  #guess(tasks: readonly NewTask[], now: number, nonce: string) {
    const blocks: Block[] = []
    const places: { lane: Lane; position: Position }[] = []
    const tails = new Map<Lane, Position>()
    const keys = new Map<Lane, string>()
    for (const of of group(tasks, now)) {
      const key = laneKey(of.queue, of.priority)
      const seen = this.#seen.get(key)
      if (!seen || !this.#trusts(seen)) return undefined
      const from = tails.get(seen.lane) ?? seen.tail
      const made = block(tasks, of, { lane: seen.lane, from, now, nonce })
      tails.set(seen.lane, made.to)
      keys.set(seen.lane, key)
      blocks.push(made)
      of.members.forEach((member, i) => {
        places[member] = { lane: seen.lane, position: from + i }
      })
    }
    return { blocks, places, keys, generation: this.#runner.generation }
  }

  /** Both clocks: the one that never goes back may stop while the machine sleeps. */
  #trusts({ wall, monotonic }: Seen): boolean {
    const passed = this.#clock.now() - wall
    return passed >= 0 && passed < TRUSTED && this.#clock.monotonic() - monotonic < TRUSTED
  }
}

function* remember(plan: Plan<AppendValue>, tell: (tried: Tried) => void): Plan<AppendValue> {
  const end = yield* plan
  const { places } = end.value
  const first = places.find((place) => place !== undefined)
  if (first) tell({ lane: first.lane, from: first.position, places })
  return end
}

const laneKey = (queue: string, priority: number) => JSON.stringify([queue, priority])
