import type { TaskQueue } from 'sitq'
import type { Handlers } from '../handlers.js'
import { items, sampleNumbers } from '../jobs/samples.js'
import { type Month, weatherColumns } from '../jobs/weather.js'

export type MetricsSource = 'sample' | 'weather'

/** A job on numbers, as it is kept to be found again. */
export interface MetricsJob {
  id: string
  source: MetricsSource
  delay: number
  startedAt: number
}

export function isMetricsJob(value: unknown): value is MetricsJob {
  if (typeof value !== 'object' || value === null) return false
  const { id, source, delay, startedAt }: { [key in keyof MetricsJob]?: unknown } = value
  const known = source === 'sample' || source === 'weather'
  return typeof id === 'string' && known && typeof delay === 'number' && typeof startedAt === 'number'
}

/** What the numbers of one task are. */
export interface Numbers {
  label: string
  /** Of the weather: which column, and the month as `2012-01`. */
  column?: string
  month?: string
  values: readonly number[]
}

/** One task for each list of numbers: the samples, or each column of the weather by month. */
export function numbersOf(source: MetricsSource, weather: readonly Month[] = []): Numbers[] {
  if (source === 'sample') return sampleNumbers.map((values, index) => ({ label: `Batch ${index + 1}`, values }))
  return weatherColumns.flatMap((column) =>
    weather.map(({ month, values }) => ({ label: `${column} ${month}`, column, month, values: values[column] })),
  )
}

/** Starts the job, or goes on with it: what is stored already is not stored again. */
export function startMetrics(queue: TaskQueue<Handlers>, job: MetricsJob, numbers: readonly Numbers[]) {
  const inputs = items(
    numbers.map(({ values }) => values),
    job.delay,
  )
  return queue.enqueueMany('computeMetrics', inputs, { id: job.id })
}
