import type {
  AddOptions,
  AlikeTasks,
  Backend,
  BatchChunk,
  BatchView,
  Change,
  Cursor,
  Exchange,
  Exchanged,
  NewTask,
  Page,
  Reads,
  Repaired,
  Retention,
} from '../backend.js'
import type { Channel, StorageNotice } from '../channel.js'
import { checkKnown, checkNumber } from '../checks.js'
import { type Clock, systemClock } from '../clock.js'
import { ClosedError, InvalidOptionError } from '../errors.js'
import { nothing } from '../plan/exchange.js'
import type { Counts, HostId, Result, TaskId, TaskView } from '../task.js'
import { changeShards } from './change.js'
import { ShardedChannel } from './channel.js'
import { ShardedHost } from './host.js'
import { Lanes } from './lanes.js'
import { Places } from './places.js'
import { readShards } from './read.js'
import type { ShardKey } from './route.js'
import { Shards } from './shards.js'
import { sumOfCounts, sumOfRepairs } from './sums.js'

export interface ShardedBackendOptions {
  /** At least one; always the same ones in the same order. More may be added at the end: see the class. */
  shards: readonly Backend[]
  /**
   * Decides where a task is stored: tasks with the same text are on the same shard. Tasks of a batch that was given an id or
   * made by `enqueueMany` are not asked about: they go by the batch's id. Default: the task's queue.
   */
  key?: ShardKey
  /**
   * Which shard ids belong to, as far as it was learned: plain data to be kept for as long as you like. Where a backend is made
   * for each request, one Map for all spares asking every shard whose ids are not known yet. Default: a new one.
   */
  origins?: Map<string, number>
  /** How long a shard may keep a host waiting, in ms. Default 5,000. */
  patience?: number
  /** Default: the system's. */
  clock?: Clock
  /** Hears of shards that did not answer where the others did. Default console.error. */
  onError?: (error: unknown) => void
}

const OPTIONS: Record<keyof ShardedBackendOptions, true> = {
  shards: true,
  key: true,
  origins: true,
  patience: true,
  clock: true,
  onError: true,
}

/**
 * Several backends as one. Each task is on one shard, and so is each batch with all its tasks and what follows from them: what
 * happens in one transaction happens on one shard. Order, priorities and limits hold within each shard, and not between them.
 *
 * What concerns one shard needs that one alone: a shard that does not answer keeps nothing from being stored in, read from and
 * run on the others. What concerns all of them (counts, lists, `clear`) fails while one does not answer.
 *
 * Backends that are added at the end take new keys; what is stored stays where it is and is found by its id. Do it while no
 * batch is being imported.
 */
export class ShardedBackend implements Backend {
  readonly channel: Channel
  readonly #shards: Shards
  readonly #lanes: Lanes
  readonly #places: Places
  readonly #hosts = new Map<HostId, ShardedHost>()
  readonly #closing = new AbortController()

  /** Throws InvalidOptionError. */
  constructor(options: ShardedBackendOptions) {
    checkKnown('options', options, Object.keys(OPTIONS))
    const { shards, patience = 5_000, clock = systemClock, onError = (error) => console.error(error) } = options
    if (shards.length === 0) throw new InvalidOptionError('shards', 'Give at least one backend.')
    checkNumber('patience', patience, 1, 600_000)
    this.#shards = new Shards(shards, { clock, patience, onError })
    this.#lanes = new Lanes(shards.length)
    this.#places = new Places(this.#shards, options)
    this.channel = new ShardedChannel(
      shards.map(({ channel }) => channel),
      this.#lanes,
    )
  }

  get closed(): AbortSignal {
    return this.#closing.signal
  }

  get durable(): boolean {
    return this.#shards.all.every(({ durable }) => durable !== false)
  }

  get notices(): readonly StorageNotice[] {
    return this.#shards.all.flatMap(({ notices }) => notices ?? [])
  }

  async open(): Promise<void> {
    this.#closing.signal.throwIfAborted()
    await this.#shards.willing((shard) => shard.open())
  }

