/** What is in line: the log of a lane, claimed from its head. */
import type { Position } from '../task.js'
import { dropSkips } from './aside.js'
import type { BlockCache, Blocks } from './cache.js'
import { DamagedError } from './damage.js'
import type { Draft, Step } from './ledger.js'
import type { AsideMark, Block, LaneState, Ledger } from './records.js'
import { overlap } from './stretches.js'
import { blockAt, LAST, range } from './tables.js'
import type { Taking } from './taking.js'

/** Skips read at a time. */
const SKIPS = 64

export class Line {
  readonly #draft: Draft
  readonly #blocks: Blocks
  readonly #cache: BlockCache
  readonly #taking: Taking

  constructor(draft: Draft, blocks: Blocks, cache: BlockCache, taking: Taking) {
    this.#draft = draft
    this.#blocks = blocks
    this.#cache = cache
    this.#taking = taking
  }

  /** The log of one lane, from its head. */
  *claim(ledger: Ledger, state: LaneState): Step<void> {
    let p = state.head
    let jumped = false
    let skips = state.skips > 0 ? yield* this.#skips(state, p) : []
    while (!this.#taking.full) {
      const skip = skips.find((mark) => mark.to > p)
      if (skip && skip.from <= p) {
        p = this.#jump(state, p, skip)
        jumped = true
        if (skip === skips.at(-1) && skips.length === SKIPS) skips = yield* this.#skips(state, p)
        continue
      }
      const block = this.#blocks.at(state.lane, p)
      if (!block) {
        const read = yield* this.#read(state, p, jumped)
        if (read.length === 0) break
        // Positions of a lane are dense.
        this.#blocks.get(state.lane, p)
        continue
      }
      const to = this.#end(block, p, Math.min(block.to, skip?.from ?? Number.POSITIVE_INFINITY))
      this.#taking.take(ledger, block, p, to, { attempt: 1, crashes: 0 })
      p = to
      jumped = false
    }
    if (this.#taking.full) this.#taking.leftOver()
    if (p !== state.head) {
      state.head = p
      state.block = this.#blocks.at(state.lane, p)?.from ?? p
      this.#draft.changed(ledger)
    }
    this.#predict(state)
  }

  /** What is to be parked goes in long stretches, each of which is one mark, however little is asked for. */
  #end(block: Block, p: Position, to: Position): Position {
    const { remaining, parkable } = this.#taking
    const { served } = this.#taking.alike(block, p, p + 1)
    return served ? Math.min(to, p + remaining) : Math.min(this.#taking.alike(block, p, to).end, p + parkable)
  }

  *#skips(state: LaneState, p: Position): Step<AsideMark[]> {
    const marks = range('aside', [state.lane, p], [state.lane, LAST], { limit: SKIPS })
    yield [marks]
    const ahead = marks.found.reduce((sum, { from, to }) => sum + to - Math.max(from, p), 0)
    // If all were read they come to what the ledger says: without one of them, what has ended would run again.
    if (marks.found.length < SKIPS && ahead !== state.skips) {
      throw new DamagedError('aside', `${state.skips} tasks should be skipped in lane ${state.lane}, not ${ahead}`)
    }
    return marks.found
  }

  /** Moves over positions that are not in line any more. */
  #jump(state: LaneState, p: Position, skip: AsideMark): Position {
    state.skips -= skip.to - Math.max(skip.from, p)
    // What was read may be replaced already: a task that this exchange put aside has its mark where the skip was.
    const replaced = this.#draft.asides.some((mark) => mark.lane === skip.lane && overlap(mark, skip))
    if (skip.gate === null && !replaced) this.#draft.erase('aside', skip)
    dropSkips(this.#draft, skip.lane, skip.from, skip.to)
    return skip.to
  }

  /** Reads as many blocks from a position on as are likely to be needed. */
  *#read({ lane, head, block }: LaneState, p: Position, jumped: boolean): Step<readonly Block[]> {
    const known = this.#blocks.rest(lane, p)
    if (known) return known
    const limit = this.#cache.estimate(lane, this.#taking.remaining)
    const ahead = range('block', [lane, p === head ? block : p], [lane, LAST], { limit })
    // Skips end anywhere, in the middle of a block too; a block ends where the next one begins.
    const around = blockAt(lane, p)
    yield jumped ? [around, ahead] : [ahead]
    this.#cache.measure(lane, ahead.found)
    const found = [...around.found.filter(({ to }) => to > p), ...ahead.found]
    this.#blocks.add(found)
    return found
  }

  /** Has the next exchange read ahead what this lane will need, in the same wave as the ledger. */
  #predict(state: LaneState): void {
    const { lane, head } = state
    let missing = this.#taking.limit
    let p = head
    for (let block = this.#blocks.at(lane, p); block && missing > 0; block = this.#blocks.at(lane, p)) {
      missing -= block.to - p
      p = block.to
    }
    const next = { block: p === head ? state.block : p, limit: this.#cache.estimate(lane, missing) }
    if (missing > 0) this.#cache.next.set(lane, next)
    else this.#cache.next.delete(lane)
  }
}
