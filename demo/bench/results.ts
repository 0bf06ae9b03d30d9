/** Results for people: each row's sides as bars, and how it stands with its goals. */
import { aim, meaning, rangeText, spreadText, standing, valueText } from '../../bench/report.js'
import type { RowResult, SideResult, Verdict } from '../../bench/rounds.js'
import { el } from '../app/dom.js'

export function rowView(result: RowResult): HTMLElement {
  const { row, title, sides, verdicts, skipped } = result
  return el(
    'section',
    { class: 'result' },
    el('h3', {}, title, ' ', el('code', {}, row)),
    skipped === undefined ? sidesView(sides) : el('p', { class: 'lead' }, `Left out: ${skipped}.`),
    verdicts.length > 0 && el('ul', { class: 'verdicts' }, ...verdicts.map(verdictView)),
  )
}

function sidesView(sides: readonly SideResult[]): HTMLElement {
  const metrics = [...new Set(sides.flatMap((side) => Object.keys(side.metrics)))]
  return el('dl', { class: 'sides' }, ...metrics.flatMap((metric) => metricView(metric, sides)))
}

/** The sides of one metric, each with a bar as long as its median is in terms of the longest; one alone needs none. */
function metricView(metric: string, sides: readonly SideResult[]): HTMLElement[] {
  const compared = sides.filter(({ metrics }) => metrics[metric] !== undefined).length > 1
  const longest = Math.max(...sides.map((side) => side.metrics[metric]?.median ?? 0))
  const lines = sides.flatMap(({ side, tasks, metrics, skipped }, i) => {
    const found = metrics[metric]
    if (skipped !== undefined) return [el('dd', {}, el('span', {}, side), el('em', {}, `left out: ${skipped}`))]
    if (!found) return []
    const bar = el('i', i === 0 ? { class: 'ours' } : {})
    bar.style.width = `${longest > 0 ? Math.max(0, (100 * found.median) / longest) : 0}%`
    const label = el('span', {}, side, ' ', el('small', {}, `${tasks.toLocaleString('en')} tasks`))
    return [el('dd', {}, label, el('b', {}, spreadText(found)), compared && el('span', { class: 'bar' }, bar))]
  })
  return lines.length === 0 ? [] : [el('dt', {}, `${metric}, median (least–greatest)`), ...lines]
}

function verdictView(verdict: Verdict): HTMLElement {
  const stands = standing(verdict)
  const about = stands === 'reported' ? '' : `; ${aim(verdict.goal)}`
  return el(
    'li',
    { data: { stands } },
    el('span', { class: 'badge' }, stands),
    el('strong', {}, valueText(verdict)),
    ` ${meaning(verdict.goal)} (${rangeText(verdict.value)})${about}`,
  )
}
