/** Which lanes there are, whose they are, and where each of their positions is. */
import type { Lane } from '../../task.js'
import { type Part, partsOf } from '../ledger.js'
import type { AsideMark, LaneState, Ledger, PartMark } from '../records.js'
import type { Stretch } from '../stretches.js'
import { type Evidence, type Lease, type Places, placesOf } from './places.js'
import { type BrokenOutcome, logOf, type Survey } from './survey.js'

/** A lane that no record names but blocks are said to lie in is believed if its number follows so closely. */
const NEAR = 16

/** What its outcomes come to. */
export interface Ends {
  stretches: Stretch[]
  /** Completed, failed, cancelled. */
  counts: [number, number, number]
  broken: BrokenOutcome[]
}

export interface Sorted extends Evidence {
  state: LaneState | undefined
  /** Completed, failed, cancelled, as far as outcomes can be read. */
  counts: [number, number, number]
  places: Places
}

/** The lanes in order of their numbers. `junk`: numbers that are none. */
export function sortLanes(
  survey: Survey,
  ends: ReadonlyMap<Lane, Ends>,
  parts: ReadonlyMap<Lane, PartMark[]>,
): { lanes: Sorted[]; junk: Lane[] } {
  const states = new Map<Lane, { ledger: Ledger; state: LaneState }>()
  for (const ledger of survey.ledgers.values()) {
    for (const state of ledger.lanes) if (!states.has(state.lane)) states.set(state.lane, { ledger, state })
  }
  const gates = byLane(survey.gates)
  const leases = leasesOf(survey, states)
  const known = new Set([...states.keys(), ...survey.laneMarks.keys()])
  const seen = new Set([...survey.logs.keys(), ...ends.keys(), ...survey.asides.keys(), ...gates.keys()])
  const limit = Math.max(-1, (survey.root?.nextLane ?? 0) - 1, ...known) + NEAR
  const junk = [...seen].filter((lane) => lane > limit)
  const numbers = [...new Set([...known, ...seen])].filter((lane) => lane <= limit).sort((a, b) => a - b)
  // All of them are in a ledger, so that one that is not is noticed; those that left no trace are empty.
  const next = Math.min((numbers.at(-1) ?? -1) + 1 + NEAR, survey.root?.nextLane ?? 0)
  const all = new Set([...numbers, ...Array.from({ length: next }, (_, lane) => lane)])
  const logs = new Set<string>()
  const lanes = [...all]
    .sort((a, b) => Number(states.has(b)) - Number(states.has(a)) || a - b)
    .map((lane): Sorted => {
      const of = states.get(lane)
      const waiting = [...(survey.asides.get(lane) ?? []), ...(gates.get(lane) ?? [])]
      const { queue, priority, held } = of ? { ...of.state, queue: of.ledger.queue } : identity(survey, lane, waiting)
      const log = JSON.stringify([queue, priority])
      const { stretches = [], broken = [], counts = [0, 0, 0] } = ends.get(lane) ?? {}
      const evidence: Evidence = {
        lane,
        queue,
        priority,
        // A priority has one line: what is in a second one is set aside, and taken from there.
        held: held || logs.has(log),
        head: of?.state.head,
        log: logOf(survey, lane),
        ended: stretches,
        brokenOutcomes: broken,
        asides: waiting.map((mark) => ofLane(mark, queue, priority)),
        leases: leases.get(lane) ?? [],
        parts: parts.get(lane) ?? [],
      }
      if (!evidence.held) logs.add(log)
      return { ...evidence, state: of?.state, counts: [counts[0], counts[1], counts[2]], places: placesOf(evidence) }
    })
  return { lanes: lanes.sort((a, b) => a.lane - b.lane), junk }
}

/** Nobody would look for it at another queue or priority than its lane's. */
function ofLane(mark: AsideMark, queue: string, priority: number): AsideMark {
  const gate = typeof mark.gate === 'number' ? priority : mark.gate
  return mark.queue === queue && mark.gate === gate ? mark : { ...mark, queue, gate }
}

/** Who a lane belongs to that is in no ledger that can be read. */
function identity(
  survey: Survey,
  lane: Lane,
  waiting: Evidence['asides'],
): { queue: string; priority: number; held: boolean } {
  const mark = survey.laneMarks.get(lane)
  if (mark) return mark
  const queue = waiting[0]?.queue ?? survey.dead.find((dead) => dead.lane === lane)?.queue ?? 'default'
  const priority = waiting.find(({ gate }) => typeof gate === 'number')?.gate
  return { queue, priority: typeof priority === 'number' ? priority : 0, held: logOf(survey, lane).starts.length === 0 }
}

function byLane<T extends { lane: Lane }>(list: readonly T[]): Map<Lane, T[]> {
  const lanes = new Map<Lane, T[]>()
  for (const one of list) {
    const mine = lanes.get(one.lane) ?? []
    lanes.set(one.lane, mine)
    mine.push(one)
  }
  return lanes
}

function leasesOf(survey: Survey, states: ReadonlyMap<Lane, { ledger: Ledger }>): Map<Lane, Lease[]> {
  const leases: Lease[] = []
  for (const ledger of survey.ledgers.values()) {
    for (const host of Object.keys(ledger.hosts)) {
      const own = (part: Part) => states.get(part.lane)?.ledger === ledger
      leases.push(
        ...partsOf(ledger, host)
          .filter(own)
          .map((part) => ({ ...part, host })),
      )
    }
  }
  return byLane(leases)
}
