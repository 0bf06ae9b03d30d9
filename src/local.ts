/** The backend for everything that stores locally: plans, driven over a storage. */
import type {
  AddOptions,
  Backend,
  BatchView,
  Change,
  Cursor,
  Departures,
  Exchange,
  Exchanged,
  Locks,
  NewTask,
  Page,
  Reads,
  Retention,
} from './backend.js'
import type { Channel, StorageNotice } from './channel.js'
import { type Clock, systemClock } from './clock.js'
import { ClosedError, StorageError } from './errors.js'
import { type AppendValue, append, appendBlind, isPlain, type Tried } from './plan/append.js'
import { BlockCache } from './plan/cache.js'
import { change, type Ref } from './plan/change.js'
import { DamagedError } from './plan/damage.js'
import { exchange } from './plan/exchange.js'
import { gates } from './plan/gates.js'
import { block, group } from './plan/layout.js'
import { rootPlan } from './plan/ledger.js'
import { list } from './plan/list.js'
import { prune } from './plan/prune.js'
import * as reading from './plan/read.js'
import { type Block, LAYOUT, type Root, stores } from './plan/records.js'
import { type RecoverOptions, recover, renew } from './plan/recover.js'
import { describe, foundAny, type Repaired, repair } from './plan/repair/index.js'
import { randomText } from './random.js'
import { KeyTakenError, type Plan, type RunOptions, type Storage } from './storage.js'
import {
  type Counts,
  formatId,
  type HostId,
  type Lane,
  type Position,
  parseId,
  type Result,
  type TaskId,
  type TaskView,
} from './task.js'

export interface LocalOptions {
  storage: Storage
  channel: Channel
  locks?: Locks
  departures?: Departures
  clock?: Clock
  /** What the storage's contents must be of. Default: this version's. */
  layout?: number
  /** Told after every opening which database it is. */
  opened?: (origin: string) => void
  /** Grows as there are any. */
  notices?: readonly StorageNotice[]
}

/** How long a tail that was seen is trusted, in ms, by the wall clock and by the one that never goes back. */
const TRUSTED = 10_000
const ORIGIN_LENGTH = 8
/** No generation that a storage has. */
const NONE = -1
/** So often one operation has damage mended that it met. Each repair reads everything: a second one finds nothing, mostly. */
const MENDINGS = 3

interface Seen {
  lane: Lane
  tail: Position
  wall: number
  monotonic: number
}

export class LocalBackend implements Backend {
  readonly channel: Channel
  readonly locks?: Locks
  readonly departures?: Departures
  /** Events that are told once, for those who subscribe later. */
  readonly notices: readonly StorageNotice[]
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #layout: number
  readonly #opened: (origin: string) => void
  readonly #cache = new BlockCache()
  /** Lanes and tails by queue and priority. */
  readonly #seen = new Map<string, Seen>()
  #origin = ''
  readonly #closing = new AbortController()
  #generation = NONE
  #ready: Promise<void> | undefined
  #repairing: Promise<Repaired> | undefined
  /** Appends of one page follow each other: two at once would guess the same tail. */
  #appending: Promise<unknown> = Promise.resolve()

  constructor(options: LocalOptions) {
    const { storage, channel, locks, departures, clock = systemClock, layout = LAYOUT } = options
    this.#storage = storage
    this.#clock = clock
    this.#layout = layout
    this.#opened = options.opened ?? (() => {})
    this.channel = channel
    this.notices = options.notices ?? []
    if (locks) this.locks = locks
    if (departures) this.departures = departures
  }

  get closed(): AbortSignal {
    return this.#closing.signal
  }

  /** False: what is stored ends with this page or process. */
  get durable(): boolean {
    return this.#storage.durable !== false
  }

  async open(): Promise<void> {
    await this.#mending(() => this.#open())
  }

