/** Blocks that were read. They are written once and never changed, so they may be remembered between transactions. */
import { roughSize } from '../rough-size.js'
import type { Interval, Lane, Position } from '../task.js'
import { DamagedError } from './damage.js'
import type { Step } from './ledger.js'
import { BLOCK_BYTES, BLOCK_TASKS, type Block } from './records.js'
import { firstAfter, holding, together } from './stretches.js'
import { blockAt, range } from './tables.js'

/** Kept are blocks that take about so much, and so much is read at a time: as much as 64 full ones. A Durable Object has 128 MB. */
const KEPT_BYTES = 64 * BLOCK_BYTES
/** Tasks read at first of a lane that nothing is known of: each may have megabytes, and a block of its own. */
const UNKNOWN = 16
/** What a block takes beside its inputs. */
const LEAST = 512

export class BlockCache {
  /** With what each takes; most recently used last. */
  readonly #sizes = new Map<Block, number>()
  /** Of each lane, in order. */
  readonly #lanes = new Map<Lane, Block[]>()
  #size = 0
  /** Where the next claim will look, so that it can be read in the same wave as the ledger. */
  readonly next = new Map<Lane, { block: Position; limit: number }>()
  /** Tasks per block, of each lane, as last seen. */
  readonly #density = new Map<Lane, number>()
  /** What a block takes at most, of each lane, as last seen. */
  readonly #weight = new Map<Lane, number>()
  /** What a task takes at most, of each lane, as last seen. */
  readonly #perTask = new Map<Lane, number>()

