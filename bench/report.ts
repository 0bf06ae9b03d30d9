/** What people read of results. Text only: the terminal, the page and the docs say the same. */
import type { Goal } from './contract.js'
import type { RowResult, SideResult, Verdict } from './rounds.js'
import type { Spread } from './statistics.js'

/** A row in a few lines: each side's medians with their spread, then the goals. */
export function lines({ row, title, sides, verdicts, skipped }: RowResult): string[] {
  if (skipped !== undefined) return [`${row}: ${title}`, `  SKIPPED: ${skipped}`]
  return [`${row}: ${title}`, ...sides.flatMap(sideLines), ...verdicts.map((verdict) => `  ${verdictText(verdict)}`)]
}

function sideLines({ side, tasks, metrics, skipped }: SideResult): string[] {
  const head = `  ${side.padEnd(34)} ${String(tasks).padStart(9)}  `
  if (skipped !== undefined) return [`${head}SKIPPED: ${skipped}`]
  return Object.entries(metrics).map(
    ([metric, spread], i) => `${i === 0 ? head : ' '.repeat(head.length)}${metric.padEnd(22)} ${spreadText(spread)}`,
  )
}

/** `met    14.2× (13.1–15.0)  µs/task, times faster than …; goal ≥ 15×` */
function verdictText(verdict: Verdict): string {
  const mark = { met: 'met   ', missed: 'MISSED', reported: '—     ' }[standing(verdict)]
  return `${mark} ${valueText(verdict)} (${rangeText(verdict.value)})  ${meaning(verdict.goal)}; ${aim(verdict.goal)}`
}

export const standing = ({ goal: { atLeast, atMost }, met }: Verdict): 'met' | 'missed' | 'reported' =>
  atLeast === undefined && atMost === undefined ? 'reported' : met ? 'met' : 'missed'

export const valueText = ({ goal, value }: Verdict): string => `${number(value.median)}${sign(goal)}`
export const rangeText = ({ min, max }: Spread): string => `${number(min)}–${number(max)}`

export function meaning({ as, metric, against }: Goal): string {
  if (as === 'value') return metric
  return `${metric}, ${as === 'faster' ? 'times faster than' : 'of the cost of'} ${against}`
}

export function aim(goal: Goal): string {
  const { atLeast, atMost } = goal
  const limits = [
    ...(atLeast === undefined ? [] : [`≥ ${atLeast}${sign(goal)}`]),
    ...(atMost === undefined ? [] : [`≤ ${atMost}${sign(goal)}`]),
  ]
  return limits.length === 0 ? 'reported' : `goal ${limits.join(' and ')}`
}

const sign = ({ as }: Goal): string => (as === 'value' ? '' : '×')

/** The table of docs/performance.md: a line for each goal, ours and theirs as medians with their spread. */
export function markdown(results: readonly RowResult[]): string[] {
  const head = ['| row | sitq | against | ratio | goal |', '|---|---|---|---|---|']
  return [...head, ...results.flatMap((result) => result.verdicts.map((verdict) => cells(result, verdict)))]
}

function cells({ row, sides }: RowResult, verdict: Verdict): string {
  const { goal, value } = verdict
  const [ours] = sides
  const theirs = sides.find(({ side }) => side === goal.against)
  const textOf = (side: SideResult | undefined) => {
    const found = side?.metrics[goal.metric]
    return found ? spreadText(found) : ''
  }
  const ratio = goal.as === 'value' ? '' : `${valueText(verdict)} (${rangeText(value)})`
  const stands = { met: ', met', missed: ', **missed**', reported: '' }[standing(verdict)]
  const other = theirs ? `${goal.against}: ${textOf(theirs)}` : ''
  return `| \`${row}\`, ${goal.metric} | ${textOf(ours)} | ${other} | ${ratio} | ${aim(goal).replace('goal ', '')}${stands} |`
}

export const spreadText = (spread: Spread): string => `${number(spread.median)} (${rangeText(spread)})`

/** Three significant digits. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Math.abs(value) >= 100) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}
