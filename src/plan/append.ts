/** Appending tasks to their lanes, with or without reading first. */
import type { BatchChunk, NewTask } from '../backend.js'
import { StorageError } from '../errors.js'
import type { Plan, ReadOf, Write } from '../storage.js'
import type { Lane, Position } from '../task.js'
import { setAside } from './aside.js'
import { checkGone, closeBatch, joinBatch, newBatch } from './batch.js'
import { type Appended, addPart, block, type Group, group } from './layout.js'
import { Draft, type Step } from './ledger.js'
import type { Block, LaneState, PartMark } from './records.js'
import { add, LAST, one, put, range, store } from './tables.js'

const isHeld = (task: { runAt?: number }, now: number) => (task.runAt ?? 0) > now

/** Whether these tasks can be appended without reading: nothing but blocks is written. */
export function isPlain(tasks: readonly Appended[], now: number, batch?: BatchChunk): boolean {
  return !batch && !tasks.some((task) => task.batch !== undefined || isHeld(task, now))
}

/** Appends at tails believed to be right. A wrong one finds its key taken, and the caller reads instead. */
export function* appendBlind(blocks: readonly Block[]): Plan<void> {
  const writes: Write[] = blocks.map((made) => add('block', [made.lane, made.from], made))
  return { writes, value: undefined }
}

const findLane = (draft: Draft, queue: string, priority: number, held: boolean) =>
  draft.ledgers.get(queue)?.lanes.find((state) => state.priority === priority && state.held === held)

/** The lane of a queue and priority, allotted if there is none yet. Needs ledgers and, for that, the root loaded. */
function laneFor(draft: Draft, queue: string, priority: number, held: boolean): LaneState {
  const ledger = draft.ledger(queue)
  const found = findLane(draft, queue, priority, held)
  if (found) return found
  if (!draft.root) throw new Error('sitq: a lane was asked for before the root was read')
  draft.checkLanes(draft.root)
  const state: LaneState = { lane: draft.root.nextLane++, priority, held, head: 0, block: 0, skips: 0, sweep: 0 }
  ledger.lanes.push(state)
  draft.addLedger(ledger)
  draft.setTail(state.lane, 0)
  draft.changed(ledger)
  draft.changedRoot()
  draft.writes.push(put('lane', state.lane, { lane: state.lane, queue, priority, held, origin: draft.root.origin }))
  return state
}

/**
 * Reads what appending these tasks needs (the tails of their lanes), in one wave. Needs ledgers loaded. Returns the
 * work to be done when everything the transaction reads is there: it writes, and returns where each task went.
 */
export function* prepareAppend(draft: Draft, tasks: readonly Appended[], now: number): Step<void> {
  const lanes = new Set<Lane>()
  let missing = false
  for (const task of tasks) {
    const state = findLane(draft, task.queue, task.priority, isHeld(task, now))
    if (state) lanes.add(state.lane)
    else missing = true
  }
  yield* draft.load({ tails: lanes, root: missing })
}

/** Writes tasks whose lanes are prepared. Returns the place of each, in order. */
export function writeAppend(
  draft: Draft,
  tasks: readonly Appended[],
  options: { now: number; nonce: string },
): { lane: Lane; position: Position }[] {
  const places: { lane: Lane; position: Position }[] = []
  const parts: PartMark[] = []
  for (const of of group(tasks, options.now)) {
    const state = laneFor(draft, of.queue, of.priority, of.runAt !== undefined)
    const from = draft.tail(state.lane)
    const made = block(tasks, of, { lane: state.lane, from, ...options })
    draft.writes.push(add('block', [made.lane, from], made))
    draft.setTail(state.lane, made.to)
    if (of.runAt !== undefined) hold(draft, state, made, of.queue, of.runAt)
    if (of.batch !== undefined) addPart(parts, tasks, of, { ...made, batch: of.batch })
    of.members.forEach((member, i) => {
      places[member] = { lane: made.lane, position: from + i }
    })
  }
  for (const mark of parts) {
    const stages = mark.stage === 0 && mark.start === 0 ? draft.batches.get(mark.batch)?.stages : undefined
    draft.writes.push(store('part', stages ? { ...mark, stages } : mark))
  }
  return places
}

function hold(draft: Draft, state: LaneState, made: Block, queue: string, runAt: number): void {
  state.head = made.to
  state.block = made.to
  const { lane, from, to } = made
  setAside(draft, { lane, from, to, queue, gate: state.priority, order: runAt, attempt: 1, crashes: 0 })
}

/** What came of an append: where each task is; undefined for those a batch had already. */
export interface AppendValue {
  places: ({ lane: Lane; position: Position } | undefined)[]
  /** Lanes and their tails after it, for whoever wants to append blindly next. */
  lanes: { queue: string; priority: number; lane: Lane; tail: Position }[]
}