  async #open(): Promise<void> {
    this.closed.throwIfAborted()
    await this.#storage.open()
    if (this.#generation === this.#storage.generation) return
    this.#ready ??= this.#readRoot().finally(() => {
      this.#ready = undefined
    })
    await this.#ready
  }

  /** Whatever was remembered of an earlier opening is void: the database may be another one by now. */
  async #readRoot(): Promise<void> {
    const generation = this.#storage.generation
    this.#cache.clear()
    this.#seen.clear()
    const plan = () => rootPlan(this.#freshRoot())
    const root = await this.#storage.run(plan, { stores: ['ledger', 'blocks'], write: true })
    // It is opened by version; this is for what someone has copied, or restored, past that.
    if (root.layout > this.#layout) {
      throw new StorageError('newer-version', 'The database belongs to a newer version of this app: reload the page.')
    }
    this.#origin = root.origin
    this.#generation = generation
    this.#opened(root.origin)
  }

  #freshRoot(): Root {
    return { layout: this.#layout, origin: randomText(ORIGIN_LENGTH), nextLane: 0 }
  }

  #run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    return this.#mending(() => this.#try(plan, options))
  }

  async #try<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    for (;;) {
      await this.#open()
      try {
        return await this.#storage.run(() => this.#current(plan), options)
      } catch (error) {
        // The storage does not reopen for ever: it is what ends this.
        if (!(error instanceof ReopenedError)) throw error
      }
    }
  }

  /** Mends what was found to be damaged, and tries again; not for ever. */
  async #mending<T>(attempt: () => Promise<T>): Promise<T> {
    for (let mended = 0; ; mended++) {
      try {
        return await attempt()
      } catch (error) {
        if (!isDamage(error)) throw error
        if (mended === MENDINGS) {
          const message = `${error.message} It could not be mended: what cannot be written to, or read, must be deleted to go on.`
          throw new StorageError('broken', message, { cause: error })
        }
        await this.repair()
      }
    }
  }

  /** Everyone who met the damage waits for the same repair. */
  repair(): Promise<Repaired> {
    this.#repairing ??= this.#repair().finally(() => {
      this.#repairing = undefined
    })
    return this.#repairing
  }

  async #repair(): Promise<Repaired> {
    this.closed.throwIfAborted()
    const plan = () => repair({ now: this.#clock.now(), fresh: this.#freshRoot() })
    const repaired = await this.#storage.run(plan, { stores, write: true })
    // Blocks, tails and the origin may be others now.
    this.#generation = NONE
    if (foundAny(repaired)) {
      this.channel.post({ type: 'storage', event: 'damaged', message: describe(repaired) })
      this.channel.post({ type: 'changed', change: 'repair' })
    }
    return repaired
  }

  /** The storage may reopen just before it calls: what a plan would take from the caches might be of another database. */
  #current<T>(plan: () => Plan<T>): Plan<T> {
    if (this.#storage.generation !== this.#generation) throw new ReopenedError()
    return plan()
  }

  #write<T>(plan: () => Plan<T>, durability?: 'relaxed' | 'strict'): Promise<T> {
    return this.#run(plan, { stores, write: true, ...(durability ? { durability } : {}) })
  }

  #read<T>(plan: () => Plan<T>): Promise<T> {
    return this.#run(plan, { stores, write: false })
  }

  get #context() {
    return { cache: this.#cache, origin: this.#origin }
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
    await this.open()
    const nonce = randomText(ORIGIN_LENGTH)
    let tried: Tried | undefined
    const blind = isPlain(tasks, options.now, options.batch) ? this.#guess(tasks, options.now, nonce) : undefined
    if (blind) {
      try {
        const durability = options.durability ? { durability: options.durability } : {}
        await this.#try(() => this.#blindly(blind), { stores: ['blocks'], write: true, ...durability })
        for (const last of blind.blocks) this.#saw(blind.keys.get(last.lane) ?? '', last.lane, last.to)
        return blind.places.map(({ lane, position }) => formatId(this.#origin, lane, position))
      } catch (error) {
        // Another tab appended since, or this is a repeat of ours that was committed: reading tells.
        if (!isDamage(error)) throw error
        this.#seen.clear()
        const [first] = blind.blocks
        if (first) tried = { lane: first.lane, from: first.from, places: blind.places }
      }
    }
    // Should the storage run the plan again, not knowing whether it was committed, the plan looks where it was before.
    const plan = () => remember(append(tasks, { ...options, nonce, ...(tried ? { tried } : {}) }), (at) => (tried = at))
    const { places, lanes } = await this.#write(plan, options.durability)
    for (const { queue, priority, lane, tail } of lanes) this.#saw(laneKey(queue, priority), lane, tail)
    return places.map((place) => place && formatId(this.#origin, place.lane, place.position))
  }

  #blindly({ blocks, generation }: { blocks: readonly Block[]; generation: number }): Plan<void> {
    if (generation !== this.#generation) throw new KeyTakenError('the tails seen are void')
    return appendBlind(blocks)
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
    return { blocks, places, keys, generation: this.#generation }
  }

  /** Both clocks: the one that never goes back may stop while the machine sleeps. */
  #trusts({ wall, monotonic }: Seen): boolean {
    const passed = this.#clock.now() - wall
    return passed >= 0 && passed < TRUSTED && this.#clock.monotonic() - monotonic < TRUSTED
  }

  exchange(x: Exchange): Promise<Exchanged> {
    const nonce = randomText(ORIGIN_LENGTH)
    return this.#write(() => exchange(x, { ...this.#context, nonce }))
  }

  renew(host: HostId, until: number): Promise<Float64Array | undefined> {
    return this.#write(() => renew(host, until))
  }

  change(c: Change): Promise<number> {
    return this.#write(() => {
      const refs = 'ids' in c ? c.ids.flatMap((id) => this.#ref(id) ?? []) : []
      return change(c, refs, this.#cache)
    })
  }

  /** Undefined for ids of other databases, and for other spellings of ours. */
  #ref(id: TaskId): Ref | undefined {
    const parsed = parseId(id)
    if (!parsed || formatId(this.#origin, parsed.lane, parsed.position) !== id) return undefined
    return parsed
  }

  get(ids: readonly TaskId[]): Promise<(TaskView | undefined)[]> {
    return this.#read(() =>
      reading.views(
        ids.map((id) => this.#ref(id)),
        this.#context,
      ),
    )
  }

  results(ids: readonly TaskId[]): Promise<(Result | undefined)[]> {
    return this.#read(() =>
      reading.results(
        ids.map((id) => this.#ref(id)),
        this.#context,
      ),
    )
  }

  batch(id: string): Promise<BatchView | undefined> {
    return this.#read(() => reading.batch(id))
  }

  read<K extends keyof Reads>(kind: K, query: Reads[K]['query'], cursor?: Cursor): Promise<Page<Reads[K]['item']>> {
    const plans: { [P in keyof Reads]: (q: Reads[P]['query']) => Plan<Page<Reads[P]['item']>> } = {
      tasks: (q) => list(q, this.#context, cursor),
      gates: (q) => gates(q, cursor),
      batches: (q) => reading.batches(q, cursor),
      parts: (q) => reading.parts(q, cursor),
      ended: (q) => reading.ended(q, this.#context, cursor),
    }
    return this.#read(() => plans[kind](query))
  }

  counts(queue?: string): Promise<Counts> {
    return this.#read(() => reading.counts(queue))
  }

  recover(options: RecoverOptions): Promise<number> {
    return this.#write(() => recover(options, this.#cache))
  }

  prune(retention: Retention): Promise<boolean> {
    return this.#write(() => prune(retention))
  }

  /** For good: whoever still uses it gets ClosedError. */
  async close(): Promise<void> {
    // Those that work with it end first, while they can still tell each other so.
    this.#closing.abort(new ClosedError('backend'))
    this.channel.close()
    await this.#storage.close()
  }
}

/** Who has read where a lane ends and finds the place taken has read records that are not true. */
const isDamage = (error: unknown): error is Error => error instanceof DamagedError || error instanceof KeyTakenError

/** The storage was reopened between the caller's look and the plan's start. */
class ReopenedError extends Error {
  override readonly name = 'ReopenedError'
}

function* remember(plan: Plan<AppendValue>, tell: (tried: Tried) => void): Plan<AppendValue> {
  const end = yield* plan
  const { places } = end.value
  const first = places.find((place) => place !== undefined)
  if (first) tell({ lane: first.lane, from: first.position, places })
  return end
}

const laneKey = (queue: string, priority: number) => JSON.stringify([queue, priority])
