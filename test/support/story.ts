import type { Counts } from 'sitq'
import { formatId } from '../../src/task.js'
import { Books } from '../chaos/books.js'
import type { Death } from '../chaos/kills.js'
import type { Counted, Recount } from '../chaos/pages/recount.js'
import type { Report } from '../chaos/pages/reports.js'
import { judge, type Verdict } from '../chaos/verdict.js'
import type { Job, Single } from '../chaos/work.js'

/** The task that stories are of. */
export const id = formatId('original', 0, 0)
export const place = '0:0'
export type Claim = { attempt?: number; crashes?: number }
type To = 'completed' | 'failed' | 'aside'
export const task: Counted = { place, name: 'work', key: 'a', state: 'completed', attempts: 1, run: 0 }

/** What was reported and found, in order; times in ms. It begins with an acknowledged task. */
export class Story {
  readonly books = new Books()
  readonly deaths: Death[] = []
  readonly jobs: Job[] = []
  readonly flows = new Map<string, number | string>()
  readonly singles: Single[] = [{ name: 'work', item: { key: 'a' } }]
  readonly counts: Counts = {
    ...{ blocked: 0, scheduled: 0, available: 0, running: 0, completed: 1, failed: 0, cancelled: 0 },
  }
  readonly recount: Recount = {
    ...{ origin: 'original', tasks: [task], faults: [], hosts: {}, batches: [] },
    ended: { completed: 1, failed: 0, cancelled: 0 },
  }
  #now = Date.now()

  constructor() {
    this.hear({ type: 'acknowledged', key: 'a', id })
  }

  hear(report: Report): this {
    this.books.hear(report)
    return this
  }

  /** The host of a page claims the task. */
  claim(page: string, { attempt = 1, crashes = 0 }: Claim = {}): this {
    const claimed = [{ place, name: 'work', attempt, crashes }]
    return this.#exchange(page, claimed, [])
  }

  run(page: string, worker = 1, attempt = 1): this {
    return this.hear({ type: 'run', life: page, worker, id, name: 'work', key: 'a', attempt, at: this.#now })
  }

  /** It ran when what `wait` passed over began, and is heard of now. */
  ran(page: string, worker: number): this {
    const at = this.#now - 60_000
    return this.hear({ type: 'run', life: page, worker, id, name: 'work', key: 'a', attempt: 1, at })
  }

  settle(page: string, to: To): this {
    return this.#exchange(page, [], [{ place, to }])
  }

  #exchange(
    page: string,
    claimed: Extract<Report, { type: 'exchange' }>['claimed'],
    settled: { place: string; to: To }[],
  ) {
    const host = `host of ${page}`
    return this.hear({ type: 'exchange', tab: page, host, at: this.#now, fenced: false, claimed, settled })
  }

  /** Much later. */
  wait(): this {
    this.#now += 60_000
    return this
  }

  dies(kind: Death['kind'], life?: string, worker?: number): this {
    const where = { ...(life === undefined ? {} : { life }), ...(worker === undefined ? {} : { worker }) }
    this.deaths.push({ kind, from: this.#now - 60_000, to: this.#now, what: kind, ...where })
    return this
  }

  found(...tasks: Counted[]): this {
    this.recount.tasks = tasks
    return this
  }

  judge(): Verdict {
    const { books, deaths, singles, jobs, recount, counts, flows } = this
    return judge({ secure: true, books, deaths, singles, jobs, recount, counts, flows })
  }
}
