/** What a transaction has read and is going to write, and the counts that must balance in it. */
import type { Plan, Read, Write } from '../storage.js'
import type { HostId, Interval, Lane, Position } from '../task.js'
import { checksum } from './checksum.js'
import { DamagedError } from './damage.js'
import {
  type AsideCount,
  type AsideMark,
  type BatchMark,
  type HostEntry,
  type LaneState,
  type Ledger,
  PART_SIZE,
  type Root,
  type Table,
  type TableRecord,
} from './records.js'
import { allLedgers, erase, LAST, lastBlock, one, ROOT, range, store } from './tables.js'

/** Part of a plan: reads in waves and returns a value. */
export type Step<T> = Generator<readonly Read[], T, void>

/** A stretch that a host holds. */
export interface Part extends Interval {
  seq: number
  attempt: number
  crashes: number
}

/** A lane with the ledger it belongs to. */
export interface Place {
  ledger: Ledger
  state: LaneState
}

/**
 * The records a transaction works on. They are read once, changed in place, and written once at the end; what was not
 * marked as changed is not written.
 */
export class Draft {
  readonly ledgers = new Map<string, Ledger>()
  readonly batches = new Map<string, BatchMark>()
  readonly writes: Write[] = []
  /** Skips written by this transaction; see plan/aside.ts. */
  skips: AsideMark[] = []
  /** Marks written by this transaction, which its own reads don't see. */
  readonly asides: AsideMark[] = []
  root: Root | undefined
  #rootChanged = false
  readonly #tails = new Map<Lane, Position>()
  readonly #places = new Map<Lane, Place>()
  readonly #changedLedgers = new Set<Ledger>()
  readonly #changedBatches = new Set<BatchMark>()

  addLedger(ledger: Ledger): void {
    this.ledgers.set(ledger.queue, ledger)
    for (const state of ledger.lanes) this.#places.set(state.lane, { ledger, state })
  }

