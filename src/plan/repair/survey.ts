/** Reads a whole database, whatever is in it, a page at a time: what can be read, by kind, and what cannot. */
import { compareKeys, isList, type Key } from '../../keys.js'
import type { Lane, Position } from '../../task.js'
import type { Step } from '../ledger.js'
import {
  type AsideMark,
  type BatchMark,
  BLOCK_TASKS,
  type Block,
  type DeadMark,
  type LaneMark,
  type Ledger,
  type PartMark,
  type Root,
  type Store,
  type Table,
} from '../records.js'
import { fits, isCount, isOrigin } from '../shapes.js'
import type { Stretch } from '../stretches.js'
import { isMark, keyOf, ROOT, rawRange } from '../tables.js'
import type { Tally } from './tally.js'

/** Beyond the last block a lane may have lost so many positions; whatever claims to lie further out is junk. */
export const BEYOND = 1 << 20
/** Tasks in a page, about, and records. */
const PAGE_TASKS = 8192
const PAGE = { least: 32, most: 512 }
const END: Key = [[]]

/** Neighbouring blocks of one batch and stage (or of none). */
export interface Run extends Stretch {
  at: number
  batch?: string
  born?: number
  stage?: number
  start?: number
  indexes?: number[]
}

/** What the blocks of a lane come to. */
export interface Log {
  runs: Run[]
  starts: Position[]
  /** Where unreadable blocks lay, at most: positions that were given out must not be given out again. */
  broken: Stretch[]
  /** Blocks without inputs, of an earlier repair. */
  lost: Stretch[]
}

/** An outcome that can't be read: it ended before `to`, and began at `from` if that is known. */
export interface BrokenOutcome {
  to: Position
  from?: Position
}

export interface Survey {
  root: Root | undefined
  /** A root that can't be read. */
  brokenRoot: { record: unknown } | undefined
  ledgers: Map<string, Ledger>
  brokenLedgers: Map<string, unknown>
  laneMarks: Map<Lane, LaneMark>
  /** What marks of lanes say, readable or not. */
  origins: string[]
  asides: Map<Lane, AsideMark[]>
  gates: AsideMark[]
  batches: Map<string, BatchMark>
  brokenBatches: Map<string, unknown>
  parts: PartMark[]
  dead: DeadMark[]
  logs: Map<Lane, Log>
  /** To be removed: unreadable, or in the wrong place. */
  removals: { store: Store; key: Key }[]
}

export const emptySurvey = (): Survey => ({
  root: undefined,
  brokenRoot: undefined,
  ledgers: new Map(),
  brokenLedgers: new Map(),
  laneMarks: new Map(),
  origins: [],
  asides: new Map(),
  gates: [],
  batches: new Map(),
  brokenBatches: new Map(),
  parts: [],
  dead: [],
  logs: new Map(),
  removals: [],
})

export const belongs = <T extends Table>(table: T, key: Key, record: Parameters<typeof keyOf<T>>[1]): boolean =>
  compareKeys(keyOf(table, record), key) === 0

/** Hands over every record of a store with its key, in their order. `tasks`: how many are in a record, to size the pages. */
export function* scan(store: Store, each: (key: Key, record: unknown) => number): Step<void> {
  let from: Key = Number.NEGATIVE_INFINITY
  let last: Key | undefined
  let limit = PAGE.least
  for (;;) {
    const page = rawRange(store, from, END, limit)
    yield [page]
    let tasks = 0
    for (const [i, key] of page.keys.entries()) {
      if (last !== undefined && compareKeys(last, key) === 0) continue
      tasks += each(key, page.found[i])
    }
    if (page.keys.length < limit) return
    last = from = page.keys.at(-1) ?? END
    limit = Math.round(Math.min(PAGE.most, Math.max(PAGE.least, (PAGE_TASKS * page.keys.length) / Math.max(tasks, 1))))
  }
}

export function* surveyLedgers(survey: Survey, tally: Tally): Step<void> {
  yield* scan('ledger', (key, record) => {
    if (key === ROOT) {
      if (fits('root', record)) survey.root = record
      else survey.brokenRoot = { record }
    } else if (typeof key === 'string' && fits('ledger', record) && record.queue === key) {
      survey.ledgers.set(key, record)
    } else {
      tally.note('ledger')
      survey.removals.push({ store: 'ledger', key })
      if (typeof key === 'string') survey.brokenLedgers.set(key, record)
    }
    return 1
  })
}

