/** Brings the blocks and outcomes of one lane in order. */
import type { Write } from '../../storage.js'
import type { Lane, Position } from '../../task.js'
import { type AsideMark, type Block, FAILED, type LaneState, type Outcome, type PartMark } from '../records.js'
import { holding, overlap, type Stretch, size } from '../stretches.js'
import { remove, store } from '../tables.js'
import type { Births } from './births.js'
import type { Sorted } from './lanes.js'
import { aheadOf, skipsFor } from './places.js'
import { union } from './stretches.js'
import type { Survey } from './survey.js'
import type { Tally } from './tally.js'

export interface Context {
  survey: Survey
  tally: Tally
  now: number
  births: Births
  writes: Write[]
  /** Lanes that have lost something: that marks and counts change with it is no further damage. */
  touched: Set<Lane>
}

/** A lane as it must be. */
export interface Mended extends Sorted {
  next: LaneState
  marks: AsideMark[]
  /** Completed, failed, cancelled. */
  totals: [number, number, number]
  /** Have failed just now, and had not ended before; and all that have. */
  failed: Stretch[]
  outcomes: Outcome[]
}

const INPUT_LOST = 'What was stored of it was damaged and its input is lost: enqueue it again.'
const RESULT_LOST =
  'It had ended, but the record of it was damaged. It may have done its work: look before you repeat it.'

/** Nobody gave out a lane of this number. */
export function clearLane({ tally, writes }: Context, lane: Lane): void {
  tally.note('lane')
  for (const table of ['block', 'outcome', 'aside'] as const) writes.push(remove(table, [lane], [lane, []]))
}

/** What is in no place had ended if fewer have ended than were counted; else it goes back to its queue. */
export function decide({ survey, tally }: Context, lanes: readonly Sorted[]): void {
  for (const ledger of survey.ledgers.values()) {
    const mine = lanes.filter(({ queue, state }) => queue === ledger.queue && state)
    const { completed, failed, cancelled } = ledger.ended
    let missing = completed + failed + cancelled
    for (const { counts, places } of mine) missing -= counts[0] + counts[1] + counts[2] + size(places.unknown)
    if (missing <= 0) continue
    for (const { places } of mine) {
      tally.note('outcome', places.nowhere.length)
      places.unknown = union(places.unknown, places.nowhere)
      places.nowhere = []
    }
  }
  for (const { places, state } of lanes) if (state) tally.note('aside', places.nowhere.length)
}

export function mendLane(context: Context, of: Sorted, parts: readonly PartMark[]): Mended {
  const { lane, queue, priority, held, places, state, counts } = of
  const { failed, unknown, nowhere, head, tail } = places
  const { tally, writes } = context
  const blocks = tombstones(context, of, parts)
  if (blocks.length + failed.length + unknown.length + nowhere.length > 0) context.touched.add(lane)
  // Where there is nothing to be put in place, an earlier repair has done it, and a task has come back since.
  if (blocks.length === 0) tally.note('block', failed.length)
  const outcomes = [
    ...outcomesOf(context, lane, failed, INPUT_LOST),
    ...outcomesOf(context, lane, unknown, RESULT_LOST),
  ]
  for (const block of blocks) writes.push(store('block', block))
  for (const outcome of outcomes) writes.push(store('outcome', outcome))
  tally.repaired.failed += size(failed) + size(unknown)
  tally.repaired.returned += size(nowhere)
  for (const stretch of nowhere) {
    places.asides.push({ queue, lane, ...stretch, gate: priority, order: 0, attempt: 1, crashes: 0 })
  }
  places.asides.sort((a, b) => a.from - b.from)
  const marks = [...places.asides, ...skipsFor(of, places, union(of.ended, failed, unknown))]
  const block = held ? tail : blockAt(of, blocks, head)
  const next = { lane, priority, held, head, block, skips: aheadOf(places, held, marks), sweep: state?.sweep ?? 0 }
  const totals: Mended['totals'] = [counts[0], counts[1] + size(failed) + size(unknown), counts[2]]
  return { ...of, next, marks, totals, failed, outcomes }
}

function outcomesOf({ now }: Context, lane: Lane, stretches: readonly Stretch[], reason: string): Outcome[] {
  return stretches.map((stretch) => ({ lane, from: stretch.from, to: stretch.to, at: now, kinds: FAILED, reason }))
}

/** Blocks without inputs in place of those that are lost: one wherever one began, and for each part of a batch among them. */
function tombstones({ tally, now, births }: Context, { lane, places }: Sorted, parts: readonly PartMark[]): Block[] {
  const blocks: Block[] = []
  const { starts } = places
  let next = 0
  const add = (from: Position, to: Position, part?: PartMark) => {
    for (let p = from; p < to; ) {
      while ((starts[next] ?? to) <= p) next++
      const stretch = { from: p, to: Math.min(to, starts[next] ?? to) }
      const of = part ? inBatch(part, stretch, births.get(part.batch)) : {}
      const block: Block = { lane, ...stretch, at: now, nonce: '', inputs: [], name: '', lost: true, ...of }
      if (p === from && !tally.succeeds('block', block)) tally.note('block')
      blocks.push(block)
      p = stretch.to
    }
  }
  for (const gap of places.lost) {
    let p = gap.from
    for (const part of parts) {
      const shared = overlap(part, gap)
      if (!shared) continue
      add(p, shared.from)
      add(shared.from, shared.to, part)
      p = shared.to
    }
    add(p, gap.to)
  }
  return blocks
}

function inBatch(part: PartMark, { from, to }: Stretch, born: number | undefined): Partial<Block> {
  const { batch, stage, start, indexes, from: first } = part
  const of = { batch, stage, ...(born === undefined ? {} : { born }) }
  if (indexes) return { ...of, indexes: indexes.slice(from - first, to - first) }
  return { ...of, start: start + from - first }
}

/** Where the block begins in which a position lies; the position itself if there is none. */
function blockAt({ log, places }: Sorted, blocks: readonly Block[], p: Position): Position {
  if (!holding(union(log.runs, places.lost), p)) return p
  let start = 0
  for (const { from } of blocks) if (from <= p) start = Math.max(start, from)
  for (const from of log.starts) if (from <= p) start = Math.max(start, from)
  return start
}
