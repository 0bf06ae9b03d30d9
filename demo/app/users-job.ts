import { files } from '../import/files.js'
import { usersSummary } from '../jobs/summary.js'
import type { RowError } from '../jobs/validate.js'
import { queue } from '../runs/queue.js'
import { startUsers, type UsersProgress, type UsersRun } from '../runs/users.js'
import { titleOf, type UsersJob } from '../runs/users-job.js'
import { button, byId, el, setText, watch } from './dom.js'
import { saveCsv, saveJson } from './download.js'
import { bytes, count, percent } from './format.js'
import { JobCard } from './job-card.js'
import { records } from './records.js'
import { StageView } from './stage.js'
import { PagedTable } from './table.js'

const LOOK = 200

/** Shows a job on users until it has ended. What it shows is read from the queue: after a reload it is all there again. */
export async function followUsers(job: UsersJob, fresh: boolean): Promise<void> {
  const view = new UsersView(job)
  const run = await startUsers(queue, job)
  view.attach(run)
  let seenRunning = fresh
  const look = async () => {
    const progress = await run.progress()
    seenRunning ||= progress.processing.open
    view.show(progress)
  }
  const over = new AbortController()
  const looking = watch(LOOK, over.signal, look)
  try {
    await Promise.all([run.end(), listErrors(run, view.errors)])
  } finally {
    over.abort()
    await looking
    await look()
  }
  if (job.source === 'file') await files.remove(job.file) // every row is a task by now, or never will be
  const { validation, processing, state } = await run.progress()
  const errors = validation.failed + processing.failed
  if (seenRunning && state === 'completed') records.add({ job, title: titleOf(job), tasks: validation.done, errors })
}

async function listErrors(run: UsersRun, table: PagedTable<RowError>): Promise<void> {
  for await (const some of run.errors()) table.add(...some)
}

class UsersView {
  readonly errors = new PagedTable<RowError>(
    'Errors by row',
    [
      { title: 'Row', kind: 'place', cell: ({ row }) => count(row) },
      { title: 'Field', cell: ({ field }) => field },
      { title: 'Error', cell: ({ message }) => message },
    ],
    (a, b) => a.row - b.row,
  )
  readonly #job: UsersJob
  readonly #card: JobCard
  readonly #imports = new StageView('Import', 'users-import')
  readonly #validation = new StageView('Validation', 'users-validation')
  readonly #processing = new StageView('Processing of the valid ones', 'users-processing')
  readonly #figures = { total: el('dd'), valid: el('dd'), rate: el('dd'), processed: el('dd') }
  readonly #noErrors = el('p', { class: 'empty' }, 'None so far.')
  readonly #exports: HTMLButtonElement[] = []
  readonly #exportLine = el('div', { class: 'actions' }, el('span', { class: 'caption' }, 'Export'))

  constructor(job: UsersJob) {
    this.#job = job
    this.#imports.root.hidden = job.source !== 'file'
    const { total, valid, rate, processed } = this.#figures
    const figure = (name: string, dd: HTMLElement) => el('div', {}, el('dt', {}, name), dd)
    for (const dd of Object.values(this.#figures)) setText(dd, '–')
    this.errors.root.hidden = true
    this.#card = new JobCard(
      byId('users-job', HTMLElement),
      titleOf(job),
      el('div', { class: 'stages' }, this.#imports.root, this.#validation.root, this.#processing.root),
      el(
        'dl',
        { class: 'figures' },
        figure('Users', total),
        figure('Valid', valid),
        figure('Success rate', rate),
        figure('Processed', processed),
      ),
      this.#exportLine,
      el('h3', {}, 'Errors by row'),
      this.#noErrors,
      this.errors.root,
    )
  }

  attach(run: UsersRun): void {
    this.#card.cancelWith(() => run.cancel())
    const name = titleOf(this.#job)
      .replace(/\.\w+$/, '')
      .replace(/[^\w-]+/g, '-')
    this.#exports.push(
      button('Results as CSV', () => saveCsv(`${name}-results.csv`, run.processed()), 'quiet'),
      button('Results as JSON', () => saveJson(`${name}-results.json`, run.processed()), 'quiet'),
      button('Errors as CSV', () => saveCsv(`${name}-errors.csv`, from(this.errors.rows)), 'quiet'),
    )
    for (const each of this.#exports) each.disabled = true // until the job has ended and there is a whole to save
    this.#exportLine.append(...this.#exports)
  }

  show({ imported, validation, processing, state, problem }: UsersProgress): void {
    if (imported !== undefined && this.#job.source === 'file') {
      const { size } = this.#job
      this.#imports.show({ total: size, done: imported, completed: imported, open: false }, bytes)
    }
    this.#validation.show(validation)
    this.#processing.show(processing)
    const { total, valid, rate, processed } = this.#figures
    const judged = validation.done - validation.cancelled
    const counts = { total: judged, valid: processing.total, processed: processing.completed }
    const summary = usersSummary(counts, [])
    setText(total, count(validation.total))
    setText(valid, count(summary.valid_users))
    setText(rate, judged === 0 ? '–' : percent(summary.success_rate))
    setText(processed, count(summary.processed_users))
    const expected = validation.total + processing.total
    if (!validation.open && expected > 0) this.#card.share((validation.done + processing.done) / expected)
    this.#noErrors.hidden = this.errors.rows.length > 0
    this.errors.root.hidden = !this.#noErrors.hidden
    if (state !== 'running') {
      setText(this.#noErrors, 'None.')
      for (const each of this.#exports) each.disabled = false
    }
    this.#card.state(state, problem)
  }
}

async function* from<T>(list: readonly T[]): AsyncGenerator<T> {
  yield* list
}
