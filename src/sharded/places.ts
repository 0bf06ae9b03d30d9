import type { Backend, BatchView, NewTask } from '../backend.js'
import { parseId, type TaskId } from '../task.js'
import { byQueue, type ShardKey, shardOf } from './route.js'
import type { Shards } from './shards.js'

/** Where things are: by key where they are made, by the first part of an id or by being asked for where they are looked up. */
export class Places {
  readonly #shards: Shards
  readonly #origins: Map<string, number>
  /** Batches that are not where their id says. */
  readonly #strays = new Map<string, number>()
  readonly #key: ShardKey

  /** `origins`: the first parts of ids, as far as they are known. */
  constructor(
    shards: Shards,
    { key = byQueue, origins = new Map() }: { key?: ShardKey; origins?: Map<string, number> },
  ) {
    this.#shards = shards
    this.#origins = origins
    this.#key = key
  }

  shardOf(key: string): number {
    return shardOf(key, this.#shards.count)
  }

  /** A shard's ids begin like this one. */
  learn(id: TaskId | undefined, shard: number): void {
    const origin = id === undefined ? undefined : parseId(id)?.origin
    if (origin !== undefined) this.#origins.set(origin, shard)
  }

  /**
   * Which shards these ids are of, each with their indexes in the list. Of ids that begin as none seen before, all shards are
   * asked, once; those that none knows are of none.
   */
  async find(ids: readonly TaskId[]): Promise<Map<number, number[]>> {
    const unknown = ids.filter((id) => this.#shardOfId(id) === undefined && parseId(id))
    if (unknown.length > 0) {
      const asking = this.#shards.every(async (shard, i) => {
        for (const view of await shard.get(unknown)) this.learn(view?.id, i)
      })
      await asking.catch((error: unknown) => {
        // Whoever did not answer is not needed if others know them all.
        if (unknown.some((id) => this.#shardOfId(id) === undefined)) throw error
      })
    }
    const groups = new Map<number, number[]>()
    ids.forEach((id, i) => {
      const shard = this.#shardOfId(id)
      if (shard === undefined) return
      const group = groups.get(shard) ?? []
      groups.set(shard, group)
      group.push(i)
    })
    return groups
  }

  #shardOfId(id: TaskId): number | undefined {
    const place = parseId(id)
    return place && this.#origins.get(place.origin)
  }

  /** The batch and its shard, which is the one its id says unless a task elsewhere has made it. */
  async batch(id: string): Promise<{ shard: number; view: BatchView | undefined }> {
    const shard = this.ofBatch(id)
    const view = await this.#shards.at(shard).batch(id)
    if (view || this.#shards.count === 1) return { shard, view }
    const views = await this.#shards.every((other, i) => (i === shard ? Promise.resolve(undefined) : other.batch(id)))
    const found = views.findIndex((other) => other !== undefined)
    if (found < 0) return { shard, view }
    this.#strays.set(id, found)
    return { shard: found, view: views[found] }
  }

  /** Where a batch is, as far as is known. */
  ofBatch(id: string): number {
    return this.#strays.get(id) ?? this.shardOf(id)
  }

  /** What the shards answer about these. `whole`: what a shard does not answer must not look as if it were not there. */
  async look<T>(
    ids: readonly TaskId[],
    ask: (shard: Backend, ids: TaskId[]) => Promise<(T | undefined)[]>,
    whole: boolean,
  ): Promise<(T | undefined)[]> {
    const groups = [...(await this.find(ids))]
    const found: (T | undefined)[] = Array(ids.length).fill(undefined)
    const ends = await Promise.allSettled(
      groups.map(async ([shard, indexes]) => {
        const group = indexes.flatMap((i) => ids[i] ?? [])
        const answers = await ask(this.#shards.at(shard), group)
        indexes.forEach((i, n) => {
          found[i] = answers[n]
        })
      }),
    )
    const failed = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
    if (failed.length > 0 && (whole || failed.length === ends.length)) throw failed[0]
    return found
  }

  /** Indexes in the list by the shard that their tasks go to. */
  byKey(tasks: readonly NewTask[]): Map<number, number[]> {
    const shards = new Map<string, number>()
    const groups = new Map<number, number[]>()
    tasks.forEach((task, i) => {
      const key = this.#key(task)
      const shard = shards.get(key) ?? this.shardOf(key)
      shards.set(key, shard)
      const group = groups.get(shard) ?? []
      groups.set(shard, group)
      group.push(i)
    })
    return groups
  }
}