  /** Reads what is asked for and not read yet, in one wave, with any further reads the caller wants in the same wave. */
  *load(
    wanted: { ledgers?: boolean; root?: boolean; batches?: Iterable<string>; tails?: Iterable<Lane> },
    also: readonly Read[] = [],
  ): Step<void> {
    const ledgers = wanted.ledgers ? allLedgers() : undefined
    const root = wanted.root && !this.root ? one('root', ROOT) : undefined
    const batches = [...new Set(wanted.batches)].filter((id) => !this.batches.has(id)).map((id) => one('batch', id))
    const lanes = [...new Set(wanted.tails)].filter((lane) => !this.#tails.has(lane))
    const tails = lanes.map(lastBlock)
    const reads: Read[] = [...also, ...batches, ...tails]
    if (ledgers) reads.push(ledgers)
    if (root) reads.push(root)
    if (reads.length === 0) return
    yield reads
    for (const ledger of ledgers?.found ?? []) this.addLedger(ledger)
    if (root) this.root = root.found[0]
    for (const batch of batches) for (const found of batch.found) this.batches.set(found.id, found)
    tails.forEach((tail, i) => {
      const lane = lanes[i]
      if (lane === undefined) return
      this.#tails.set(lane, Math.max(this.#places.get(lane)?.state.head ?? 0, tail.found[0]?.to ?? 0))
    })
  }

  /** The ledger of a queue, new if the queue is; then the root must have been read. */
  ledger(queue: string): Ledger {
    let ledger = this.ledgers.get(queue)
    if (!ledger) {
      ledger = { queue, lanes: [], hosts: {}, ended: { completed: 0, failed: 0, cancelled: 0 }, pruned: 0, aside: {} }
      if (this.root?.pausedUntil !== undefined) ledger.pausedUntil = this.root.pausedUntil
      this.addLedger(ledger)
      this.changed(ledger)
    }
    return ledger
  }

  /** The ledger of a queue, if there is one, or without a queue all. */
  ledgersOf(queue?: string): Ledger[] {
    return [...this.ledgers.values()].filter((ledger) => queue === undefined || ledger.queue === queue)
  }

  has(lane: Lane): boolean {
    return this.#places.has(lane)
  }

  /** Of a lane that something stored is in. */
  place(lane: Lane): Place {
    const place = this.#places.get(lane)
    if (!place) throw new DamagedError('ledger', `no queue has lane ${lane}`)
    return place
  }

  /** Of a lane that was loaded. */
  tail(lane: Lane): Position {
    return this.#tails.get(lane) ?? this.#places.get(lane)?.state.head ?? 0
  }

  setTail(lane: Lane, tail: Position): void {
    this.#tails.set(lane, tail)
  }

  /** Lanes are allotted once and kept for ever: one that no ledger has is out of everyone's sight. */
  checkLanes({ nextLane }: Root): void {
    if (this.#places.size !== nextLane)
      throw new DamagedError('ledger', `${nextLane} lanes should be known, not ${this.#places.size}`)
  }

  changed(ledger: Ledger): void {
    this.#changedLedgers.add(ledger)
  }

  changedBatch(batch: BatchMark): void {
    this.batches.set(batch.id, batch)
    this.#changedBatches.add(batch)
  }

  changedRoot(): void {
    this.#rootChanged = true
  }

  get changedLedgers(): ReadonlySet<Ledger> {
    return this.#changedLedgers
  }

  get changedBatches(): readonly string[] {
    return [...this.#changedBatches].map((batch) => batch.id)
  }

  store<T extends Table>(table: T, record: TableRecord<T>): void {
    this.writes.push(store(table, record))
  }

  erase<T extends Table>(table: T, record: TableRecord<T>, last?: TableRecord<T>): void {
    this.writes.push(erase(table, record, last))
  }

  finish<T>(value: T): { writes: readonly Write[]; value: T } {
    if (this.#rootChanged && this.root) this.store('root', this.root)
    for (const ledger of this.#changedLedgers) this.store('ledger', sealed(ledger))
    for (const batch of this.#changedBatches) this.store('batch', batch)
    return { writes: this.writes, value }
  }
}

/** With its checksum: to be written. */
export const sealed = (ledger: Ledger): Ledger => Object.assign(ledger, { check: checksum(ledger) })

/** The plan that makes the database's root, or finds it; the ledgers must have every lane that it has allotted. */
export function* rootPlan(fresh: Root): Plan<Root> {
  const draft = new Draft()
  yield* draft.load({ ledgers: true, root: true })
  const { root } = draft
  if (root) {
    draft.checkLanes(root)
    return { writes: [], value: root }
  }
  const block = range('block', [0], [Number.POSITIVE_INFINITY, LAST], { limit: 1 })
  yield [block]
  if (draft.ledgers.size > 0 || block.found.length > 0)
    throw new DamagedError('root', 'there are tasks, and it is gone')
  return { writes: [store('root', fresh)], value: fresh }
}

/** Of these queues. */
export const lanesOf = (ledgers: readonly Ledger[]): Lane[] =>
  ledgers.flatMap(({ lanes }) => lanes.map(({ lane }) => lane))

export function decodeParts(flat: Float64Array): Part[] {
  const parts: Part[] = []
  for (let i = 0; i + PART_SIZE <= flat.length; i += PART_SIZE) {
    const [seq = 0, lane = 0, from = 0, to = 0, attempt = 1, crashes = 0] = flat.subarray(i, i + PART_SIZE)
    parts.push({ seq, lane, from, to, attempt, crashes })
  }
  return parts
}

export function encodeParts(parts: readonly Part[]): Float64Array {
  const flat = new Float64Array(parts.length * PART_SIZE)
  parts.forEach((p, i) => {
    flat.set([p.seq, p.lane, p.from, p.to, p.attempt, p.crashes], i * PART_SIZE)
  })
  return flat
}

/** How many positions a host holds. */
export function heldCount(flat: Float64Array): number {
  let held = 0
  for (let i = 0; i + PART_SIZE <= flat.length; i += PART_SIZE) held += (flat[i + 3] ?? 0) - (flat[i + 2] ?? 0)
  return held
}

/** Own entries only: a host or queue may be named `__proto__`. */
export function hostEntry(ledger: Ledger, host: HostId): HostEntry | undefined {
  return Object.hasOwn(ledger.hosts, host) ? ledger.hosts[host] : undefined
}

/** Makes or replaces a host's entry: an assignment would do something else to a host named `__proto__`. */
export function setHost(ledger: Ledger, host: HostId, entry: HostEntry): void {
  ledger.hosts = { ...ledger.hosts, [host]: entry }
}

/** What a host holds in all queues, as it is stored; undefined if it has no entry anywhere: it is new, or was voided. */
export function heldBy(draft: Draft, host: HostId): Float64Array | undefined {
  const entries = [...draft.ledgers.values()].flatMap((ledger) => hostEntry(ledger, host) ?? [])
  return entries.length > 0 ? Float64Array.from(entries.flatMap(({ parts }) => [...parts])) : undefined
}

/** What a host holds in a queue. */
export function partsOf(ledger: Ledger, host: HostId): Part[] {
  const entry = hostEntry(ledger, host)
  return entry ? decodeParts(entry.parts) : []
}

/** What all hosts hold in a queue. */
export const leasedIn = ({ hosts }: Ledger): Part[] => Object.values(hosts).flatMap(({ parts }) => decodeParts(parts))

/** Counts positions into (or, negative, out of) what is aside at a priority, or behind string gates. */
export function countAside(ledger: Ledger, gate: number | string, order: number, count: number): void {
  const key = typeof gate === 'string' ? 'blocked' : String(gate)
  const entry: AsideCount = ledger.aside[key] ?? { ready: 0, waiting: 0, nextAt: Number.POSITIVE_INFINITY }
  if (typeof gate === 'number' && order === 0) entry.ready += count
  else entry.waiting += count
  if (count > 0 && typeof gate === 'number') entry.nextAt = Math.min(entry.nextAt, order)
  if (entry.ready + entry.waiting === 0) delete ledger.aside[key]
  else ledger.aside[key] = entry
}
