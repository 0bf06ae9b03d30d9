/** Outcomes: how positions end, what is counted with it, and how an ended position is taken back. */
import { roughSize } from '../rough-size.js'
import type { ErrorRecord, Interval, Lane, Position, Result, TaskId } from '../task.js'
import type { Draft } from './ledger.js'
import {
  BLOCK_BYTES,
  BLOCK_TASKS,
  type Block,
  CANCELLED,
  COMPLETED,
  type DeadMark,
  FAILED,
  nameAt,
  type Outcome,
} from './records.js'
import { extend } from './stretches.js'

/** A value larger than this gets a record of its own, so that its neighbours stay cheap to read. */
const OWN_RECORD_BYTES = 64 * 1024

/** How one position ends. Its place has been left already. */
export interface Ending {
  block: Block
  position: Position
  kind: typeof COMPLETED | typeof FAILED | typeof CANCELLED
  value: unknown
  /** Absent: there was no attempt. */
  startedAt?: number
  finishedAt?: number
  attempt: number
}

const stateOf = { [COMPLETED]: 'completed', [FAILED]: 'failed', [CANCELLED]: 'cancelled' } as const

/** Records endings, sorted by lane and position. Neighbours go into one record, whatever blocks they come from. */
export function writeOutcomes(draft: Draft, endings: readonly Ending[], now: number): void {
  let run: Ending[] = []
  let bytes = 0
  const flush = () => {
    writeRecord(draft, run, now)
    run = []
    bytes = 0
  }
  for (const ending of endings) {
    const size = roughSize(ending.value)
    const last = run.at(-1)
    if (last && !joins(last, ending)) flush()
    if (run.length === BLOCK_TASKS || bytes + size > BLOCK_BYTES || size > OWN_RECORD_BYTES) flush()
    run.push(ending)
    bytes += size
    if (size > OWN_RECORD_BYTES) flush()
  }
  flush()
}

/** A record is of one batch, or of none. */
const joins = (a: Ending, b: Ending): boolean =>
  a.position + 1 === b.position &&
  (a.block === b.block || (a.block.lane === b.block.lane && a.block.batch === b.block.batch))

function writeRecord(draft: Draft, run: readonly Ending[], now: number): void {
  const [first] = run
  if (!first) return
  const { block, position: from, kind } = first
  const times = new Float32Array(2 * run.length)
  run.forEach(({ startedAt = Number.NaN, finishedAt = now }, i) => {
    times[2 * i] = startedAt - now
    times[2 * i + 1] = finishedAt - now
  })
  const alike = run.every((ending) => ending.kind === kind)
  const outcome: Outcome = {
    lane: block.lane,
    from,
    to: from + run.length,
    at: now,
    kinds: alike ? kind : Uint8Array.from(run, (ending) => ending.kind),
    values: run.map(({ value }) => value),
    times,
    name: namesOf(run),
    enqueuedAt: block.at,
  }
  if (run.some((ending) => ending.block.at !== block.at)) {
    outcome.enqueued = Float64Array.from(run, (ending) => ending.block.at)
  }
  if (run.some(({ attempt }) => attempt !== 1)) outcome.attempts = run.map(({ attempt }) => attempt)
  if (block.batch !== undefined) outcome.batch = block.batch
  putOutcome(draft, outcome)
  if (alike) countEnded(draft, block.lane, kind, run.length)
  else for (const ending of run) countEnded(draft, block.lane, ending.kind, 1)
}

/** One name for all, or one for each. */
function namesOf(run: readonly Ending[]): string | string[] {
  const names = run.map(({ block, position }) => nameAt(block, position - block.from))
  const [first] = names
  return first !== undefined && names.every((name) => name === first) ? first : names
}

export function putOutcome(draft: Draft, outcome: Outcome): void {
  draft.store('outcome', outcome)
  for (const dead of deadRuns(draft, outcome)) draft.store('dead', dead)
}

export function removeOutcome(draft: Draft, outcome: Outcome): void {
  draft.erase('outcome', outcome)
  for (const dead of deadRuns(draft, outcome)) draft.erase('dead', dead)
}

const deadRuns = (draft: Draft, outcome: Outcome): DeadMark[] =>
  failedRuns(outcome, draft.place(outcome.lane).ledger.queue)

/** The failed stretches of an outcome: each is marked, so that failed tasks are listed without reading the others. */
export function failedRuns(outcome: Outcome, queue: string): DeadMark[] {
  return runsOf(outcome, FAILED).map((run) => ({ queue, at: outcome.at, ...run }))
}

/** The stretches of an outcome that ended in this way. */
export function runsOf(outcome: Outcome, kind: number): Interval[] {
  const { lane, from, to, kinds } = outcome
  if (typeof kinds === 'number') return kinds === kind ? [{ lane, from, to }] : []
  const runs: Interval[] = []
  for (let p = from; p < to; p++) if (kindAt(outcome, p) === kind) extend(runs, { lane, from: p, to: p + 1 })
  return runs
}

