/**
 * Makes a database whole again, whatever has happened to its records: what can be told from others is made again, what is
 * lost ends as failed with the code `'damaged'`, what was in no place goes back to its queue, and every count is recounted.
 *
 * One transaction that reads everything, so that it can't be out of step with tabs at work; it holds pages, positions and
 * counts, never all inputs or values. On a database where nothing is wrong it writes nothing.
 */
import type { Repaired } from '../../backend.js'
import { StorageError } from '../../errors.js'
import type { Plan } from '../../storage.js'
import type { Lane } from '../../task.js'
import { sliceOutcome } from '../outcome.js'
import { CANCELLED, COMPLETED, FAILED, LAYOUT, type Outcome, type PartMark, type Root } from '../records.js'
import { firstAfter, overlap } from '../stretches.js'
import { remove, store } from '../tables.js'
import { mendLedgers, mendMarks, mendParts, mendRoot } from './books.js'
import { type Context, clearLane, decide, mendLane } from './lane.js'
import { type Ends, sortLanes } from './lanes.js'
import { countKinds, surveyOutcomes } from './outcomes.js'
import { countIn, type Endings, sortParts } from './parts.js'
import { minus, union } from './stretches.js'
import { emptySurvey, surveyBlocks, surveyLedgers, surveyMarks } from './survey.js'
import { Tally } from './tally.js'

export { describe, foundAny } from './tally.js'

/** `fresh`: the root, should there be nothing left of it. */
export function* repair({ now, fresh }: { now: number; fresh: Root }): Plan<Repaired> {
  const survey = emptySurvey()
  const tally = new Tally()
  yield* surveyLedgers(survey, tally)
  if (survey.root && survey.root.layout > LAYOUT) {
    throw new StorageError('newer-version', 'The database was made by a newer version: reload this page.')
  }
  yield* surveyMarks(survey, tally)
  yield* surveyBlocks(survey, tally)
  const sorted = sortParts(survey, tally, now)
  const reading = new Reading(sorted.parts)
  yield* surveyOutcomes(survey, { tally, now }, reading)
  const { lanes, junk } = sortLanes(survey, reading.ends, sorted.parts)
  const context: Context = { survey, tally, now, births: sorted.births, writes: [], touched: new Set() }
  for (const { store: from, key } of survey.removals) context.writes.push({ kind: 'delete', store: from, key })
  tally.note('outcome', reading.over.length)
  for (const outcome of reading.over) context.writes.push(remove('outcome', [outcome.lane, outcome.to - 1]))
  for (const outcome of reading.mended) context.writes.push(store('outcome', outcome))
  for (const lane of junk) clearLane(context, lane)
  decide(context, lanes)
  const mended = lanes.map((of) => mendLane(context, of, sorted.parts.get(of.lane) ?? []))
  mendLedgers(context, mended)
  mendMarks(context, mended, reading.failed)
  mendParts(context, { ...sorted, endings: reading.endings }, mended)
  mendRoot(context, mended, fresh)
  return { writes: context.writes, value: tally.repaired }
}

/** What the outcomes come to, as they pass by. */
class Reading {
  readonly ends = new Map<Lane, Ends>()
  readonly endings: Endings = new Map()
  /** Outcomes that lost what could not be read of them, or what lay over others. */
  readonly mended: Outcome[] = []
  /** Outcomes that lay over others, as they are stored. */
  readonly over: Outcome[] = []
  /** Outcomes with failed positions, without values. */
  readonly failed: Outcome[] = []
  readonly #parts: ReadonlyMap<Lane, PartMark[]>

  constructor(parts: ReadonlyMap<Lane, PartMark[]>) {
    this.#parts = parts
  }

  #of(lane: Lane): Ends {
    const ends: Ends = this.ends.get(lane) ?? { stretches: [], counts: [0, 0, 0], broken: [] }
    this.ends.set(lane, ends)
    return ends
  }

  /** None may lie over others: the first one keeps a position. */
  outcome(outcome: Outcome, mended: boolean): void {
    const ends = this.#of(outcome.lane)
    const last = ends.stretches.at(-1)
    if (last && outcome.from < last.to) {
      this.over.push(outcome)
      const pieces = minus([outcome], ends.stretches).map(({ from, to }) => sliceOutcome(outcome, from, to))
      ends.stretches = union(ends.stretches, pieces)
      for (const piece of pieces) this.#count(ends, piece, true)
      return
    }
    if (last?.to === outcome.from) last.to = outcome.to
    else ends.stretches.push({ from: outcome.from, to: outcome.to })
    this.#count(ends, outcome, mended)
  }

  #count({ counts }: Ends, outcome: Outcome, mended: boolean): void {
    const { lane, from, to, at, kinds } = outcome
    if (mended) this.mended.push(outcome)
    const found = countKinds(outcome, outcome)
    for (const kind of [COMPLETED, FAILED, CANCELLED] as const) counts[kind] += found[kind]
    if (found[FAILED] > 0) this.failed.push({ lane, from, to, at, kinds })
    const parts = this.#parts.get(lane) ?? []
    for (let i = firstAfter(parts, from); i < parts.length; i++) {
      const part = parts[i]
      const shared = part && overlap(part, outcome)
      if (!shared) break
      countIn(this.endings, part, countKinds(outcome, shared))
    }
  }

  broken(lane: Lane, outcome: Ends['broken'][number]): void {
    this.#of(lane).broken.push(outcome)
  }
}