export function* surveyMarks(survey: Survey, tally: Tally): Step<void> {
  yield* scan('marks', (key, record) => {
    const kind = isList(key) ? key[0] : undefined
    // Marks of kinds unknown here may be a newer version's.
    if (!isMark(kind)) return 1
    if (kind === 'lane') survey.origins.push(...originIn(record))
    if (take(survey, kind, key, record)) return 1
    tally.unreadable(kind, key)
    survey.removals.push({ store: 'marks', key })
    const id = isList(key) ? key[1] : undefined
    if (kind === 'batch' && typeof id === 'string') survey.brokenBatches.set(id, record)
    return 1
  })
}

export function originIn(record: unknown): string[] {
  const origin = typeof record === 'object' && record !== null && 'origin' in record ? record.origin : undefined
  return isOrigin(origin) ? [origin] : []
}

/** False: it can't be read, or belongs elsewhere. */
function take(survey: Survey, kind: Table, key: Key, record: unknown): boolean {
  if (kind === 'aside' && fits(kind, record) && belongs(kind, key, record)) {
    const marks = survey.asides.get(record.lane) ?? []
    survey.asides.set(record.lane, marks)
    marks.push(record)
  } else if (kind === 'gate' && fits(kind, record) && belongs(kind, key, record)) survey.gates.push(record)
  else if (kind === 'batch' && fits(kind, record) && belongs(kind, key, record)) survey.batches.set(record.id, record)
  else if (kind === 'part' && fits(kind, record) && belongs(kind, key, record)) survey.parts.push(record)
  else if (kind === 'dead' && fits(kind, record) && belongs(kind, key, record)) survey.dead.push(record)
  else if (kind === 'lane' && fits(kind, record) && belongs(kind, key, record))
    survey.laneMarks.set(record.lane, record)
  else return false
  return true
}

export const logOf = (survey: Survey, lane: Lane): Log => {
  const log = survey.logs.get(lane) ?? { runs: [], starts: [], broken: [], lost: [] }
  survey.logs.set(lane, log)
  return log
}

export function* surveyBlocks(survey: Survey, tally: Tally): Step<void> {
  yield* scan('blocks', (key, record) => {
    const [lane, from] = placeOf(key)
    const log = lane === undefined ? undefined : logOf(survey, lane)
    const end = log?.runs.at(-1)?.to ?? 0
    if (log && fits('block', record) && belongs('block', key, record) && record.from >= end) {
      addBlock(log, record)
      return record.lost ? 1 : record.to - record.from
    }
    tally.unreadable('block', key)
    survey.removals.push({ store: 'blocks', key })
    if (log && from !== undefined && from >= end) log.broken.push({ from, to: from + sizeOf(record, from) })
    return 1
  })
}

/** How many tasks an unreadable block had, by what it says itself; else as many as it can have had. */
function sizeOf(record: unknown, from: Position): number {
  const left = new Map(typeof record === 'object' && record !== null ? Object.entries(record) : [])
  if (left.get('from') !== from) return BLOCK_TASKS
  const [to, inputs] = [left.get('to'), left.get('inputs')]
  const sizes = [isCount(to) ? to - from : 0, Array.isArray(inputs) ? inputs.length : 0]
  const size = Math.max(...sizes.filter((one) => one > 0 && one <= BLOCK_TASKS))
  return size > 0 ? size : BLOCK_TASKS
}

/** Lane and position of a key of blocks or outcomes, as far as it is one. */
export function placeOf(key: Key): [lane: Lane | undefined, position: Position | undefined] {
  if (!isList(key) || key.length !== 2) return [undefined, undefined]
  const [lane, position] = key
  return isCount(lane) && isCount(position) ? [lane, position] : [undefined, undefined]
}

function addBlock(log: Log, block: Block): void {
  const { from, to, at, batch, born, stage, start, indexes, lost } = block
  log.starts.push(from)
  if (lost) log.lost.push({ from, to })
  const last = log.runs.at(-1)
  const follows = last?.to === from && last.batch === batch && last.born === born && last.stage === stage
  const inOrder =
    stage === undefined || (!indexes && !last?.indexes && (last?.start ?? 0) + from - (last?.from ?? 0) === start)
  // Of a plain batch, appends are told apart: they may be stretches of its input that are far from each other.
  if (last && follows && inOrder && (batch === undefined || last.at === at)) {
    last.to = to
    return
  }
  const run: Run = { from, to, at }
  if (batch !== undefined) run.batch = batch
  if (born !== undefined) run.born = born
  if (stage !== undefined) run.stage = stage
  if (start !== undefined) run.start = start
  if (indexes) run.indexes = indexes
  log.runs.push(run)
}
