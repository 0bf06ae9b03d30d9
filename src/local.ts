/** The backend for everything that stores locally: plans, driven over a storage. */
import type {
  AddOptions,
  AlikeTasks,
  AppendListener,
  Appends,
  Backend,
  BatchChunk,
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
  Repaired,
  Retention,
} from './backend.js'
import type { Channel, StorageNotice } from './channel.js'
import { type Clock, systemClock } from './clock.js'
import { ClosedError } from './errors.js'
import { Appender } from './local/appender.js'
import { Company } from './local/company.js'
import { Runner } from './local/runner.js'
import { change, type Ref } from './plan/change.js'
import { exchange } from './plan/exchange.js'
import { gates } from './plan/gates.js'
import { list } from './plan/list.js'
import { type Pruned, prune } from './plan/prune.js'
import * as reading from './plan/read.js'
import { LAYOUT, stores } from './plan/records.js'
import { type RecoverOptions, recover, renew } from './plan/recover.js'
import { distinctTexts } from './random.js'
import type { Plan, Storage } from './storage.js'
import { type Counts, formatId, type HostId, parseId, type Result, type TaskId, type TaskView } from './task.js'

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

export class LocalBackend implements Backend {
  readonly channel: Channel
  readonly locks?: Locks
  readonly departures?: Departures
  /** Events that are told once, for those who subscribe later. */
  readonly notices: readonly StorageNotice[]
  readonly #storage: Storage
  readonly #runner: Runner
  readonly #appender: Appender
  readonly #closing = new AbortController()
  readonly #nonce = distinctTexts()
  readonly #company = new Company()
  readonly #hosts = new Set<AppendListener>()
  readonly appends: Appends = appendsOf(this.#hosts, this.#nonce)

  constructor(options: LocalOptions) {
    const { storage, channel, locks, departures, clock = systemClock, layout = LAYOUT } = options
    this.#storage = storage
    this.channel = channel
    this.notices = options.notices ?? []
    if (locks) this.locks = locks
    if (departures) this.departures = departures
    this.#runner = new Runner({
      storage,
      layout,
      now: () => clock.now(),
      closed: this.closed,
      opened: (origin) => {
        this.#appender.forget()
        options.opened?.(origin)
      },
      mended: (message) => this.#mended(message),
    })
    this.#appender = new Appender({
      runner: this.#runner,
      clock,
      nonce: this.#nonce,
      company: this.#company,
      hosts: this.#hosts,
    })
  }

  get closed(): AbortSignal {
    return this.#closing.signal
  }

  /** False: what is stored ends with this page or process. */
  get durable(): boolean {
    return this.#storage.durable !== false
  }

  open(): Promise<void> {
    return this.#runner.open()
  }

  repair(): Promise<Repaired> {
    return this.#runner.repair()
  }

  #mended(message: string): void {
    this.channel.post({ type: 'storage', event: 'damaged', message })
    this.channel.post({ type: 'changed', change: 'repair' })
  }

  #write<T>(plan: () => Plan<T>): Promise<T> {
    return this.#runner.run(plan, { stores, write: true })
  }

  /** For a host, which is dropped when its page is left: what it began would rob the next one when the page is back. */
  #writeHere<T>(plan: () => Plan<T>, unless = this.#storage.left, repeats = false): Promise<T> {
    return this.#runner.run(plan, { stores, write: true, repeats, ...(unless ? { unless } : {}) })
  }

  #read<T>(plan: () => Plan<T>): Promise<T> {
    return this.#runner.run(plan, { stores, write: false })
  }

  get #context() {
    return { cache: this.#runner.cache, origin: this.#runner.origin }
  }

  add(tasks: readonly NewTask[], options: AddOptions): Promise<(TaskId | undefined)[]> {
    return this.#appender.add(tasks, options)
  }

  addAlike(tasks: AlikeTasks, options: AddOptions & { batch: BatchChunk }): Promise<number> {
    return this.#appender.addAlike(tasks, options)
  }

  exchange(x: Exchange): Promise<Exchanged> {
    const nonce = this.#nonce()
    const plan = () => exchange(x, { ...this.#context, nonce })
    const { left: unless } = this.#storage
    const alone = (repeats: boolean) => this.#writeHere(plan, unless, repeats)
    return this.#company.join({ plan, unless, alone }) ?? alone(false)
  }

  renew(host: HostId, until: number): Promise<Float64Array | undefined> {
    return this.#writeHere(() => renew(host, until))
  }

  change(c: Change): Promise<number> {
    return this.#write(() => {
      const refs = 'ids' in c ? c.ids.flatMap((id) => this.#ref(id) ?? []) : []
      return change(c, refs, this.#runner.cache)
    })
  }

  /** Undefined for ids of other databases, and for other spellings of ours. */
  #ref(id: TaskId): Ref | undefined {
    const parsed = parseId(id)
    if (!parsed || formatId(this.#runner.origin, parsed.lane, parsed.position) !== id) return undefined
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

  recover(options: RecoverOptions): Promise<number | undefined> {
    return this.#writeHere(() => recover(options, this.#runner.cache))
  }

  async prune(retention: Retention): Promise<boolean> {
    return (await this.pruneSlice(retention)).more
  }

  /** The same, for whoever must know when there will be more to prune. */
  pruneSlice(retention: Retention): Promise<Pruned> {
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

function appendsOf(listeners: Set<AppendListener>, distinct: () => string): Appends {
  let id: string | undefined
  return {
    get id() {
      id ??= distinct()
      return id
    },
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
