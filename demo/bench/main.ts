/** The bench page: for people, and for the runner, which drives it through `sitqBench`. */
import { type RowResult, runRow } from '../../bench/rounds.js'
import { rows } from '../../bench/rows/index.js'
import { beOtherTab } from '../../bench/rows/other-tab.js'
import { type BenchPage, benchPage } from '../../bench/rows/page.js'
import { removeDatabases } from '../../bench/rows/remove.js'
import { byId, el, fill, setText, showProblem } from '../app/dom.js'
import { rowView } from './results.js'

declare global {
  var sitqBench: BenchPage
}
if (!beOtherTab()) globalThis.sitqBench = benchPage

/** Those that need no runner. */
const offered = rows.filter(({ runner }) => runner === undefined)
const start = byId('start', HTMLButtonElement)
const stop = byId('stop', HTMLButtonElement)
let stopped = false

byId('rows', HTMLFieldSetElement).append(
  ...offered.map(({ name, title, small }, i) => {
    const box = el('input', { attrs: { type: 'checkbox', name: 'row', value: name } })
    // A few at first: all of them take a phone minutes.
    box.checked = i < 4
    return el('label', {}, box, el('span', {}, `${title} (${small.toLocaleString('en')})`))
  }),
)

byId('form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  void run()
})
stop.addEventListener('click', () => {
  stopped = true
})
byId('copy', HTMLButtonElement).addEventListener('click', () => {
  const json = byId('json', HTMLTextAreaElement)
  json.select()
  navigator.clipboard?.writeText(json.value).catch(() => {
    // Selected it is all the same.
  })
})

class Stopped extends Error {}

async function run(): Promise<void> {
  const results: RowResult[] = []
  stopped = false
  start.disabled = true
  stop.disabled = false
  showProblem('problem', undefined)
  try {
    for (const row of offered) {
      const box = document.querySelector(`input[name="row"][value="${row.name}"]`)
      if (!(box instanceof HTMLInputElement && box.checked)) continue
      const tasks = Math.max(1, Math.round(row.small * numberIn('factor')))
      const result = await runRow(row, {
        rounds: numberIn('rounds'),
        tasks,
        say: (what) => setText(byId('progress', HTMLElement), what),
        measure: async (side, load) => {
          if (stopped) throw new Stopped()
          if (side.prepare && !prepared.has(side)) await side.prepare(load)
          prepared.add(side)
          return side.measure(load)
        },
      })
      results.push(result)
      show(results)
    }
    setText(byId('progress', HTMLElement), 'Done.')
  } catch (error) {
    setText(byId('progress', HTMLElement), error instanceof Stopped ? 'Stopped.' : '')
    if (!(error instanceof Stopped)) showProblem('problem', error)
  } finally {
    prepared.clear()
    removeDatabases()
    start.disabled = false
    stop.disabled = true
  }
}

const prepared = new Set<object>()

const numberIn = (id: string) => Math.max(0.1, Number(byId(id, HTMLInputElement).value) || 1)

function show(results: readonly RowResult[]): void {
  byId('results', HTMLElement).hidden = false
  fill(byId('table', HTMLElement), ...results.map(rowView))
  const { userAgent, hardwareConcurrency } = navigator
  const about = { date: new Date().toISOString(), userAgent, hardwareConcurrency }
  byId('json', HTMLTextAreaElement).value = JSON.stringify({ ...about, results }, undefined, 2)
}
