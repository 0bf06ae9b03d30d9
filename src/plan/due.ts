/** What is aside and due, claimed before the line of its priority. */
import type { Key } from '../keys.js'
import type { ReadOf } from '../storage.js'
import type { Interval, Position } from '../task.js'
import { takeAside } from './aside.js'
import type { BlockCache, Blocks } from './cache.js'
import { DamagedError } from './damage.js'
import type { Draft, Step } from './ledger.js'
import type { AsideMark, Block, Ledger } from './records.js'
import { extend, type Stretch, size } from './stretches.js'
import { behind, LAST, range } from './tables.js'
import { ALONE, type Taking } from './taking.js'

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
    const own = this.#draft.asides.filter((mark) => mark.queue === ledger.queue && mark.gate === priority)
    for (const { order } of own) {
      next = Math.min(next, order)
      left ||= order <= this.#taking.now
    }
    const known = count.ready + count.waiting - size(own)
    let [read, all] = [0, true]
    let from: Key = [ledger.queue, priority]
    let beyond = 0
    for (let limit = Math.min(this.#taking.remaining + 1, MARKS); ; limit = Math.min(limit * GROWTH, MARKS)) {
      const marks: ReadOf<'gate'> = range('gate', from, [ledger.queue, priority, LAST], { limit })
      yield [marks]
      let looked = 0
      for (const [i, mark] of marks.found.entries()) {
        if (i === looked && !this.#taking.full) {
          const likely = this.#likely(marks.found, i, beyond)
          yield* this.#blocks.need(likely)
          looked += likely.length
          beyond = Math.max(1, beyond) * GROWTH
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
      from = behind(last)
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

  /**
   * What will be looked at of the marks from one on, mostly, as far as it may be read at a time: as many tasks as are asked for, one mark
   * may stand for thousands; and the first of so many marks `beyond`, as some may not be taken.
   */
  #likely(marks: readonly AsideMark[], first: number, beyond: number): Interval[] {
    const likely: Interval[] = []
    let [left, more, room] = [this.#taking.remaining, beyond, 1]
    for (let i = first; i < marks.length && (left > 0 || more-- > 0) && room > 0; i++) {
      const mark = marks[i]
      if (!mark || mark.order > this.#taking.now) break
      const { lane, from, to } = mark
      const readable = this.#cache.readable(lane)
      const end = Math.min(to, from + Math.min(Math.max(1, left), readable))
      left -= end - from
      room -= (end - from) / readable
      likely.push({ lane, from, to: end })
    }
    return likely
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
      // Read with some that follow, if it is not here.
      if (!this.#blocks.at(mark.lane, p)) {
        const end = Math.min(mark.to, p + Math.min(ahead, this.#cache.readable(mark.lane)))
        yield* this.#blocks.need([{ lane: mark.lane, from: p, to: end }])
      }
      const block = this.#blocks.get(mark.lane, p)
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
        } else parkable -= this.#taking.parkingOf(block, until - p)
        p = end
      }
    }
    let rest: AsideMark | undefined = mark
    const cuts: Stretch[] = []
    for (const { from, to } of taken) extend(cuts, { from, to })
    for (const { from, to } of cuts)
      rest = rest && takeAside(this.#draft, rest, from, to).find((piece) => piece.from >= to)
    for (const { block, from, to } of taken) this.#taking.take(ledger, block, from, to, mark)
    return whole
  }
}