/** Where an append was tried: its first block, and every task's place. */
export interface Tried {
  lane: Lane
  from: Position
  places: AppendValue['places']
}

/**
 * Appends after reading. `tried` is where an attempt at the same append put its blocks, of which nobody knows whether it
 * was committed (the storage lost its connection and ran it again): if a block there bears our nonce, it was. `again`: it may
 * have been, and nobody knows where: its blocks are looked for at the ends of their lanes.
 */
export function* append(
  tasks: readonly NewTask[],
  options: { now: number; nonce: string; batch?: BatchChunk; tried?: Tried; again?: boolean },
): Plan<AppendValue> {
  const { now, batch: chunk, tried } = options
  const draft = new Draft()
  if (tried) {
    const first = one('block', [tried.lane, tried.from])
    yield [first]
    if (first.found[0]?.nonce === options.nonce) return { writes: [], value: { places: tried.places, lanes: [] } }
  }
  yield* draft.load({ ledgers: true, batches: chunk ? [chunk.id] : [] })
  const stored = options.again ? yield* sought(draft, tasks, options) : undefined
  if (stored) return { writes: [], value: { places: stored, lanes: [] } }
  let fresh: Appended[] = tasks.map((task) => ({ ...task }))
  let ignored = 0
  if (chunk) {
    if (!draft.batches.has(chunk.id)) yield* checkGone([chunk.id])
    const batch = draft.batches.get(chunk.id) ?? newBatch(chunk.id, chunk.queue, now, chunk.stages)
    // Cancelled, or ended by someone: it takes no more, whatever an import still has.
    if (!batch.open) return draft.finish({ places: tasks.map(() => undefined), lanes: [] })
    // These inputs were stored by an earlier run of the same import. What tasks added to the batch is none of them.
    const imported = batch.total - (batch.joined ?? 0)
    // Not what comes before: of an import in a database that is no more, the rest would pass for the whole.
    if (chunk.offset > imported) {
      const message = `Batch ${chunk.id} has not its first ${chunk.offset} inputs here: import it again from its beginning.`
      throw new StorageError('lost', message)
    }
    ignored = Math.min(tasks.length, Math.max(0, imported - chunk.offset))
    fresh = fresh.slice(ignored)
    joinBatch(batch, fresh)
    batch.open = chunk.open
    closeBatch(batch, now)
    draft.changedBatch(batch)
  }
  yield* prepareAppend(draft, fresh, now)
  const places = writeAppend(draft, fresh, options)
  const lanes = [...draft.ledgers.values()].flatMap(({ queue, lanes: states }) =>
    states.flatMap(({ lane, priority, held }) =>
      held || !places.some((place) => place.lane === lane) ? [] : [{ queue, priority, lane, tail: draft.tail(lane) }],
    ),
  )
  return draft.finish({ places: [...Array<undefined>(ignored).fill(undefined), ...places], lanes })
}

/** Whoever did not hear the answer asks again within so long, in ms; and so many blocks may have come meanwhile. */
const AGAIN = 60_000
const BLOCKS = 256

/** Where the blocks of an append are that bear its nonce: of all of them, or of none. */
function* sought(
  draft: Draft,
  tasks: readonly NewTask[],
  { now, nonce, batch }: { now: number; nonce: string; batch?: BatchChunk },
): Step<AppendValue['places'] | undefined> {
  const groups = group(
    tasks.map((task) => (batch ? { ...task, batch: batch.id } : task)),
    now,
  )
  const lanes = new Map<Lane, ReadOf<'block'>>()
  const laneOf = ({ queue, priority, runAt }: Group) => findLane(draft, queue, priority, runAt !== undefined)?.lane
  for (const of of groups) {
    const lane = laneOf(of)
    if (lane === undefined) return undefined // it was allotted with the first block
    const options = { limit: BLOCKS + groups.length, reverse: true }
    lanes.set(lane, lanes.get(lane) ?? range('block', [lane, 0], [lane, LAST], options))
  }
  yield [...lanes.values()]
  const mine = new Map([...lanes].map(([lane, { found }]) => [lane, found.filter((made) => made.nonce === nonce)]))
  const places: AppendValue['places'] = []
  for (const of of groups) {
    const lane = laneOf(of) ?? Number.NaN
    const made = mine.get(lane)?.pop()
    if (!made) {
      const { found = [] } = lanes.get(lane) ?? {}
      const seenAll = found.length < BLOCKS + groups.length || (found.at(-1)?.at ?? now) < now - AGAIN
      if (seenAll && places.length === 0) return undefined
      throw new StorageError(
        'lost',
        'So much was stored since that nobody knows whether this was: look before you repeat it.',
      )
    }
    of.members.forEach((member, i) => {
      places[member] = { lane, position: made.from + i }
    })
  }
  return places
}
