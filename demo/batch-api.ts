// What `npm run batch` calls in the page: no user interface, the same queue, handlers and Web Workers.
import { type BatchProgress, PerformanceMonitor, type PerformanceReport } from 'sitq'
import { FileFault } from './import/fault.js'
import { type Fields, findFields, needsMapping } from './import/fields.js'
import { inspect } from './import/inspect.js'
import type { Metrics } from './jobs/metrics.js'
import { items, largeBatch, sampleLarge, sampleNumbers } from './jobs/samples.js'
import { type UsersSummary, usersSummary } from './jobs/summary.js'
import type { RowError } from './jobs/validate.js'
import { queue, worker } from './runs/queue.js'
import { startUsers, type UsersRun } from './runs/users.js'
import { takeFile, type UsersJob } from './runs/users-job.js'

/** What is shown while it runs. */
export interface Step {
  stage: string
  done: number
  total: number
  /** They are bytes, not tasks. */
  bytes?: boolean
  open?: boolean
  rate?: number
  etaMs?: number
}
type Tell = (step: Step) => void

export interface Samples {
  users: UsersSummary
  metrics: Metrics[]
  large: { items: number; processed: number; sum_of_values: number }
  report: PerformanceReport
}

export type FileOutcome = { summary: UsersSummary } | { problem: string }

/** How often is told, in ms. */
const EVERY = 100

async function runSamples(tell: Tell): Promise<Samples> {
  await worker.start()
  const monitor = new PerformanceMonitor()
  const measure = async <T>(tasks: number, job: () => Promise<T>): Promise<T> => {
    const began = performance.now()
    const outcome = await job()
    monitor.record({ tasks, ms: performance.now() - began })
    return outcome
  }
  const job = { id: newId(), delay: 0, startedAt: Date.now(), source: 'sample' } as const
  const users = await measure(20, () => summaryOf(job, tell))
  const metrics = await measure(sampleNumbers.length, async () => {
    const batch = await queue.enqueueMany('computeMetrics', items(sampleNumbers))
    return values(await batch.collect({ onProgress: (progress) => tell({ stage: 'Metrics', ...told(progress) }) }))
  })
  const large = await measure(sampleLarge.items, async () => {
    const { items: count, chunkSize } = sampleLarge
    const batch = await queue.enqueueMany('processItem', items<unknown>(largeBatch(count)), { chunkSize })
    const done = values(
      await batch.collect({ onProgress: (progress) => tell({ stage: 'Large batch', ...told(progress) }) }),
    )
    const sum_of_values = done.reduce((sum, { processed_value }) => sum + Number(processed_value), 0)
    return { items: count, processed: done.length, sum_of_values }
  })
  await worker.stop()
  return { users, metrics, large, report: monitor.report() }
}

async function runFile(columns: { email?: string; age?: string }, tell: Tell): Promise<FileOutcome> {
  const file = document.querySelector<HTMLInputElement>('#file')?.files?.[0]
  if (!file) return { problem: 'No file was given.' }
  try {
    await worker.start()
    const format = await inspect(file, file.name)
    const fields = fieldsFor(file.name, format.columns, columns)
    const job = await takeFile(file, { id: newId(), delay: 0, startedAt: Date.now(), format, fields })
    return { summary: await summaryOf(job, tell) }
  } catch (error) {
    if (error instanceof FileFault) return { problem: error.message }
    throw error
  } finally {
    await worker.stop({ grace: 0 })
  }
}

/** Throws FileFault if a column that was named is not there, or none of those that matter is. */
function fieldsFor(name: string, columns: readonly string[], named: { email?: string; age?: string }): Fields {
  const fields = findFields(columns)
  for (const field of ['email', 'age'] as const) {
    const wanted = named[field]
    if (wanted === undefined) continue
    const column = columns.find((each) => each.trim().toLowerCase() === wanted.trim().toLowerCase())
    if (column === undefined) throw new FileFault(`${name} has no column ${wanted}. ${list(columns)}`)
    fields[field] = column
  }
  if (!needsMapping(fields)) return fields
  throw new FileFault(
    `${name} has neither an email nor an age column. ${list(columns)} Name them with --email and --age.`,
  )
}

const list = (columns: readonly string[]) => `Its columns are: ${columns.map((column) => column.trim()).join(', ')}.`

async function summaryOf(job: UsersJob, tell: Tell): Promise<UsersSummary> {
  const run = await startUsers(queue, job)
  const look = () => tellOf(run, job, tell)
  const timer = setInterval(look, EVERY)
  const errors: RowError[] = []
  const collect = async () => {
    for await (const some of run.errors()) errors.push(...some)
  }
  try {
    await Promise.all([run.end(), collect()])
  } finally {
    clearInterval(timer)
  }
  await look()
  const { validation, processing, problem } = await run.progress()
  if (problem !== undefined) throw new FileFault(problem)
  errors.sort((a, b) => a.row - b.row)
  return usersSummary({ total: validation.done, valid: processing.total, processed: processing.completed }, errors)
}

async function tellOf(run: UsersRun, job: UsersJob, tell: Tell): Promise<void> {
  const { imported, validation, processing } = await run.progress()
  if (job.source === 'file' && imported !== undefined && imported < job.size) {
    tell({ stage: 'Importing', done: imported, total: job.size, bytes: true })
  } else if (validation.done < validation.total || validation.open) tell({ stage: 'Validating', ...told(validation) })
  else tell({ stage: 'Processing', ...told(processing) })
}

function told({ done, total, open, rate, etaMs }: BatchProgress) {
  return { done, total, open, rate, ...(etaMs === undefined ? {} : { etaMs }) }
}

function values<Output>(
  results: readonly ({ status: 'completed'; value: Output } | { status: 'failed' | 'cancelled' })[],
): Output[] {
  return results.flatMap((result) => (result.status === 'completed' ? [result.value] : []))
}

const newId = () => `batch-${crypto.randomUUID()}`

Object.assign(globalThis, { sitqBatch: { runSamples, runFile } })
