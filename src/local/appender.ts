/** Appending: without reading, at the tails that were seen last, while they can be trusted. */
import type { AddOptions, AlikeTasks, BatchChunk, NewTask } from '../backend.js'
import type { Clock } from '../clock.js'
import { type AppendValue, append, appendBlind, isPlain, type Start } from '../plan/append.js'
import { block, layOut, type NewTasks, type Stretch } from '../plan/layout.js'
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

  /** Resolves with the tasks' ids, in order; undefined for those that their batch had. */
  async add(tasks: readonly NewTask[], options: AddOptions): Promise<(TaskId | undefined)[]> {
    const { ignored, stretches, starts } = await this.#inTurn(() => this.#add(tasks, options))
    const ids = Array<TaskId | undefined>(tasks.length).fill(undefined)
    for (const [k, { lane, from }] of starts.entries()) {
      for (const [i, member] of (stretches[k]?.members ?? []).entries()) {
        ids[ignored + member] = formatId(this.#runner.origin, lane, from + i)
      }
    }
    return ids
  }

  /** Resolves with how many of them their batch had. */
  async addAlike(tasks: AlikeTasks, options: AddOptions & { batch: BatchChunk }): Promise<number> {
    return (await this.#inTurn(() => this.#add(tasks, options))).ignored
  }

  #inTurn<T>(add: () => Promise<T>): Promise<T> {
    const added = this.#appending.then(add, add)
    this.#appending = added.catch(() => undefined)
    return added
  }

  async #add(tasks: NewTasks, options: AddOptions): Promise<AppendValue> {
    const runner = this.#runner
    await runner.open()
    const nonce = options.nonce ?? newNonce()
    const durability = options.durability ? { durability: options.durability } : {}
    let tried: AppendValue | undefined
    let repeats = false
    const plain = !options.batch && !options.again
    const blind = plain ? this.#guess(layOut(tasks, options.now), options.now, nonce) : undefined
    if (blind) {
      try {
        await runner.try(() => this.#blindly(blind), { stores: ['blocks'], write: true, ...durability })
        for (const last of blind.blocks) this.#saw(blind.keys.get(last.lane) ?? '', last.lane, last.to)
        return blind.value
      } catch (error) {
        // Another tab appended since, or this is a repeat of ours that was committed: reading tells.
        const met = metBy(error)
        if (!isDamage(met)) throw error
        repeats = met !== error
        this.forget()
        tried = blind.value
      }
    }
    // Should the storage run the plan again, not knowing whether it was committed, the plan looks where it was before.
    const plan = () => remember(append(tasks, { ...options, nonce, ...(tried ? { tried } : {}) }), (at) => (tried = at))
    const value = await runner.run(() => this.#begin(plan()), { stores, write: true, repeats, ...durability })
    for (const { queue, priority, lane, tail } of value.lanes) this.#saw(laneKey(queue, priority), lane, tail)
    return value
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

  /** The blocks at the tails last seen, or undefined if more must be written, or a lane or tail is not known well enough. */
  #guess(stretches: readonly Stretch[], now: number, nonce: string) {
    if (!isPlain(stretches)) return undefined
    const blocks: Block[] = []
    const starts: Start[] = []
    const tails = new Map<Lane, Position>()
    const keys = new Map<Lane, string>()
    for (const stretch of stretches) {
      const key = laneKey(stretch.queue, stretch.priority)
      const seen = this.#seen.get(key)
      if (!seen || !this.#trusts(seen)) return undefined
      const { lane } = seen
      const from = tails.get(lane) ?? seen.tail
      const made = block(stretch, { lane, from, now, nonce })
      tails.set(lane, made.to)
      keys.set(lane, key)
      blocks.push(made)
      starts.push({ lane, from })
    }
    const value: AppendValue = { ignored: 0, stretches, starts, lanes: [] }
    return { blocks, value, keys, generation: this.#runner.generation }
  }

  /** Both clocks: the one that never goes back may stop while the machine sleeps. */
  #trusts({ wall, monotonic }: Seen): boolean {
    const passed = this.#clock.now() - wall
    return passed >= 0 && passed < TRUSTED && this.#clock.monotonic() - monotonic < TRUSTED
  }
}

function* remember(plan: Plan<AppendValue>, tell: (tried: AppendValue) => void): Plan<AppendValue> {
  const end = yield* plan
  tell(end.value)
  return end
}

const laneKey = (queue: string, priority: number) => JSON.stringify([queue, priority])