/** A long stretch cancelled at once: one record, without values or names, whatever its length. */
export function writeCancelled(
  draft: Draft,
  stretch: Interval & { attempts: number },
  now: number,
  reason: string | undefined,
): void {
  const { lane, from, to, attempts } = stretch
  const outcome: Outcome = { lane, from, to, at: now, kinds: CANCELLED }
  if (attempts > 0) outcome.attempts = attempts
  if (reason !== undefined) outcome.reason = reason
  putOutcome(draft, outcome)
  countEnded(draft, lane, CANCELLED, to - from)
}

function countEnded(draft: Draft, lane: Lane, kind: Ending['kind'], count: number): void {
  const { ledger } = draft.place(lane)
  ledger.ended[stateOf[kind]] += count
  draft.changed(ledger)
}

/** Takes one position out of an outcome. What is left of the outcome is returned, in up to two pieces. */
export function splitOutcome(draft: Draft, outcome: Outcome, p: Position): Outcome[] {
  const left: Outcome[] = []
  if (p > outcome.from) left.push(sliceOutcome(outcome, outcome.from, p))
  if (p + 1 < outcome.to) left.push(sliceOutcome(outcome, p + 1, outcome.to))
  removeOutcome(draft, outcome)
  for (const piece of left) putOutcome(draft, piece)
  countEnded(draft, outcome.lane, kindAt(outcome, p), -1)
  return left
}

/** The part of an outcome that covers [from, to). */
export function sliceOutcome(outcome: Outcome, from: Position, to: Position): Outcome {
  const [a, b] = [from - outcome.from, to - outcome.from]
  const { kinds, values, times, name, enqueued, attempts } = outcome
  const piece: Outcome = { ...outcome, from, to, kinds: typeof kinds === 'number' ? kinds : kinds.slice(a, b) }
  if (values) piece.values = values.slice(a, b)
  if (times) piece.times = times.slice(2 * a, 2 * b)
  if (typeof name === 'object') piece.name = name.slice(a, b)
  if (enqueued) {
    piece.enqueued = enqueued.slice(a, b)
    piece.enqueuedAt = enqueued[a] ?? outcome.at
  }
  if (typeof attempts === 'object') piece.attempts = attempts.slice(a, b)
  return piece
}

export function kindAt(outcome: Outcome, p: Position): Ending['kind'] {
  const kind = typeof outcome.kinds === 'number' ? outcome.kinds : outcome.kinds[p - outcome.from]
  return kind === COMPLETED || kind === FAILED ? kind : CANCELLED
}

export const stateAt = (outcome: Outcome, p: Position) => stateOf[kindAt(outcome, p)]

/** One position's outcome as a result. `block` gives what a long cancellation does not tell. */
export function resultAt(outcome: Outcome, p: Position, id: TaskId, block?: Block): Result {
  const i = p - outcome.from
  const attempts = typeof outcome.attempts === 'object' ? outcome.attempts[i] : outcome.attempts
  const started = outcome.times?.[2 * i]
  const ended = {
    id,
    name: outcome.name === undefined && block ? nameAt(block, p - block.from) : nameAt(outcome, i),
    attempts: attempts ?? (outcome.values ? 1 : 0),
    enqueuedAt: outcome.enqueued?.[i] ?? outcome.enqueuedAt ?? block?.at ?? outcome.at,
    ...(started === undefined || Number.isNaN(started) ? {} : { startedAt: Math.round(outcome.at + started) }),
    finishedAt: Math.round(outcome.at + (outcome.times?.[2 * i + 1] ?? 0)),
  }
  const kind = kindAt(outcome, p)
  const value = outcome.values?.[i]
  if (kind === COMPLETED) return { ...ended, status: 'completed', value }
  if (kind === FAILED) return { ...ended, status: 'failed', error: outcome.values ? asError(value) : damaged(outcome) }
  return { ...ended, status: 'cancelled', ...(outcome.reason === undefined ? {} : { reason: outcome.reason }) }
}

/** Only repairs record failures without values. */
const damaged = ({ reason = 'What was stored of it was damaged.' }: Outcome): ErrorRecord => ({
  name: 'DamagedError',
  code: 'damaged',
  message: reason,
  retryable: false,
})

/** A stored value of a failed task, which corruption might have turned into something else. */
function asError(value: unknown): ErrorRecord {
  const record = typeof value === 'object' && value !== null ? value : {}
  const name = 'name' in record && typeof record.name === 'string' ? record.name : 'Error'
  const message =
    'message' in record && typeof record.message === 'string' ? record.message : 'The error was not stored.'
  return { ...record, name, message }
}
