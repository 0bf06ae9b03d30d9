import type { Metrics } from '../jobs/metrics.js'
import { type WeatherColumn, weatherColumns, weatherUnits } from '../jobs/weather.js'
import type { MetricsSource, Numbers } from '../runs/metrics.js'
import { Chart } from './chart.js'
import { el } from './dom.js'
import { figure } from './format.js'

export interface Computed {
  numbers: Numbers
  metrics: Metrics
}

export interface MetricsChart {
  root: HTMLElement
  /** Everything known so far, in the order of the numbers. */
  show(computed: readonly Computed[]): void
}

export const metricsChart = (source: MetricsSource) => (source === 'weather' ? weatherChart() : samplesChart())

/** Greatest, least and average of each batch, on a logarithmic scale: the batches differ a thousandfold. */
function samplesChart(): MetricsChart {
  const chart = new Chart('Least, average and greatest number of each batch', {
    lines: [
      { label: 'max', token: 'scheduled', kind: 'dots' },
      { label: 'average', token: 'completed', kind: 'dots' },
      { label: 'min', token: 'running', kind: 'dots' },
    ],
    items: true,
    log: true,
    xText: (at) => at.map((index) => String(index + 1)),
    yText: (values) => values.map(figure),
  })
  return {
    root: chart.root,
    show: (computed) => {
      const { x, max, min, average } = columnsOf(computed)
      chart.show([x, max, average, min])
    },
  }
}

/** One column of the weather: its average by month, between the least and the greatest. */
function weatherChart(): MetricsChart {
  let shown: readonly Computed[] = []
  const names: Record<WeatherColumn, string> = {
    temp_max: 'Highest temperature of the day',
    temp_min: 'Lowest temperature of the day',
    precipitation: 'Precipitation of the day',
    wind: 'Wind',
  }
  const select = el(
    'select',
    { attrs: { id: 'weather-column' } },
    ...weatherColumns.map((column) =>
      el('option', { attrs: { value: column } }, `${names[column]} (${weatherUnits[column]})`),
    ),
  )
  const ofColumn = () => shown.filter(({ numbers }) => numbers.column === select.value)
  const chart = new Chart('Least, average and greatest by month', {
    lines: [
      { label: 'max', token: 'waiting' },
      { label: 'min', token: 'waiting' },
      { label: 'average', token: 'completed' },
    ],
    band: true,
    xText: (at) => at.map((index) => ofColumn()[index]?.numbers.month ?? ''),
    splits: (min, max) =>
      ofColumn().flatMap((_, index) => (index % 12 === 0 && index >= min && index <= max ? [index] : [])),
    yText: (values) => values.map(figure),
  })
  const show = () => {
    const { x, max, min, average } = columnsOf(ofColumn())
    chart.show([x, max, min, average])
  }
  select.addEventListener('change', show)
  const root = el(
    'div',
    {},
    el('label', { class: 'caption', attrs: { for: 'weather-column' } }, 'Column '),
    select,
    chart.root,
  )
  return {
    root,
    show(computed) {
      shown = computed
      show()
    },
  }
}

type Values = (number | null)[]

function columnsOf(computed: readonly Computed[]): { x: number[]; max: Values; min: Values; average: Values } {
  const of = (key: 'min' | 'max' | 'average') =>
    computed.map(({ metrics }) => (metrics.count === 0 ? null : (metrics[key] ?? null)))
  return { x: computed.map((_, index) => index), max: of('max'), min: of('min'), average: of('average') }
}
