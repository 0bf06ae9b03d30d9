/** Appending tasks to their lanes, with or without reading first. */
import type { BatchChunk } from '../backend.js'
import { StorageError } from '../errors.js'
import { KeyTakenError, type Plan, type ReadOf } from '../storage.js'
import type { Lane, Position } from '../task.js'
import { setAllAside } from './aside.js'
import { checkGone, closeBatch, joinBatch, newBatch } from './batch.js'
import { block, countOf, type Joined, layOut, type NewTasks, partsOf, type Stretch } from './layout.js'
import { Draft, type Step } from './ledger.js'
import type { AsideMark, BatchMark, Block, LaneState, PartMark } from './records.js'
import { add, LAST, one, range, store } from './tables.js'

/** Where the next chunk of a batch goes on, if nobody else has added to it. */
export type Expected = Pick<BatchMark, 'id' | 'createdAt' | 'total' | 'joined' | 'stages'>

/**
 * What goes with blocks that are added at tails believed to be right: a wrong one finds its key taken, and the caller reads
 * instead. For most that is nothing. Of a chunk, the batch is counted, and one that is not as expected means the same as a taken key.
 */
export function* joinBlind(
  parts: readonly PartMark[],
  chunk?: { expected: Expected; open: boolean; now: number },
): Plan<void> {
  if (!chunk) return { writes: [], value: undefined }
  const { expected, open, now } = chunk
  const read = one('batch', expected.id)
  yield [read]
  const [batch] = read.found
  if (!batch?.open || batch.total !== expected.total || batch.createdAt !== expected.createdAt) {
    throw new KeyTakenError('The batch has moved.')
  }
  batch.total += parts.reduce((sum, { from, to }) => sum + to - from, 0)
  batch.open = open
  closeBatch(batch, now)
  return { writes: [...parts.map((mark) => store('part', mark)), store('batch', batch)], value: undefined }
}

const findLane = (draft: Draft, { queue, priority, runAt }: Stretch) =>
  draft.ledgers.get(queue)?.lanes.find((state) => state.priority === priority && state.held === (runAt !== undefined))

/** The lane of a stretch, allotted if there is none yet. Needs ledgers and, for that, the root loaded. */
function laneFor(draft: Draft, stretch: Stretch): LaneState {
  const found = findLane(draft, stretch)
  if (found) return found
  if (!draft.root) throw new Error('sitq: a lane was asked for before the root was read')
  draft.checkLanes(draft.root)
  const { queue, priority } = stretch
  const held = stretch.runAt !== undefined
  const ledger = draft.ledger(queue)
  const state: LaneState = { lane: draft.root.nextLane++, priority, held, head: 0, block: 0, skips: 0, sweep: 0 }
  ledger.lanes.push(state)
  draft.addLedger(ledger)
  draft.setTail(state.lane, 0)
  draft.changed(ledger)
  draft.changedRoot()
  draft.store('lane', { lane: state.lane, queue, priority, held, origin: draft.root.origin })
  return state
}

/** Reads what writing these needs (the tails of their lanes; of held ones it is the head), in one wave. Needs ledgers loaded. */
export function* prepareAppend(draft: Draft, stretches: readonly Stretch[]): Step<void> {
  const states = stretches.map((stretch) => findLane(draft, stretch))
  const inLine = states.flatMap((state) => (state && !state.held ? state.lane : []))
  yield* draft.load({ tails: inLine, root: states.includes(undefined) })
}

/** Writes stretches whose lanes are prepared. Returns where each begins, in order. */
export function writeAppend(
  draft: Draft,
  stretches: readonly Stretch[],
  options: { now: number; nonce: string },
): Start[] {
  const held: AsideMark[] = []
  const blocks = stretches.map((stretch) => {
    const state = laneFor(draft, stretch)
    const { lane } = state
    const from = draft.tail(lane)
    const made = block(stretch, { lane, from, ...options })
    draft.writes.push(add('block', [lane, from], made))
    draft.setTail(lane, made.to)
    if (stretch.runAt !== undefined) {
      state.head = made.to
      state.block = made.to
      held.push(...waitsOf(stretch, made, state.priority))
    }
    return made
  })
  setAllAside(draft, held)
  for (const mark of partsOf(stretches, blocks)) {
    const stages = mark.stage === 0 && mark.start === 0 ? draft.batches.get(mark.batch)?.stages : undefined
    draft.store('part', stages ? { ...mark, stages } : mark)
  }
  return blocks.map(({ lane, from }) => ({ lane, from }))
}

/** What is due at the same time waits behind one mark. */
function* waitsOf({ queue, runAt = 0 }: Stretch, { lane, from, to }: Block, gate: number): Generator<AsideMark> {
  const wait = { queue, lane, gate, attempt: 1, crashes: 0 }
  if (typeof runAt === 'number') return yield { ...wait, from, to, order: runAt }
  let start = 0
  for (let end = 1; end <= runAt.length; end++) {
    const order = runAt[start] ?? 0
    if (runAt[end] === order) continue
    yield { ...wait, from: from + start, to: from + end, order }
    start = end
  }
}

/** Where a block begins. */
export interface Start {
  lane: Lane
  from: Position
}

/** What came of an append. */
export interface AppendValue {
  /** So many tasks, the first ones, were left out: their batch had them, or it takes no more. */
  ignored: number
  /** The blocks of the others: what they hold, and where. */
  stretches: readonly Stretch[]
  starts: readonly Start[]
  /** The batch they joined. */
  batch?: BatchMark
  /** Lanes and their tails after it, for whoever wants to append blindly next. */
  lanes: { queue: string; priority: number; lane: Lane; tail: Position }[]
}

