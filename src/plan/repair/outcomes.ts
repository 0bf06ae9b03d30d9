/** Reads the outcomes of a whole database: those that can be read, those that can be read in part, and those that can't. */
import type { Key } from '../../keys.js'
import type { Lane, Position } from '../../task.js'
import type { Step } from '../ledger.js'
import { kindAt } from '../outcome.js'
import type { Outcome } from '../records.js'
import { fits, isCount } from '../shapes.js'
import type { Stretch } from '../stretches.js'
import { BEYOND, type BrokenOutcome, belongs, placeOf, type Survey, scan } from './survey.js'
import type { Tally } from './tally.js'

/** Hands over the outcomes of every lane in the order of their ends; `mended`: without what could not be read of them. */
export function* surveyOutcomes(
  survey: Survey,
  { tally, now }: { tally: Tally; now: number },
  on: { outcome(outcome: Outcome, mended: boolean): void; broken(lane: Lane, outcome: BrokenOutcome): void },
): Step<void> {
  const ends = new Map<Lane, Position>()
  yield* scan('outcomes', (key, record) => {
    const [lane, last] = placeOf(key)
    if (lane === undefined || last === undefined) {
      tally.note('outcome')
      survey.removals.push({ store: 'outcomes', key })
      return 1
    }
    const end = ends.get(lane) ?? 0
    const outcome = fits('outcome', record) && belongs('outcome', key, record) ? record : salvaged(key, record, now)
    if (outcome !== record) tally.note('outcome')
    if (!outcome) {
      survey.removals.push({ store: 'outcomes', key })
      on.broken(lane, { to: last + 1, ...begin(record, end, last) })
      return 1
    }
    if (outcome.to > (survey.logs.get(lane)?.runs.at(-1)?.to ?? 0) + BEYOND) {
      tally.note('outcome')
      survey.removals.push({ store: 'outcomes', key })
      return 1
    }
    ends.set(lane, last + 1)
    on.outcome(outcome, outcome !== record)
    return outcome.values?.length ?? 1
  })
}

/** Where an unreadable outcome says it began, if it can have, and if it is not another one that lies here. */
function begin(record: unknown, end: Position, last: Position): { from?: Position } {
  if (typeof record !== 'object' || record === null || !('from' in record && 'to' in record)) return {}
  const { from, to } = record
  return isCount(from) && from >= end && from <= last && to === last + 1 ? { from } : {}
}

/** What an outcome is worth without what is unreadable in it; undefined if not even its ends can be told. */
function salvaged(key: Key, record: unknown, now: number): Outcome | undefined {
  if (typeof record !== 'object' || record === null) return undefined
  const kept: Record<string, unknown> = {}
  const known = [
    'lane',
    'from',
    'to',
    'kinds',
    'values',
    'at',
    'times',
    'attempts',
    'reason',
    'name',
    'enqueuedAt',
    'enqueued',
    'batch',
  ]
  const fields = new Map(Object.entries(record))
  for (const field of known) {
    const value = fields.get(field)
    if (value === undefined) continue
    kept[field] = value
    // The first four are what it is about; of the others, those stay that fit.
    if (known.indexOf(field) > 4 && !fits('outcome', { at: now, ...kept })) delete kept[field]
  }
  const outcome: unknown = { at: now, ...kept }
  return fits('outcome', outcome) && belongs('outcome', key, outcome) ? outcome : undefined
}

/** How many of an outcome ended how, in a stretch of it. */
export function countKinds(
  outcome: Outcome,
  { from, to }: Stretch,
): [completed: number, failed: number, cancelled: number] {
  const counts: [number, number, number] = [0, 0, 0]
  if (typeof outcome.kinds === 'number') counts[kindAt(outcome, from)] = to - from
  else for (let p = from; p < to; p++) counts[kindAt(outcome, p)]++
  return counts
}
