import type { BatchView, Cursor } from '../backend.js'
import { type Hint, intervalsIn } from '../channel.js'
import type { Stage } from '../plan/records.js'
import { onward } from '../plan/stages.js'
import { together } from '../plan/stretches.js'
import type { Interval, Lane, Position, Result, TaskId } from '../task.js'
import type { Client } from './client.js'
import { BRIDGE, IndexSet, PartTable, type Spot } from './part-table.js'

/** An item of a batch that has ended, and where its result lies. */
export interface Found extends Spot {
  lane: Lane
  position: Position
  /** Of its last task; undefined: a filter left the item out. */
  result: Result | undefined
}

/** A result of this batch, before it is judged. */
type Placed = Found & { result: Result }

/** More hints than this are one hint to look everywhere. */
const HINTS = 1_000
/** Records (of up to 256 results) and parts in one read. */
const RESULTS_PAGE = 32
const PARTS_PAGE = 256

/**
 * Finds what has ended of a batch, each item once. It keeps positions and bits, no values. Hints narrow down where to
 * look; without them it looks at everything not seen yet.
 */
export class BatchReader {
  readonly #client: Client
  readonly #id: string
  readonly #stages: readonly Stage[]
  readonly #table: PartTable
  readonly #ended = new IndexSet()
  /** Where to look next; undefined: everywhere. */
  #dirty: Interval[] | undefined
  /** Reading the parts took more than a page, as it does while an early item keeps the others waiting: polls only. */
  #slowParts = false

  constructor(client: Client, view: BatchView) {
    this.#client = client
    this.#id = view.id
    this.#stages = view.stages ?? []
    this.#table = new PartTable(Math.max(1, this.#stages.length))
  }

  /** How many items were found so far. */
  get count(): number {
    return this.#ended.size
  }

  /** Notes what a hint says of where to look. Returns whether it concerns this batch. */
  hear(hint: Hint): boolean {
    if (hint.type === 'changed') {
      this.lookEverywhere()
      return true
    }
    if (hint.type !== 'ended') return false
    const known = hint.batches.includes(this.#id)
    let concerned = known
    for (const interval of intervalsIn(hint.intervals)) {
      if (!known && !this.#table.holds(interval)) continue
      this.#dirty?.push(interval)
      concerned = true
    }
    if (this.#dirty && this.#dirty.length > HINTS) this.lookEverywhere()
    return concerned
  }

  /** Whether the next look is at everything. */
  get looksEverywhere(): boolean {
    return this.#dirty === undefined
  }

  lookEverywhere(): void {
    this.#dirty = undefined
    this.#slowParts = false
  }

  /** What has ended since the last time, by the page: a promise for each result would cost more than reading it. `view` must have been read after the hints came. */
  async *fresh(view: BatchView): AsyncGenerator<readonly Found[], void, undefined> {
    const dirty = this.#dirty
    this.#dirty = []
    if (this.#table.known(0) < view.total || this.#stages.length > 1) await this.#readParts(view.total)
    const gaps = dirty
      ? together(dirty, BRIDGE).flatMap((interval) => this.#table.gapsIn(interval))
      : this.#table.gaps()
    for (const gap of gaps) {
      for await (const page of this.#pages(gap)) {
        const fresh = page.filter((placed) => this.#table.see(placed))
        yield (await this.#finish(fresh)).filter(({ index }) => this.#ended.add(index))
      }
    }
  }

  /** Reads results again that were found before, in order of position. Those that are no more there are undone. */
  async *again(stretch: Interval): AsyncGenerator<readonly Found[], void, undefined> {
    let next = stretch.from
    for await (const placed of this.#pages(stretch)) {
      const page = await this.#finish(placed)
      for (const found of page) {
        while (next < found.position) this.#undo(stretch.lane, next++)
        next++
      }
      yield page
    }
    while (next < stretch.to) this.#undo(stretch.lane, next++)
  }

  /** Its task was retried in the meantime: it is yet to end. */
  #undo(lane: Lane, position: Position): void {
    const spot = this.#table.locate(lane, position)
    if (!spot) return
    this.#ended.delete(spot.index)
    this.#table.unsee(spot.index)
    this.lookEverywhere()
  }

  async *#pages(interval: Interval): AsyncGenerator<Placed[], void, undefined> {
    let cursor: Cursor | undefined
    do {
      this.#client.check()
      const page = await this.#client.backend.read('ended', { ...interval, limit: RESULTS_PAGE }, cursor)
      yield this.#placed(page.items, interval.lane)
      cursor = page.next
    } while (cursor !== undefined)
  }

  async #readParts(total: number): Promise<void> {
    if (this.#slowParts) return
    for (let stage = 0; stage < Math.max(1, this.#stages.length); stage++) {
      const of = this.#stages[stage]
      if (of && 'field' in of) continue
      const start = this.#table.floor(stage, (index) => this.#ended.has(index), total)
      let cursor: Cursor | undefined
      let pages = 0
      do {
        this.#client.check()
        const query = { batch: this.#id, stage, start, limit: PARTS_PAGE }
        const page = await this.#client.backend.read('parts', query, cursor)
        for (const mark of page.items) this.#table.add(mark)
        cursor = page.next
        pages++
      } while (cursor !== undefined)
      if (pages > 1 && stage > 0) this.#slowParts = true
    }
  }

  /** Which items these are results of; those of other batches are left out. */
  #placed(results: readonly Result[], lane: Lane): Placed[] {
    const placed: Placed[] = []
    for (const result of results) {
      const position = positionOf(result.id)
      const spot = this.#table.locate(lane, position)
      if (spot) placed.push({ stage: spot.stage, index: spot.index, lane, position, result })
    }
    return placed
  }

  /** What became of the items: of those that go on to another stage, nothing yet. */
  async #finish(placed: readonly Placed[]): Promise<readonly Found[]> {
    if (this.#stages.length === 0) return placed
    const inputs = await this.#inputsOf(placed)
    return placed.flatMap((one): Found[] => {
      const { stage, result } = one
      if (result.status !== 'completed') return [one]
      const judged = this.#stages[stage]?.kind === 'filter'
      if (judged && result.value !== true) return [{ ...one, result: undefined }]
      if (judged && !inputs.has(result)) return []
      const item = judged ? inputs.get(result) : result.value
      const next = onward(this.#stages, stage, item)
      if (next.to === 'stage') return []
      return [{ ...one, result: next.to === 'end' ? { ...result, value: item } : undefined }]
    })
  }

  /** Filters pass on what they were given: the inputs of those tasks that returned true and may be the item's last. */
  async #inputsOf(placed: readonly Placed[]): Promise<Map<Result, unknown>> {
    const kept = placed.flatMap(({ stage, result }) => {
      const following = this.#stages[stage + 1]
      const isLast = this.#stages[stage]?.kind === 'filter' && (!following || 'field' in following)
      return isLast && result.status === 'completed' && result.value === true ? [result] : []
    })
    const views = kept.length > 0 ? await this.#client.backend.get(kept.map(({ id }) => id)) : []
    const inputs = new Map<Result, unknown>()
    kept.forEach((result, i) => {
      const view = views[i]
      if (view) inputs.set(result, view.input)
    })
    return inputs
  }
}

/** The last part of an id, which `parseId` finds as well, at five times the cost: here it is done for every result. */
const positionOf = (id: TaskId): Position => Number.parseInt(id.slice(id.lastIndexOf('-') + 1), 36)
