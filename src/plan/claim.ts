/** Claiming: by queue, by priority; what is due from aside first, then the log. */
import type { Claimed, Exchange } from '../backend.js'
import { handlerGate } from '../gates.js'
import type { Position } from '../task.js'
import { dropSkips, setAside, takeAside } from './aside.js'
import type { BlockCache, Blocks } from './cache.js'
import { describe } from './claimed.js'
import { type Draft, encodeParts, overlap, type Part, partsOf, type Step, setHost } from './ledger.js'
import {
  type AsideMark,
  type Block,
  blockAt,
  LAST,
  type LaneState,
  type Ledger,
  nameAt,
  range,
  remove,
} from './records.js'

/** Tasks that crashed once run in small company, so that few suffer with them … */
const CRASHED_ONCE = 16
/** … those that crashed more often run alone. */
const ALONE = 2
/** Tasks parked in one transaction, at most; a mark costs as much as that of so many tasks, which one may stand for. */
const PARKED = 4096
const MARK = 8
/** Skips read at a time. */
const SKIPS = 64

/** What is known of a stretch that waited. */
type Waited = Pick<AsideMark, 'attempt' | 'crashes' | 'error'>

/** Queues in the order in which they are looked at: those named first, as named. */
export function inOrder(ledgers: Iterable<Ledger>, queues: readonly string[] = []): Ledger[] {
  const rank = ({ queue }: Ledger) => (queues.includes(queue) ? queues.indexOf(queue) : queues.length)
  return [...ledgers].sort((a, b) => rank(a) - rank(b))
}

/** One exchange's claim. */
export class Claim {
  readonly claimed: Claimed[] = []
  readonly parked = new Set<string>()
  /** There is more to claim than was asked for. */
  more = false
  /** When the next scheduled task is due. */
  wakeAt = Number.POSITIVE_INFINITY
  readonly #draft: Draft
  readonly #blocks: Blocks
  readonly #cache: BlockCache
  readonly #x: Exchange
  readonly #origin: string
  #limit = 0
  #names: ReadonlySet<string> | undefined
  readonly #taken = new Map<Ledger, Part[]>()
  #remaining = 0
  #parkable = PARKED
  #held = 0
  #crashedOnce = 0
  #alone = false

  constructor(draft: Draft, blocks: Blocks, cache: BlockCache, x: Exchange, origin: string) {
    this.#draft = draft
    this.#blocks = blocks
    this.#cache = cache
    this.#x = x
    this.#origin = origin
  }

