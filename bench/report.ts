/** What people read of results. Text only, so that the terminal, the page and the docs show the same. */
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

/** `met  14.2× faster than … (13.1–15.0), goal ≥ 15` */
export function verdictText({ goal, value, met }: Verdict): string {
  const { as, against, metric, atLeast, atMost } = goal
  const sign = as === 'value' ? '' : '×'
  const what =
    as === 'value' ? metric : `${metric}, ${as === 'faster' ? 'times faster than' : 'of the cost of'} ${against}`
  const limits = [
    ...(atLeast === undefined ? [] : [`≥ ${atLeast}${sign}`]),
    ...(atMost === undefined ? [] : [`≤ ${atMost}${sign}`]),
  ]
  const aim = limits.length === 0 ? 'reported' : `goal ${limits.join(' and ')}`
  return `${limits.length === 0 ? '—     ' : met ? 'met   ' : 'MISSED'} ${number(value.median)}${sign} (${number(value.min)}–${number(value.max)})  ${what}; ${aim}`
}

/** The table of docs/performance.md: a line for each goal, ours and theirs as medians with their spread. */
export function markdown(results: readonly RowResult[]): string[] {
  const head = ['| row | sitq | against | ratio | goal |', '|---|---|---|---|---|']
  return [...head, ...results.flatMap((result) => result.verdicts.map((verdict) => cells(result, verdict)))]
}

function cells({ row, sides }: RowResult, { goal, value, met }: Verdict): string {
  const { metric, as, against, atLeast, atMost } = goal
  const [ours] = sides
  const theirs = sides.find(({ side }) => side === against)
  const textOf = (side: SideResult | undefined) => {
    const found = side?.metrics[metric]
    return found ? spreadText(found) : ''
  }
  const sign = as === 'value' ? '' : '×'
  const ratio = as === 'value' ? '' : `${number(value.median)}× (${number(value.min)}–${number(value.max)})`
  const aim = atLeast === undefined ? (atMost === undefined ? 'reported' : `≤ ${atMost}${sign}`) : `≥ ${atLeast}${sign}`
  const verdict = aim === 'reported' ? aim : `${aim}, ${met ? 'met' : '**missed**'}`
  const other = theirs ? `${against}: ${textOf(theirs)}` : ''
  return `| \`${row}\`, ${metric} | ${textOf(ours)} | ${other} | ${ratio} | ${verdict} |`
}

export const spreadText = ({ median, min, max }: Spread): string => `${number(median)} (${number(min)}–${number(max)})`

/** Three significant digits. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Math.abs(value) >= 100) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}
