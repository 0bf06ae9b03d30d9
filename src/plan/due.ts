/** What is aside and due, claimed before the line of its priority. */
import type { Key } from '../keys.js'
import type { ReadOf } from '../storage.js'
import type { Interval, Lane, Position } from '../task.js'
import { takeAside } from './aside.js'
import type { BlockCache, Blocks } from './cache.js'
import { DamagedError } from './damage.js'
import type { Draft, Step } from './ledger.js'
import type { AsideMark, Block, Ledger } from './records.js'
import { LAST, range } from './tables.js'
import { ALONE, parkingOf, type Taking } from './taking.js'

/** Marks of what is due, read at a time, at most. */
const MARKS = 512
/**
 * First as many are read as tasks are asked for, and one to tell whether there is more: mostly each can be taken, and each
 * may cost a block. Where they can't (what crashed waits for others that did, what nobody serves is parked) many are alike, and
 * every page costs a round trip: each is so much longer than the last.
 */
const GROWTH = 4

export class Due {
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

  /** What is aside at this priority and due. */
  *claim(ledger: Ledger, priority: number): Step<void> {
    const count = ledger.aside[String(priority)]
    if (!count) return
    if (count.nextAt > this.#taking.now) return this.#taking.wake(count.nextAt)
    if (this.#taking.full) return this.#taking.leftOver()
    let next = Number.POSITIVE_INFINITY
    let left = false
    // What this exchange has put aside itself is not read: it is there for the next one.
    for (const mark of this.#draft.asides) {
      if (mark.queue !== ledger.queue || mark.gate !== priority) continue
      next = Math.min(next, mark.order)
      left ||= mark.order <= this.#taking.now
    }
    const known = this.#known(ledger, priority)
    let [read, all] = [0, true]
    let from: Key = [ledger.queue, priority]
    for (let limit = Math.min(this.#taking.remaining + 1, MARKS); ; limit = Math.min(limit * GROWTH, MARKS)) {
      const marks: ReadOf<'gate'> = range('gate', from, [ledger.queue, priority, LAST], { limit })
      yield [marks]
      let looked = 0
      for (const [i, mark] of marks.found.entries()) {
        if (i === looked && !this.#taking.full) {
          const likely = this.#likely(marks.found, i)
          yield* this.#blocks.need(likely)
          looked += likely.length
        }
        read += mark.to - mark.from
        if (mark.order <= this.#taking.now && (yield* this.#takeDue(ledger, mark))) continue
        next = Math.min(next, mark.order)
        left ||= mark.order <= this.#taking.now && !this.#taking.waits(mark)
      }
      const last = marks.found.at(-1)
      all = marks.found.length < limit
      if (!last || all || last.order > this.#taking.now) break
      if (this.#taking.full) {
        // Not later than what was not read.
        next = Math.min(next, last.order)
        left = true
        break
      }
      from = [ledger.queue, priority, last.order, last.lane, last.to]
    }
    // Nobody would ever look for one that is gone.
    if (all && read !== known) {
      throw new DamagedError('gate', `${known} tasks should wait at priority ${priority}, not ${read}`)
    }
    const waiting = ledger.aside[String(priority)]
    if (!waiting) return
    waiting.nextAt = next
    this.#draft.changed(ledger)
    if (next > this.#taking.now) this.#taking.wake(next)
    else if (left) this.#taking.leftOver()
  }

  /** How many tasks wait at a priority, as the ledger says, but for what this exchange has put there. */
  #known(ledger: Ledger, priority: number): number {
    const { ready = 0, waiting = 0 } = ledger.aside[String(priority)] ?? {}
    const own = this.#draft.asides.filter((mark) => mark.queue === ledger.queue && mark.gate === priority)
    return own.reduce((sum, { from, to }) => sum - (to - from), ready + waiting)
  }

  /** What will be looked at of the marks from one on, mostly, as far as it may be read at a time; one may stand for thousands of tasks. */
  #likely(marks: readonly AsideMark[], first: number): Interval[] {
    const likely: Interval[] = []
    let { remaining } = this.#taking
    let room = 1
    for (let i = first; i < marks.length && room > 0; i++) {
      const mark = marks[i]
      if (!mark || mark.order > this.#taking.now) break
      const { lane, from, to } = mark
      const readable = this.#cache.readable(lane)
      const end = Math.min(to, from + Math.min(Math.max(1, remaining), readable))
      remaining -= end - from
      room -= (end - from) / readable
      likely.push({ lane, from, to: end })
    }
    return likely
  }

  /** The block of a position, read with those of some that follow if it is not here. */
  *#block(lane: Lane, p: Position, to: Position): Step<Block> {
    if (!this.#blocks.at(lane, p)) yield* this.#blocks.need([{ lane, from: p, to }])
    const block = this.#blocks.at(lane, p)
    if (!block) throw new DamagedError('block', `that of task ${lane}/${p} is gone`)
    return block
  }

  /** Claims what it may of a due mark, and parks what is not served here. False: some of it stays. */
  *#takeDue(ledger: Ledger, mark: AsideMark): Step<boolean> {
    const taken: { block: Block; from: Position; to: Position }[] = []
    let room = this.#taking.room(mark)
    let { remaining, parkable, bytes } = this.#taking
    const isFull = () => this.#taking.alone || remaining <= 0 || parkable <= 0 || bytes <= 0
    let whole = true
    for (let p = mark.from, ahead = Math.max(1, remaining); p < mark.to; ahead *= GROWTH) {
      if (isFull()) {
        whole = false
        break
      }
      const block = yield* this.#block(
        mark.lane,
        p,
        Math.min(mark.to, p + Math.min(ahead, this.#cache.readable(mark.lane))),
      )
      const to = Math.min(block.to, mark.to)
      while (p < to) {
        const { served, end } = this.#taking.alike(block, p, to)
        const full = isFull()
        const most = full ? 0 : served ? Math.min(room, remaining) : parkable
        const until = Math.min(end, p + most)
        if (until > p) taken.push({ block, from: p, to: until })
        if (until < end) whole = false
        if (served) {
          room -= until - p
          remaining -= until - p
          bytes -= this.#cache.sizeOf(block, until - p)
          // Everyone else waits until it has had its turn alone; if it is only parked here, there is no turn to wait for.
          if (mark.crashes >= ALONE && !full) this.#taking.alone = true
        } else parkable -= parkingOf(until - p)
        p = end
      }
    }
    let rest: AsideMark | undefined = mark
    for (const { from, to } of merged(taken))
      rest = rest && takeAside(this.#draft, rest, from, to).find((piece) => piece.from >= to)
    for (const { block, from, to } of taken) this.#taking.take(ledger, block, from, to, mark)
    return whole
  }
}

/** Neighbours as one. */
function merged(stretches: readonly { from: Position; to: Position }[]) {
  const all: { from: Position; to: Position }[] = []
  for (const { from, to } of stretches) {
    const last = all.at(-1)
    if (last?.to === from) last.to = to
    else all.push({ from, to })
  }
  return all
}
