/** Runs a row's sides in turns and judges what they came to. Knows neither browsers nor pages: whoever calls says how to measure. */
import { type Goal, type Load, NotHereError, type Row, type Sample, type Side } from './contract.js'
import { ratios, type Spread, spread } from './statistics.js'

export interface SideResult {
  side: string
  tasks: number
  /** By metric; a number for each round, in order. */
  rounds: Record<string, number[]>
  metrics: Record<string, Spread>
  /** Why it was left out. */
  skipped?: string
}

export interface Verdict {
  goal: Goal
  /** Of each round. */
  values: number[]
  value: Spread
  met: boolean
  /** Worse than what the quick bench insists on. */
  collapsed: boolean
}

export interface RowResult {
  row: string
  title: string
  /** Ours first. */
  sides: SideResult[]
  verdicts: Verdict[]
  /** Why nothing was measured. */
  skipped?: string
}

export interface Plan {
  rounds: number
  tasks: number
  say(what: string): void
  /** One round of one side. Rejects with NotHereError where it can't be run. */
  measure(side: Side, load: Load): Promise<Sample>
}

/**
 * Ours, theirs, ours, theirs … A side that can't run here is left out and the result says why; without ours the row is. Any
 * other error ends it: a wrong outcome makes every number worthless.
 */
export async function runRow(row: Row, plan: Plan): Promise<RowResult> {
  const running = [row.ours, ...row.others].map((side) => ({ side, result: emptyResult(side, plan.tasks) }))
  for (let round = 0; round < plan.rounds; round++) {
    for (const { side, result } of running) {
      if (result.skipped !== undefined) continue
      const say = (what: string) =>
        plan.say(`${row.name}, round ${round + 1} of ${plan.rounds}, ${side.name}${what && `: ${what}`}`)
      say('')
      try {
        add(result, await plan.measure(side, { tasks: result.tasks, say }))
      } catch (error) {
        if (!(error instanceof NotHereError)) throw error
        result.skipped = error.message
      }
    }
    if (running[0]?.result.skipped !== undefined) break
  }
  const sides = running.map(({ result }) => summed(result))
  const { name, title } = row
  const skipped = sides[0]?.skipped
  if (skipped !== undefined) return { row: name, title, sides, verdicts: [], skipped }
  return { row: name, title, sides, verdicts: row.goals.flatMap((goal) => judge(goal, sides) ?? []) }
}

/** Undefined if the other side was not measured. */
export function judge(goal: Goal, sides: readonly SideResult[]): Verdict | undefined {
  const values = valuesOf(goal, sides)
  if (!values || values.length === 0) return undefined
  const value = spread(values)
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY, collapse } = goal
  const met = value.median >= atLeast && value.median <= atMost
  const collapsed =
    collapse !== undefined && !(goal.atMost === undefined ? value.median >= collapse : value.median <= collapse)
  return { goal, values, value, met, collapsed }
}

function valuesOf({ as, metric, against }: Goal, sides: readonly SideResult[]): number[] | undefined {
  const ours = sides[0]?.rounds[metric]
  if (as === 'value' || !ours) return ours
  const theirs = sides.find(({ side }) => side === against)?.rounds[metric]
  // One that stopped being measurable in the middle has fewer rounds.
  if (theirs?.length !== ours.length) return undefined
  return as === 'faster' ? ratios(theirs, ours) : ratios(ours, theirs)
}

const emptyResult = ({ name, most = Number.POSITIVE_INFINITY }: Side, tasks: number): SideResult => ({
  side: name,
  tasks: Math.min(most, tasks),
  rounds: {},
  metrics: {},
})

function add(result: SideResult, sample: Sample): void {
  for (const [metric, number] of Object.entries(sample)) {
    result.rounds[metric] = [...(result.rounds[metric] ?? []), number]
  }
}

const summed = (result: SideResult): SideResult => ({
  ...result,
  metrics: Object.fromEntries(Object.entries(result.rounds).map(([metric, numbers]) => [metric, spread(numbers)])),
})