  /** How many blocks of a lane are likely to hold so many tasks; no more than may be read at a time. */
  estimate(lane: Lane, tasks: number): number {
    const blocks = Math.ceil(tasks / (this.#density.get(lane) ?? BLOCK_TASKS))
    return Math.max(1, Math.min(blocks, Math.floor(KEPT_BYTES / (this.#weight.get(lane) ?? BLOCK_BYTES))))
  }

  /** How many tasks of a lane are likely to lie in the blocks that may be read at a time. */
  readable(lane: Lane): number {
    const perTask = this.#perTask.get(lane)
    return perTask === undefined ? UNKNOWN : Math.ceil(KEPT_BYTES / perTask)
  }

  find(lane: Lane, p: Position): Block | undefined {
    const block = holding(this.#lanes.get(lane) ?? [], p)
    const size = block && this.#sizes.get(block)
    if (!block || size === undefined) return undefined
    this.#sizes.delete(block)
    this.#sizes.set(block, size)
    return block
  }

  measure(lane: Lane, blocks: readonly Block[]): void {
    const tasks = blocks.reduce((sum, { from, to }) => sum + to - from, 0)
    if (blocks.length > 0) this.#density.set(lane, tasks / blocks.length)
  }

  /** Blocks of one lane. */
  keep(blocks: readonly Block[]): void {
    let [most, perTask] = [0, 0]
    for (const block of blocks) {
      const list = this.#lanes.get(block.lane) ?? []
      const at = firstAfter(list, block.from)
      const same = list[at]
      // Read again: the same block, but another object.
      if (same?.from === block.from) this.forget(same)
      list.splice(at, 0, block)
      this.#lanes.set(block.lane, list)
      const size = LEAST + sizeOf(block)
      this.#sizes.set(block, size)
      this.#size += size
      most = Math.max(most, size)
      this.#weight.set(block.lane, most)
      perTask = Math.max(perTask, size / (block.to - block.from))
      this.#perTask.set(block.lane, perTask)
    }
    for (const block of this.#sizes.keys()) {
      if (this.#size <= KEPT_BYTES) break
      this.forget(block)
    }
  }

  /** About what so many of a block's tasks take, in bytes. */
  sizeOf(block: Block, tasks: number): number {
    return ((this.#sizes.get(block) ?? LEAST + sizeOf(block)) * tasks) / (block.to - block.from)
  }

  /** Of what is not kept, it forgets nothing. */
  forget(block: Block): void {
    const size = this.#sizes.get(block)
    if (size === undefined) return
    const list = this.#lanes.get(block.lane) ?? []
    list.splice(firstAfter(list, block.from), 1)
    this.#size -= size
    this.#sizes.delete(block)
  }

  clear(): void {
    this.#sizes.clear()
    this.#lanes.clear()
    this.#size = 0
    this.next.clear()
    this.#density.clear()
    this.#weight.clear()
    this.#perTask.clear()
  }
}

/** From a look at some of its inputs. A block of several tasks takes no more than a full one: it was closed by then. */
function sizeOf({ inputs }: Block): number {
  const size = roughSize(inputs)
  return inputs.length > 1 ? Math.min(size, BLOCK_BYTES) : size
}

/**
 * The blocks of one transaction: what it reads is certain to stay until its end, however many there are. Found by
 * binary search.
 */
export class Blocks {
  readonly #lanes = new Map<Lane, Block[]>()
  /** From there on, all there are have been read. */
  readonly #whole = new Map<Lane, Position>()
  readonly #cache: BlockCache

  constructor(cache: BlockCache) {
    this.#cache = cache
  }

  add(blocks: readonly Block[]): void {
    for (const block of blocks) {
      const list = this.#lanes.get(block.lane) ?? []
      const at = firstAfter(list, block.from)
      if (list[at]?.from !== block.from) list.splice(at, 0, block)
      this.#lanes.set(block.lane, list)
    }
    this.#cache.keep(blocks)
  }

  /** A read of a lane's blocks from one that begins at `from` came to the lane's end. */
  ends(lane: Lane, from: Position): void {
    this.#whole.set(lane, from)
  }

  /** The blocks that begin at a position or after it, if it is known that there are no others. */
  rest(lane: Lane, p: Position): readonly Block[] | undefined {
    if (p < (this.#whole.get(lane) ?? Number.POSITIVE_INFINITY)) return undefined
    const list = this.#lanes.get(lane) ?? []
    return list.slice(firstAfter(list, p))
  }

  at(lane: Lane, p: Position): Block | undefined {
    const list = this.#lanes.get(lane) ?? []
    const block = holding(list, p)
    if (block) return block
    const cached = this.#cache.find(lane, p)
    if (cached) {
      list.splice(firstAfter(list, cached.from), 0, cached)
      this.#lanes.set(lane, list)
    }
    return cached
  }

  /** Of a task that has not ended: it must be there, once it was read. */
  get(lane: Lane, p: Position): Block {
    const block = this.at(lane, p)
    if (!block) throw new DamagedError('block', `that of task ${lane}/${p} is gone`)
    return block
  }

  /** Reads the blocks of these stretches that are not here yet, in one wave, each once. */
  *need(stretches: Iterable<Interval>): Step<void> {
    const reads = []
    const missing = [...stretches].flatMap((stretch) => this.#missing(stretch))
    // Those that may lie in one block are read as one.
    for (const { lane, from: p, to } of together(missing, BLOCK_TASKS)) {
      reads.push(blockAt(lane, p))
      if (to - p > 1) reads.push(range('block', [lane, p + 1], [lane, to - 1]))
    }
    if (reads.length === 0) return
    yield reads
    for (const read of reads) this.add(read.found)
  }

  #missing({ lane, from, to }: Interval): Interval[] {
    let p = from
    while (p < to) {
      const block = this.at(lane, p)
      if (!block) return [{ lane, from: p, to }]
      p = block.to
    }
    return []
  }

  /** Cuts a stretch of tasks that have not ended at the ends of their blocks. */
  *split(stretch: Interval): Generator<{ block: Block; from: Position; to: Position }> {
    for (let p = stretch.from; p < stretch.to; ) {
      const block = this.get(stretch.lane, p)
      const to = Math.min(block.to, stretch.to)
      yield { block, from: p, to }
      p = to
    }
  }
}