  #count(part: Part): void {
    const size = part.to - part.from
    this.#held += size
    if (part.crashes === 1) this.#crashedOnce += size
    if (part.crashes >= ALONE) this.#alone = true
  }

  *run(wanted: { limit: number; names?: readonly string[]; queues?: readonly string[] }): Step<void> {
    this.#limit = wanted.limit
    this.#remaining = wanted.limit
    this.#names = wanted.names && new Set(wanted.names)
    for (const ledger of this.#draft.ledgers.values()) {
      for (const part of partsOf(ledger, this.#x.host)) this.#count(part)
    }
    for (const ledger of inOrder(this.#draft.ledgers.values(), wanted.queues)) {
      if ((ledger.pausedUntil ?? 0) > this.#x.now) {
        this.#wake(ledger.pausedUntil)
        continue
      }
      const priorities = new Set(ledger.lanes.map((state) => state.priority))
      for (const priority of [...priorities].sort((a, b) => a - b)) {
        yield* this.#due(ledger, priority)
        const state = ledger.lanes.find((lane) => lane.priority === priority && !lane.held)
        if (state) yield* this.#log(ledger, state)
      }
    }
    this.#writeParts()
  }

  get #full(): boolean {
    return this.#alone || this.#remaining <= 0 || this.#parkable <= 0
  }

  #wake(at = Number.POSITIVE_INFINITY): void {
    this.wakeAt = Math.min(this.wakeAt, at)
  }

  /** What is aside at this priority and due. */
  *#due(ledger: Ledger, priority: number): Step<void> {
    const count = ledger.aside[String(priority)]
    if (!count) return
    if (count.nextAt > this.#x.now) return this.#wake(count.nextAt)
    if (this.#full) return this.#leftOver()
    const limit = Math.min(this.#remaining, 512) + 1
    const marks = range('gate', [ledger.queue, priority], [ledger.queue, priority, LAST], { limit })
    yield [marks]
    yield* this.#blocks.need(marks.found.filter((mark) => mark.order <= this.#x.now))
    // Not later than what is left; exact unless there are more marks than were read.
    let next = marks.found.length < limit ? Number.POSITIVE_INFINITY : (marks.found.at(-1)?.order ?? 0)
    for (const mark of this.#draft.asides) {
      if (mark.queue === ledger.queue && mark.gate === priority) next = Math.min(next, mark.order)
    }
    let left = marks.found.filter((mark) => mark.order > this.#x.now || !this.#takeDue(ledger, mark))
    for (const mark of left) next = Math.min(next, mark.order)
    left = left.filter((mark) => mark.order <= this.#x.now)
    const waiting = ledger.aside[String(priority)]
    if (!waiting) return
    waiting.nextAt = next
    this.#draft.changed(ledger)
    if (next > this.#x.now) this.#wake(next)
    else if (left.length === 0 || left.some((mark) => !this.#waits(mark))) this.#leftOver()
  }

  /** There is more. What must wait for this host's own tasks to end is not: asking again at once would not help. */
  #leftOver(): void {
    if (!this.#alone) this.more = true
  }

  /** Whether what crashed has to wait for this host's own tasks to end. */
  #waits({ crashes }: AsideMark): boolean {
    return crashes >= ALONE ? this.#held > 0 : crashes === 1 && this.#crashedOnce >= CRASHED_ONCE
  }

  /** Claims what it may of a due mark. False: some of it stays. */
  #takeDue(ledger: Ledger, mark: AsideMark): boolean {
    let room = this.#full ? 0 : this.#remaining
    if (mark.crashes === 1) room = Math.min(room, CRASHED_ONCE - this.#crashedOnce)
    if (mark.crashes >= ALONE) {
      // Everyone else waits until it has had its turn alone; if it is only parked here, there is no turn to wait for.
      if (this.#waits(mark)) this.#alone = true
      room = this.#alone ? 0 : Math.min(room, 1)
    }
    const to = Math.min(mark.to, mark.from + Math.max(0, room))
    if (to === mark.from) return false
    takeAside(this.#draft, mark, mark.from, to)
    for (const { block, from, to: end } of this.#blocks.split({ lane: mark.lane, from: mark.from, to })) {
      this.#take(ledger, block, from, end, mark)
    }
    return to === mark.to
  }

  /** The log of one lane, from its head. */
  *#log(ledger: Ledger, state: LaneState): Step<void> {
    let p = state.head
    let skips = state.skips > 0 ? yield* this.#skips(state, p) : []
    while (!this.#full) {
      const skip = skips.find((mark) => mark.to > p)
      if (skip && skip.from <= p) {
        p = this.#jump(state, p, skip)
        if (skip === skips.at(-1) && skips.length === SKIPS) skips = yield* this.#skips(state, p)
        continue
      }
      const block = this.#blocks.at(state.lane, p)
      if (!block) {
        const read = yield* this.#read(state, p)
        if (read.length === 0) break
        // Positions of a lane are dense; should a block be gone all the same, those after it must not wait for it.
        p = Math.max(p, read[0]?.from ?? p)
        continue
      }
      const to = Math.min(block.to, p + this.#remaining, skip?.from ?? Number.POSITIVE_INFINITY)
      this.#take(ledger, block, p, to, { attempt: 1, crashes: 0 })
      p = to
    }
    if (this.#full) this.#leftOver()
    if (p !== state.head) {
      state.head = p
      state.block = this.#blocks.at(state.lane, p)?.from ?? p
      this.#draft.changed(ledger)
    }
    this.#predict(state)
  }

  *#skips(state: LaneState, p: Position): Step<AsideMark[]> {
    const marks = range('aside', [state.lane, p], [state.lane, LAST], { limit: SKIPS })
    yield [marks]
    return marks.found
  }

  /** Moves over positions that are not in line any more. */
  #jump(state: LaneState, p: Position, skip: AsideMark): Position {
    state.skips -= skip.to - Math.max(skip.from, p)
    // What was read may be replaced already: a task that this exchange put aside has its mark where the skip was.
    const replaced = this.#draft.asides.some((mark) => mark.lane === skip.lane && overlap(mark, skip))
    if (skip.gate === null && !replaced) this.#draft.writes.push(remove('aside', [skip.lane, skip.to - 1]))
    dropSkips(this.#draft, skip.lane, skip.from, skip.to)
    return skip.to
  }

  /** Reads as many blocks from a position on as are likely to be needed. */
  *#read({ lane, head, block }: LaneState, p: Position): Step<readonly Block[]> {
    const known = this.#blocks.rest(lane, p)
    if (known) return known
    const limit = this.#cache.estimate(lane, this.#remaining)
    const ahead = range('block', [lane, p === head ? block : p], [lane, LAST], { limit })
    // Skips end anywhere, in the middle of a block too.
    const around = blockAt(lane, p)
    yield p === head ? [ahead] : [around, ahead]
    this.#cache.measure(lane, ahead.found)
    const found = [...around.found.filter(({ to }) => to > p), ...ahead.found]
    this.#blocks.add(found)
    return found
  }

  /** Has the next exchange read ahead what this lane will need, in the same wave as the ledger. */
  #predict(state: LaneState): void {
    let p = state.head
    while (p < state.head + this.#limit) {
      const block = this.#blocks.at(state.lane, p)
      if (!block) break
      p = block.to
    }
    const missing = state.head + this.#limit - p
    const start = p === state.head ? state.block : p
    if (missing > 0)
      this.#cache.next.set(state.lane, { block: start, limit: this.#cache.estimate(state.lane, missing) })
    else this.#cache.next.delete(state.lane)
  }

  /** Claims, or parks, a stretch that has left the place where it waited. */
  #take(ledger: Ledger, block: Block, from: Position, to: Position, was: Waited): void {
    const names = this.#names
    const { attempt, crashes, error } = was
    let start = from
    while (start < to) {
      const name = nameAt(block, start - block.from)
      const served = !names || names.has(name)
      let end = start + 1
      // Served neighbours go together whatever their names; parked ones wait at the gate of their own handler.
      while (
        end < to &&
        (served ? !names || names.has(nameAt(block, end - block.from)) : nameAt(block, end - block.from) === name)
      )
        end++
      if (served) this.#lease(ledger, block, { from: start, to: end, attempt, crashes })
      else {
        const why = `No handler named '${name}' is served here.`
        const { lane } = block
        const gate = handlerGate(name)
        setAside(this.#draft, {
          queue: ledger.queue,
          lane,
          from: start,
          to: end,
          gate,
          order: 0,
          attempt,
          crashes,
          why,
          ...(error === undefined ? {} : { error }),
        })
        this.parked.add(name)
        this.#parkable -= Math.max(end - start, MARK)
      }
      start = end
    }
  }

  #lease(ledger: Ledger, block: Block, at: { from: Position; to: Position; attempt: number; crashes: number }): void {
    const { seq } = this.#x
    const part: Part = { seq, lane: block.lane, ...at }
    const taken = this.#taken.get(ledger) ?? []
    const last = taken.at(-1)
    const joins = last && last.lane === part.lane && last.to === part.from && last.attempt === part.attempt
    if (last && joins && last.crashes === part.crashes) last.to = part.to
    else taken.push({ ...part })
    this.#taken.set(ledger, taken)
    this.#count(part)
    this.#remaining -= part.to - part.from
    const priority = this.#draft.place(block.lane)?.state.priority ?? 0
    this.claimed.push(...describe(block, part, { queue: ledger.queue, priority, origin: this.#origin }))
  }

  #writeParts(): void {
    const { host, seq, until } = this.#x
    for (const [ledger, taken] of this.#taken) {
      setHost(ledger, host, { seq, until, parts: encodeParts([...partsOf(ledger, host), ...taken]) })
      this.#draft.changed(ledger)
    }
  }
}
