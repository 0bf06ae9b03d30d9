// The package exports no path to its files, so the file is named where it lies; the build copies it.
import weatherUrl from '../../node_modules/vega-datasets/data/seattle-weather.csv?url'
import { months } from '../jobs/weather.js'
import { isMetricsJob, type MetricsJob, numbersOf, startMetrics } from '../runs/metrics.js'
import { queue } from '../runs/queue.js'
import { byId, chosen, chosenDelay, el, watch } from './dom.js'
import { count, figure } from './format.js'
import { JobCard } from './job-card.js'
import { jobTab } from './job-tab.js'
import { type Computed, metricsChart } from './metrics-chart.js'
import { records } from './records.js'
import { newId } from './saved.js'
import { StageView } from './stage.js'
import { PagedTable } from './table.js'

const LOOK = 200

export function startMetricsTab(): void {
  const form = byId('metrics-form', HTMLFormElement)
  const tab = jobTab('metrics', isMetricsJob, follow)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const source = chosen(form, 'source') === 'weather' ? 'weather' : 'sample'
    tab.begin({ id: newId('metrics'), source, delay: chosenDelay(), startedAt: Date.now() })
  })
}

async function follow(job: MetricsJob, fresh: boolean): Promise<void> {
  const weather = job.source === 'weather' ? months(await (await fetch(weatherUrl)).text()) : []
  const numbers = numbersOf(job.source, weather)
  const stage = new StageView('Batches of numbers', 'metrics-stage')
  const chart = metricsChart(job.source)
  const table = new PagedTable('Metrics', [
    { title: job.source === 'weather' ? 'Column and month' : 'Batch', cell: ({ numbers }: Computed) => numbers.label },
    { title: 'Count', kind: 'number', cell: ({ metrics }) => count(metrics.count) },
    { title: 'Sum', kind: 'number', cell: ({ metrics }) => figure(metrics.sum) },
    { title: 'Average', kind: 'number', cell: ({ metrics }) => figure(metrics.average) },
    { title: 'Min', kind: 'number', cell: ({ metrics }) => figure(metrics.min) },
    { title: 'Max', kind: 'number', cell: ({ metrics }) => figure(metrics.max) },
  ])
  const batch = await startMetrics(queue, job, numbers)
  const title = job.source === 'weather' ? 'Weather in Seattle, by month' : '15 sample batches'
  const root = byId('metrics-job', HTMLElement)
  const card = new JobCard(root, title, stage.root, chart.root, table.root, ...source(job))
  card.cancelWith(() => batch.cancel({ reason: 'Cancelled on the page.' }))
  const look = async () => {
    const progress = await batch.progress()
    stage.show(progress)
    card.share(progress.done / progress.total)
    chart.show(table.rows)
  }
  const over = new AbortController()
  const looking = watch(LOOK, over.signal, look)
  try {
    for await (const result of batch.results({ order: 'input' })) {
      const of = numbers[result.index]
      if (of && result.status === 'completed') table.add({ numbers: of, metrics: result.value })
    }
    const { done, failed, cancelled } = await batch.progress()
    if (fresh && cancelled === 0) records.add({ job, title, tasks: done, errors: failed })
    card.state(cancelled > 0 ? 'cancelled' : failed > 0 ? 'failed' : 'completed')
  } finally {
    over.abort()
    await looking
    await look()
  }
}

/** Where the numbers come from. */
function source(job: MetricsJob): Node[] {
  if (job.source === 'sample') return []
  const link = (text: string, href: string) => el('a', { attrs: { href, rel: 'noreferrer' } }, text)
  return [
    el(
      'p',
      { class: 'source' },
      'Daily weather in Seattle, 2012 to 2015. Source: ',
      link('NOAA National Climatic Data Center', 'https://www.ncdc.noaa.gov/cdo-web/datatools/records'),
      ', a work of the United States government in the ',
      link('public domain', 'https://www.usa.gov/government-works'),
      ', by way of the npm package vega-datasets.',
    ),
  ]
}
