import type { PartMark } from '../plan/records.js'
import { firstAfter, holding } from '../plan/stretches.js'
import type { Interval, Lane, Position } from '../task.js'

/** A growing set of small whole numbers, one bit each: a million of them take 125 kB. */
export class IndexSet {
  #words = new Uint32Array(32)
  #size = 0

  get size(): number {
    return this.#size
  }

  has(index: number): boolean {
    return (((this.#words[index >>> 5] ?? 0) >>> (index & 31)) & 1) === 1
  }

  /** Returns whether it was not in there. */
  add(index: number): boolean {
    if (this.has(index)) return false
    const word = index >>> 5
    if (word >= this.#words.length) {
      const larger = new Uint32Array(Math.max(word + 1, this.#words.length * 2))
      larger.set(this.#words)
      this.#words = larger
    }
    this.#words[word] = (this.#words[word] ?? 0) | (1 << (index & 31))
    this.#size++
    return true
  }

  delete(index: number): void {
    if (!this.has(index)) return
    const word = index >>> 5
    this.#words[word] = (this.#words[word] ?? 0) & ~(1 << (index & 31))
    this.#size--
  }
}

interface Part extends Interval {
  stage: number
  start: number
  indexes?: number[]
  /** All of it was seen. */
  done: boolean
}

/** Which item of a batch a position holds, and at which stage. */
export interface Spot {
  stage: number
  index: number
}

/** Seen positions between unseen ones that are read again rather than cost a read of their own: one record's worth. */
export const BRIDGE = 256

/**
 * Where a batch's items lie, and which of those places need not be looked at any more. Positions and bits only, never
 * values, so that it stays small beside a batch of any size.
 */
export class PartTable {
  readonly #stages: { covered: IndexSet; seen: IndexSet; floor: number }[]
  readonly #lanes = new Map<Lane, Part[]>()

  constructor(stages: number) {
    this.#stages = Array.from({ length: stages }, () => ({ covered: new IndexSet(), seen: new IndexSet(), floor: 0 }))
  }

  /** How many of a stage's items are known. */
  known(stage: number): number {
    return this.#stages[stage]?.covered.size ?? 0
  }

  /** Takes in what is new of a stretch; one may have grown since. Returns whether anything was. */
  add(mark: PartMark): boolean {
    const of = this.#stages[mark.stage]
    if (!of) return false
    const count = mark.to - mark.from
    const indexOf = (i: number) => mark.indexes?.[i] ?? mark.start + i
    let first = 0
    while (first < count && of.covered.has(indexOf(first))) first++
    if (first === count) return false
    for (let i = first; i < count; i++) {
      const index = indexOf(i)
      of.covered.add(index)
      // An item that has come this far is done with the stages before.
      for (let stage = 0; stage < mark.stage; stage++) this.#stages[stage]?.seen.add(index)
    }
    const { stage, lane, from, to, start } = mark
    const part: Part = { stage, lane, from: from + first, to, start: start + first, done: false }
    if (mark.indexes) part.indexes = mark.indexes.slice(first)
    const parts = this.#lanes.get(mark.lane) ?? []
    if (parts.length === 0) this.#lanes.set(mark.lane, parts)
    parts.splice(firstAfter(parts, part.from), 0, part)
    return true
  }

  /**
   * Parts of a stage that are not known yet start at this index or later: all before it are known, or will never come.
   * `gone` tells which items ended before they got there.
   */
  floor(stage: number, gone: (index: number) => boolean, total: number): number {
    const of = this.#stages[stage]
    if (!of) return 0
    while (of.floor < total && (of.covered.has(of.floor) || gone(of.floor))) of.floor++
    return of.floor
  }

  locate(lane: Lane, position: Position): Spot | undefined {
    const part = holding(this.#lanes.get(lane) ?? [], position)
    return part && { stage: part.stage, index: indexIn(part, position) }
  }

  /** Returns whether it was not seen before. */
  see({ stage, index }: Spot): boolean {
    return this.#stages[stage]?.seen.add(index) ?? false
  }

  /** An item is to be looked at again, wherever it is. */
  unsee(index: number): void {
    for (const { seen } of this.#stages) seen.delete(index)
    for (const parts of this.#lanes.values()) for (const part of parts) part.done = false
  }

  /** Whether a stretch holds anything of the batch. */
  holds({ lane, from, to }: Interval): boolean {
    const parts = this.#lanes.get(lane) ?? []
    const part = parts[firstAfter(parts, from)]
    return part !== undefined && part.from < to
  }

  /** All stretches that hold unseen items, by stage and in input order. */
  gaps(): Interval[] {
    const gaps = [...this.#lanes.keys()].flatMap((lane) => this.gapsIn({ lane, from: 0, to: Number.POSITIVE_INFINITY }))
    return gaps.sort((a, b) => a.stage - b.stage || a.index - b.index)
  }

  /** What of a stretch belongs to the batch and was not seen yet, and what lies between. */
  gapsIn({ lane, from, to }: Interval): (Interval & Spot)[] {
    const parts = this.#lanes.get(lane) ?? []
    const gaps: (Interval & Spot)[] = []
    for (let i = firstAfter(parts, from); i < parts.length; i++) {
      const part = parts[i]
      if (!part || part.from >= to) break
      if (part.done) continue
      const seen = this.#stages[part.stage]?.seen
      const end = Math.min(to, part.to)
      let any = from > part.from || end < part.to
      for (let p = Math.max(from, part.from); p < end; p++) {
        const index = indexIn(part, p)
        if (seen?.has(index)) continue
        any = true
        const last = gaps.at(-1)
        if (last && p - last.to < BRIDGE) last.to = p + 1
        else gaps.push({ lane, from: p, to: p + 1, stage: part.stage, index })
      }
      part.done = !any
    }
    return gaps
  }
}

const indexIn = (part: Part, position: Position) =>
  part.indexes?.[position - part.from] ?? part.start + (position - part.from)
