/** Lanes of several shards among each other: each shard counts its own from 0. */
import type { Claimed, Exchanged, Settlement } from '../backend.js'
import { PART_SIZE } from '../plan/records.js'
import type { Lane } from '../task.js'

/** Where a part's numbers have its lane: seq, lane, from, to, attempt, crashes. */
const LANE = 1

/** Numbers the lanes of `count` shards together, and takes such a number apart again. */
export class Lanes {
  readonly #count: number

  constructor(count: number) {
    this.#count = count
  }

  together(shard: number, lane: Lane): Lane {
    return lane * this.#count + shard
  }

  apart(lane: Lane): { shard: number; lane: Lane } {
    const shard = lane % this.#count
    return { shard, lane: (lane - shard) / this.#count }
  }

  claimed(shard: number, tasks: readonly Claimed[]): Claimed[] {
    return tasks.map((task) => ({ ...task, lane: this.together(shard, task.lane) }))
  }

  dropped(shard: number, places: Exchanged['dropped']): Exchanged['dropped'] {
    return places.map(({ lane, position }) => ({ lane: this.together(shard, lane), position }))
  }

  held(shard: number, parts: Float64Array): Float64Array {
    const all = parts.slice()
    for (let i = LANE; i < all.length; i += PART_SIZE) all[i] = this.together(shard, all[i] ?? 0)
    return all
  }

  /** By shard, with the lanes that it knows. */
  settlements(all: readonly Settlement[]): Map<number, Settlement[]> {
    const groups = new Map<number, Settlement[]>()
    for (const settlement of all) {
      const { shard, lane } = this.apart(settlement.lane)
      const group = groups.get(shard) ?? []
      groups.set(shard, group)
      group.push({ ...settlement, lane })
    }
    return groups
  }

  /** Of hints: flat triples lane, from, to. */
  intervals(shard: number, flat: readonly number[]): number[] {
    return flat.map((number, i) => (i % 3 === 0 ? this.together(shard, number) : number))
  }
}
