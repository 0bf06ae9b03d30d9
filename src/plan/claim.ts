/** Claiming: by queue, by priority; what is due from aside first, then the log. */
import type { Claimed, Exchange } from '../backend.js'
import { handlerGate } from '../gates.js'
import type { Key, ReadOf } from '../storage.js'
import type { Position } from '../task.js'
import { dropSkips, setAside, takeAside } from './aside.js'
import type { BlockCache, Blocks } from './cache.js'
import { describe } from './claimed.js'
import { DamagedError } from './damage.js'
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
/** Marks of what is due, read at a time, at most. */
const MARKS = 512
/** Skips read at a time. */
const SKIPS = 64

/** What is known of a stretch that waited. */
type Waited = Pick<AsideMark, 'attempt' | 'crashes' | 'error'>

/** Queues in the order in which they are looked at: those named first, as named. */
export function inOrder(ledgers: Iterable<Ledger>, queues: readonly string[] = []): Ledger[] {
  const rank = ({ queue }: Ledger) => (queues.includes(queue) ? queues.indexOf(queue) : queues.length)
  return [...ledgers].sort((a, b) => rank(a) - rank(b))
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
    let next = Number.POSITIVE_INFINITY
    let left = false
    // What this exchange has put aside itself is not read: it is there for the next one.
    for (const mark of this.#draft.asides) {
      if (mark.queue !== ledger.queue || mark.gate !== priority) continue
      next = Math.min(next, mark.order)
      left ||= mark.order <= this.#x.now
    }
    const known = this.#known(ledger, priority)
    let [read, all] = [0, true]
    let from: Key = [ledger.queue, priority]
    for (;;) {
      const limit = Math.min(this.#remaining, MARKS) + 1
      const marks: ReadOf<'gate'> = range('gate', from, [ledger.queue, priority, LAST], { limit })
      yield [marks]
      yield* this.#blocks.need(marks.found.filter((mark) => mark.order <= this.#x.now))
      for (const mark of marks.found) {
        read += mark.to - mark.from
        if (mark.order <= this.#x.now && this.#takeDue(ledger, mark)) continue
        next = Math.min(next, mark.order)
        left ||= mark.order <= this.#x.now && !this.#waits(mark)
      }
      const last = marks.found.at(-1)
      all = marks.found.length < limit
      if (!last || all || last.order > this.#x.now) break
      if (this.#full) {
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
    if (next > this.#x.now) this.#wake(next)
    else if (left) this.#leftOver()
  }

  /** How many tasks wait at a priority, as the ledger says, but for what this exchange has put there. */
  #known(ledger: Ledger, priority: number): number {
    const { ready = 0, waiting = 0 } = ledger.aside[String(priority)] ?? {}
    const own = this.#draft.asides.filter((mark) => mark.queue === ledger.queue && mark.gate === priority)
    return own.reduce((sum, { from, to }) => sum - (to - from), ready + waiting)
  }

  /** There is more. What must wait for this host's own tasks to end is not: asking again at once would not help. */
  #leftOver(): void {
    if (!this.#alone) this.more = true
  }

  /** Whether what crashed has to wait for this host's own tasks to end. */
  #waits({ crashes }: AsideMark): boolean {
    return crashes >= ALONE ? this.#held > 0 : crashes === 1 && this.#crashedOnce >= CRASHED_ONCE
  }

  /** Claims what it may of a due mark, and parks what is not served here. False: some of it stays. */
  #takeDue(ledger: Ledger, mark: AsideMark): boolean {
    const taken: { block: Block; from: Position; to: Position }[] = []
    let [room, remaining, parkable] = [this.#room(mark), this.#remaining, this.#parkable]
    let whole = true
    for (const { block, from, to } of this.#blocks.split(mark)) {
      for (let p = from; p < to; ) {
        const { served, end } = this.#alike(block, p, to)
        const full = this.#alone || remaining <= 0 || parkable <= 0
        const most = full ? 0 : served ? Math.min(room, remaining) : parkable
        const until = Math.min(end, p + most)
        if (until > p) taken.push({ block, from: p, to: until })
        if (until < end) whole = false
        if (served) {
          room -= until - p
          remaining -= until - p
          // Everyone else waits until it has had its turn alone; if it is only parked here, there is no turn to wait for.
          if (mark.crashes >= ALONE && !full) this.#alone = true
        } else parkable -= until - p
        p = end
      }
    }
    let rest: AsideMark | undefined = mark
    for (const { from, to } of merged(taken))
      rest = rest && takeAside(this.#draft, rest, from, to).find((piece) => piece.from >= to)
    for (const { block, from, to } of taken) this.#take(ledger, block, from, to, mark)
    return whole
  }

  /** How many tasks that crashed so often may be claimed. */
  #room({ crashes }: AsideMark): number {
    if (crashes >= ALONE) return this.#held > 0 ? 0 : 1
    return crashes === 1 ? Math.max(0, CRASHED_ONCE - this.#crashedOnce) : Number.POSITIVE_INFINITY
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
        // Positions of a lane are dense.
        if (!this.#blocks.at(state.lane, p)) throw new DamagedError('block', `that of task ${state.lane}/${p} is gone`)
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
    if (block.lost) throw new DamagedError('block', `that of task ${block.lane}/${from} has lost its inputs`)
    const { attempt, crashes, error } = was
    let start = from
    while (start < to) {
      const { name, served, end } = this.#alike(block, start, to)
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

  /** Neighbours that go together: those that are served, whatever their names; parked ones wait at the gate of their own handler. */
  #alike(block: Block, from: Position, to: Position): { name: string; served: boolean; end: Position } {
    const names = this.#names
    const name = nameAt(block, from - block.from)
    if (!names) return { name, served: true, end: to }
    const served = names.has(name)
    let end = from + 1
    for (; end < to; end++) {
      const next = nameAt(block, end - block.from)
      if (served ? !names.has(next) : next !== name) break
    }
    return { name, served, end }
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
