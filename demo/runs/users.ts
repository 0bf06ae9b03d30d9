import type { Batch, BatchProgress, TaskQueue } from 'sitq'
import type { Handlers, SliceInput, SliceOutput, UserItem } from '../handlers.js'
import { generateUsers } from '../jobs/generate.js'
import { priorities } from '../jobs/priorities.js'
import type { Processed } from '../jobs/process.js'
import { items, sampleUsers } from '../jobs/samples.js'
import { type RowError, rowErrors, type Validation } from '../jobs/validate.js'
import type { UsersJob } from './users-job.js'

export interface UsersProgress {
  /** Bytes of the file that are imported. */
  imported?: number
  validation: BatchProgress
  processing: BatchProgress
  state: 'running' | 'completed' | 'cancelled' | 'failed'
  /** Why it failed. */
  problem?: string
}

interface Batches {
  imports?: Batch<SliceOutput>
  validation: Batch<Validation<unknown>>
  processing: Batch<Processed>
}

/**
 * Starts the job, or goes on with it: every step may be repeated, and what is in the queue already is not stored again.
 *
 * Users are validated in one batch; each validation that finds its user valid puts it into a second one, in the transaction
 * that records the validation. A file is imported into the first batch by a chain of tasks (a third batch), each of which
 * stores its rows and the next slice together with its own outcome. So a reload or a crash at any point loses nothing and
 * repeats nothing. A pipeline would do for users that the page has, but a chain of tasks can't feed one.
 */
export async function startUsers(queue: TaskQueue<Handlers>, job: UsersJob): Promise<UsersRun> {
  const ids = { imports: `${job.id}/imports`, validation: `${job.id}/validation`, processing: `${job.id}/processing` }
  const processing = await queue.enqueueMany('processItem', [], { id: ids.processing, open: true })
  if (job.source !== 'file') {
    const users = job.source === 'sample' ? sampleUsers : generateUsers(job.count)
    const inputs = leadingTo(ids.processing, users, job.delay)
    return new UsersRun({
      validation: await queue.enqueueMany('validateUser', inputs, { id: ids.validation }),
      processing,
    })
  }
  const validation = await queue.enqueueMany('validateUser', [], { id: ids.validation, open: true })
  const first: SliceInput = { file: job.file, from: job.start, row: 0, delay: job.delay, batches: ids }
  const imports = await queue.enqueueMany('importSlice', [first], {
    id: ids.imports,
    open: true,
    priority: priorities.imports,
  })
  return new UsersRun({ imports, validation, processing })
}

function* leadingTo(next: string, users: Iterable<unknown>, delay: number): Generator<UserItem> {
  for (const item of items(users, delay)) yield { ...item, next }
}

/** A job on users that goes on in the queue, whether or not anyone looks. */
export class UsersRun {
  readonly #batches: Batches
  #imported = 0
  #problem: string | undefined
  #over = false

  constructor(batches: Batches) {
    this.#batches = batches
  }

  /** Sees to what comes after the last validation, and resolves when the job has ended. */
  async end(signal?: AbortSignal): Promise<void> {
    const { imports, validation, processing } = this.#batches
    const options = signal ? { signal } : {}
    if (imports) await this.#followImports(imports, options)
    await last(validation.watch(options))
    await processing.end()
    await last(processing.watch(options))
    this.#over = true
  }

  async #followImports(imports: Batch<SliceOutput>, options: { signal?: AbortSignal }): Promise<void> {
    for await (const slice of imports.results(options)) {
      if (slice.status === 'completed') this.#imported = Math.max(this.#imported, slice.value.done)
      if (slice.status !== 'failed') continue
      // The chain is broken: what it has brought in is no whole file.
      this.#problem = slice.error.message
      await this.cancel('The import failed.')
    }
  }

  async progress(): Promise<UsersProgress> {
    const { imports, validation, processing } = this.#batches
    const over = this.#over
    const [judged, done, slices] = await Promise.all([
      validation.progress(),
      processing.progress(),
      imports?.progress(),
    ])
    const progress: UsersProgress = { validation: judged, processing: done, state: 'running' }
    if (imports) progress.imported = this.#imported
    if (!over) return progress
    const cancelled = judged.cancelled + done.cancelled + (slices?.cancelled ?? 0)
    if (this.#problem !== undefined) return { ...progress, state: 'failed', problem: this.#problem }
    return { ...progress, state: cancelled > 0 ? 'cancelled' : 'completed' }
  }

  /** What is wrong with each user, as it becomes known. */
  async *errors(signal?: AbortSignal): AsyncGenerator<RowError[], void, undefined> {
    for await (const result of this.#batches.validation.results(signal ? { signal } : {})) {
      if (result.status === 'failed') yield [{ row: result.index + 1, field: 'row', message: result.error.message }]
      else if (result.status === 'completed' && !result.value.is_valid) yield rowErrors(result.value)
    }
  }

  /** The processed users, as they end. */
  async *processed(): AsyncGenerator<Processed, void, undefined> {
    for await (const result of this.#batches.processing.results()) if (result.status === 'completed') yield result.value
  }

  async cancel(reason = 'Cancelled on the page.'): Promise<void> {
    const { imports, validation, processing } = this.#batches
    for (const batch of [imports, validation, processing]) await batch?.cancel({ reason })
  }
}

async function last(progress: AsyncIterable<BatchProgress>): Promise<void> {
  for await (const _ of progress);
}