  /** One transaction on each shard that gets some of them: enqueued together, they may be stored apart. */
  async add(tasks: readonly NewTask[], options: AddOptions): Promise<(TaskId | undefined)[]> {
    const { batch } = options
    if (batch) return this.#addTo(this.#places.ofBatch(batch.id), tasks, options)
    const groups = this.#places.byKey(tasks)
    const [only] = groups.keys()
    if (groups.size <= 1) return this.#addTo(only ?? 0, tasks, options)
    const ids: (TaskId | undefined)[] = Array(tasks.length).fill(undefined)
    const ends = await Promise.allSettled(
      [...groups].map(async ([shard, indexes]) => {
        const group = indexes.flatMap((i) => tasks[i] ?? [])
        const added = await this.#addTo(shard, group, options)
        indexes.forEach((i, n) => {
          ids[i] = added[n]
        })
      }),
    )
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    return ids
  }

  addAlike(tasks: AlikeTasks, options: AddOptions & { batch: BatchChunk }): Promise<number> {
    return this.#shards.at(this.#places.ofBatch(options.batch.id)).addAlike(tasks, options)
  }

  async #addTo(shard: number, tasks: readonly NewTask[], options: AddOptions): Promise<(TaskId | undefined)[]> {
    const ids = await this.#shards.at(shard).add(tasks, options)
    this.#places.learn(
      ids.find((id) => id !== undefined),
      shard,
    )
    return ids
  }

  async exchange(x: Exchange): Promise<Exchanged> {
    let host = this.#hosts.get(x.host)
    if (!host && x.seq > 1) return nothing(true)
    if (!host) {
      host = new ShardedHost(this.#shards, x.host, () => this.channel.post({ type: 'changed', change: 'missed' }))
      this.#hosts.set(x.host, host)
    }
    const answer = await host.exchange(x)
    if (x.leave || answer.fenced) this.#hosts.delete(x.host)
    return answer
  }

  async renew(id: HostId, until: number): Promise<Float64Array | undefined> {
    const host = this.#hosts.get(id)
    if (!host) return undefined
    await this.#shards.willing(async (_, i) => {
      const member = host.members[i]
      if (member?.entered && !member.busy) await member.renew(until)
    })
    if (!host.voided) return host.held
    this.#hosts.delete(id)
    return undefined
  }

  async recover(options: Parameters<Backend['recover']>[0]): Promise<number | undefined> {
    const { me, entered } = options
    const answers = await this.#shards.willing(async (shard, i) => {
      const member = this.#hosts.get(me)?.members[i]
      const names = (hosts: readonly HostId[]) => [...new Set(hosts.flatMap((host) => [host, this.#idOf(host, i)]))]
      const recovered = await shard.recover({
        ...options,
        me: member?.id ?? me,
        left: names(options.left),
        gone: names(options.gone ?? []),
        entered: entered === true && (member?.entered ?? true),
      })
      if (recovered === undefined) member?.fence()
      return recovered
    })
    const counts = answers.flatMap(({ value }) => value ?? [])
    return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0)
  }

  #idOf(host: HostId, shard: number): HostId {
    return this.#hosts.get(host)?.members[shard]?.id ?? host
  }

  change(change: Change): Promise<number> {
    return changeShards(this.#shards, this.#places, change)
  }

  get(ids: readonly TaskId[]): Promise<(TaskView | undefined)[]> {
    return this.#places.look(ids, (shard, group) => shard.get(group), true)
  }

  results(ids: readonly TaskId[]): Promise<(Result | undefined)[]> {
    return this.#places.look(ids, (shard, group) => shard.results(group), false)
  }

  async batch(id: string): Promise<BatchView | undefined> {
    return (await this.#places.batch(id)).view
  }

  read<K extends keyof Reads>(kind: K, query: Reads[K]['query'], cursor?: Cursor): Promise<Page<Reads[K]['item']>> {
    return readShards({ shards: this.#shards, places: this.#places, lanes: this.#lanes }, kind, query, cursor)
  }

  async counts(queue?: string): Promise<Counts> {
    return sumOfCounts(await this.#shards.every((shard) => shard.counts(queue)))
  }

  async prune(retention: Retention): Promise<boolean> {
    return (await this.#shards.willing((shard) => shard.prune(retention))).some(({ value }) => value)
  }

  async repair(): Promise<Repaired> {
    const repairs = await this.#shards.every(async (shard) => (await shard.repair?.()) ?? [])
    return sumOfRepairs(repairs.flat())
  }

  /** Closes the shards too. */
  async close(): Promise<void> {
    this.#closing.abort(new ClosedError('backend'))
    this.#hosts.clear()
    await this.#shards.every((shard) => shard.close())
  }
}
