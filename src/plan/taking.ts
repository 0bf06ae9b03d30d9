/** What one exchange may still claim, and claiming it. */
import type { Claimed, Exchange } from '../backend.js'
import { handlerGate } from '../gates.js'
import type { Position } from '../task.js'
import { setAside } from './aside.js'
import type { BlockCache } from './cache.js'
import { describe } from './claimed.js'
import { DamagedError } from './damage.js'
import { type Draft, encodeParts, type Part, partsOf, setHost } from './ledger.js'
import { type AsideMark, type Block, type Ledger, nameAt } from './records.js'
import { extend } from './stretches.js'

/** Tasks that crashed once run in small company, so that few suffer with them … */
const CRASHED_ONCE = 16
/** … those that crashed more often run alone. */
export const ALONE = 2
/** Tasks parked in one transaction, at most; a mark costs as much as that of so many tasks, which one may stand for. */
const PARKED = 4096
const MARK = 8

/** What is claimed in one transaction has inputs of about so many bytes, and one task's more, at most: all are in memory at once. */
const CLAIMED_BYTES = 16 * 1024 * 1024
/** The same holds for what is parked, whose blocks are read to know its names: so many bytes cost as much as a task. */
const PARKED_BYTES = CLAIMED_BYTES / PARKED

/** What is known of a stretch that waited. */
type Waited = Pick<AsideMark, 'attempt' | 'crashes' | 'error'>

/** But for where they are. */
const isSame = (a: Part, b: Part): boolean => a.lane === b.lane && a.attempt === b.attempt && a.crashes === b.crashes

export class Taking {
  readonly claimed: Claimed[] = []
  readonly parked = new Set<string>()
  /** Queues that are paused. */
  readonly paused: string[] = []
  /** There is more to claim than was asked for. */
  more = false
  /** When the next scheduled task is due. */
  wakeAt = Number.POSITIVE_INFINITY
  /** Tasks asked for. */
  readonly limit: number
  remaining: number
  parkable = PARKED
  bytes = CLAIMED_BYTES
  /** One runs alone, or has to: nothing else is claimed. */
  alone = false
  readonly #draft: Draft
  readonly #cache: BlockCache
  readonly #x: Exchange
  readonly #origin: string
  readonly #names: ReadonlySet<string> | undefined
  readonly #taken = new Map<Ledger, Part[]>()
  #held = 0
  #crashedOnce = 0

  constructor(
    draft: Draft,
    cache: BlockCache,
    x: Exchange,
    wanted: { limit: number; names?: readonly string[] },
    origin: string,
  ) {
    this.#draft = draft
    this.#cache = cache
    this.#x = x
    this.#origin = origin
    this.limit = this.remaining = wanted.limit
    this.#names = wanted.names && new Set(wanted.names)
    for (const ledger of draft.ledgers.values()) for (const part of partsOf(ledger, x.host)) this.#count(part)
  }

  #count(part: Part): void {
    const size = part.to - part.from
    this.#held += size
    if (part.crashes === 1) this.#crashedOnce += size
    if (part.crashes >= ALONE) this.alone = true
  }

  get now(): number {
    return this.#x.now
  }

  get full(): boolean {
    return this.alone || this.remaining <= 0 || this.parkable <= 0 || this.bytes <= 0
  }

  wake(at = Number.POSITIVE_INFINITY): void {
    this.wakeAt = Math.min(this.wakeAt, at)
  }

  /** There is more. What must wait for this host's own tasks to end is not: asking again at once would not help. */
  leftOver(): void {
    if (!this.alone) this.more = true
  }

  /** Whether what crashed has to wait for this host's own tasks to end. */
  waits({ crashes }: AsideMark): boolean {
    return crashes >= ALONE ? this.#held > 0 : crashes === 1 && this.#crashedOnce >= CRASHED_ONCE
  }

  /** How many tasks that crashed so often may be claimed. */
  room({ crashes }: AsideMark): number {
    if (crashes >= ALONE) return this.#held > 0 ? 0 : 1
    return crashes === 1 ? Math.max(0, CRASHED_ONCE - this.#crashedOnce) : Number.POSITIVE_INFINITY
  }

  /** What parking so many tasks of a block takes of `parkable`. */
  parkingOf(block: Block, tasks: number): number {
    return Math.max(tasks, MARK, Math.ceil(this.#cache.sizeOf(block, tasks) / PARKED_BYTES))
  }

  /** Claims, or parks, a stretch that has left the place where it waited. */
  take(ledger: Ledger, block: Block, from: Position, to: Position, was: Waited): void {
    if (block.lost) throw new DamagedError('block', `that of task ${block.lane}/${from} has lost its inputs`)
    const { attempt, crashes, error } = was
    let start = from
    while (start < to) {
      const { name, served, end } = this.alike(block, start, to)
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
        this.parkable -= this.parkingOf(block, end - start)
      }
      start = end
    }
  }

  /** Neighbours that go together: those that are served, whatever their names; parked ones wait at the gate of their own handler. */
  alike(block: Block, from: Position, to: Position): { name: string; served: boolean; end: Position } {
    const names = this.#names
    const name = nameAt(block, from - block.from)
    const served = names?.has(name) ?? true
    if (!names || typeof block.name === 'string') return { name, served, end: to }
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
    extend(taken, part, isSame)
    this.#taken.set(ledger, taken)
    this.#count(part)
    const count = part.to - part.from
    this.remaining -= count
    this.bytes -= this.#cache.sizeOf(block, count)
    const { priority } = this.#draft.place(block.lane).state
    this.claimed.push(...describe(block, part, { queue: ledger.queue, priority, origin: this.#origin }))
  }

  writeParts(): void {
    const { host, seq, until } = this.#x
    for (const [ledger, taken] of this.#taken) {
      setHost(ledger, host, { seq, until, parts: encodeParts([...partsOf(ledger, host), ...taken]) })
      this.#draft.changed(ledger)
    }
  }
}