/**
 * Appends after reading. `tried` is what came of an attempt at the same append, of which nobody knows whether it
 * was committed (the storage lost its connection and ran it again): if a block there bears our nonce, it was. `again`: it may
 * have been, and nobody knows where: its blocks are looked for at the ends of their lanes.
 */
export function* append(
  tasks: NewTasks,
  options: { now: number; nonce: string; batch?: BatchChunk; tried?: AppendValue; again?: boolean },
): Plan<AppendValue> {
  const { now, batch: chunk, tried } = options
  const draft = new Draft()
  const [before] = tried?.starts ?? []
  if (tried && before) {
    const first = one('block', [before.lane, before.from])
    yield [first]
    if (first.found[0]?.nonce === options.nonce) return { writes: [], value: tried }
  }
  yield* draft.load({ ledgers: true, batches: chunk ? [chunk.id] : [] })
  if (options.again) {
    const value = yield* sought(draft, tasks, options)
    if (value) return { writes: [], value }
  }
  const count = countOf(tasks)
  let ignored = 0
  let joined: Joined | undefined
  let batch: BatchMark | undefined
  if (chunk) {
    if (!draft.batches.has(chunk.id)) yield* checkGone([chunk.id])
    batch = draft.batches.get(chunk.id) ?? newBatch(chunk.id, chunk.queue, now, chunk.stages)
    // Cancelled, or ended by someone: it takes no more, whatever an import still has.
    if (!batch.open) return draft.finish({ ignored: count, stretches: [], starts: [], lanes: [] })
    // These inputs were stored by an earlier run of the same import. What tasks added to the batch is none of them.
    const imported = batch.total - (batch.joined ?? 0)
    // Not what comes before: of an import in a database that is no more, the rest would pass for the whole.
    if (chunk.offset > imported) {
      const message = `Batch ${chunk.id} has not its first ${chunk.offset} inputs here: import it again from its beginning.`
      throw new StorageError('lost', message)
    }
    ignored = Math.min(count, Math.max(0, imported - chunk.offset))
    joined = joinBatch(batch, count - ignored)
    batch.open = chunk.open
    closeBatch(batch, now)
    draft.changedBatch(batch)
  }
  const stretches = layOut(tasks, now, ignored, joined)
  yield* prepareAppend(draft, stretches)
  const starts = writeAppend(draft, stretches, options)
  const lanes = [...draft.ledgers.values()].flatMap(({ queue, lanes: states }) =>
    states.flatMap(({ lane, priority, held }) =>
      held || !starts.some((start) => start.lane === lane) ? [] : [{ queue, priority, lane, tail: draft.tail(lane) }],
    ),
  )
  return draft.finish({ ignored, stretches, starts, lanes, ...(batch ? { batch } : {}) })
}

/** Whoever did not hear the answer asks again within so long, in ms; and so many blocks may have come meanwhile. */
const AGAIN = 60_000
const BLOCKS = 256

/**
 * What came of an append whose blocks bear this nonce; undefined: nothing that counts. All of it was stored, or nothing. Where
 * the chunk of a batch is not found the batch tells the rest: it counts what it has, so that nothing is added twice.
 */
function* sought(
  draft: Draft,
  tasks: NewTasks,
  { now, nonce, batch: chunk }: { now: number; nonce: string; batch?: BatchChunk },
): Step<AppendValue | undefined> {
  const joined = chunk && { batch: chunk.id }
  const all = layOut(tasks, now, 0, joined)
  const lanes = new Map<Lane, ReadOf<'block'>>()
  const limit = BLOCKS + all.length
  for (const stretch of all) {
    const lane = findLane(draft, stretch)?.lane
    if (lane === undefined) return undefined // it was allotted with the first block
    lanes.set(lane, lanes.get(lane) ?? range('block', [lane, 0], [lane, LAST], { limit, reverse: true }))
  }
  if (lanes.size === 0) return undefined // the end of a batch's input, or nothing at all
  yield [...lanes.values()]
  const mine = new Map([...lanes].map(([lane, { found }]) => [lane, found.filter((made) => made.nonce === nonce)]))
  const stored = [...mine.values()].flat().reduce((sum, { from, to }) => sum + to - from, 0)
  // Each of its lanes would have a block of it.
  const isSeen = ({ found }: ReadOf<'block'>) => found.length < limit || (found.at(-1)?.at ?? now) < now - AGAIN
  if (stored === 0 && (chunk || [...lanes.values()].some(isSeen))) return undefined
  // The first ones of a chunk were left out if the batch had them.
  const ignored = chunk ? Math.max(0, countOf(tasks) - stored) : 0
  const stretches = layOut(tasks, now, ignored, joined)
  const starts = stretches.flatMap((stretch): Start[] => {
    const made = mine.get(findLane(draft, stretch)?.lane ?? Number.NaN)?.pop()
    return made && made.to - made.from === stretch.content.inputs.length ? [{ lane: made.lane, from: made.from }] : []
  })
  if (starts.length === stretches.length) return { ignored, stretches, starts, lanes: [] }
  if (chunk) return undefined
  throw new StorageError(
    'lost',
    'So much was stored since that nobody knows whether this was: look before you repeat it.',
  )
}
