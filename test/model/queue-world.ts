import { localChannel } from '../../src/channel.js'
import { BatchNotFoundError, StorageError } from '../../src/errors.js'
import type { Report, Run } from '../../src/executor.js'
import { memoryLocks } from '../../src/memory/locks.js'
import { pipeline } from '../../src/pipeline.js'
import type { Result, TaskId, TaskView } from '../../src/task.js'
import { audit } from '../support/audit.js'
import { ManualClock } from '../support/clock.js'
import type { Script } from '../support/executor.js'
import { pick, same } from './check.js'
import { type Browser, type Handlers, type Item, isItem, isJob, isMade, type Job, type Made, Page } from './page.js'
import { type Action, describe, imports, runs, type Step } from './queue-steps.js'
import { states } from './steps.js'
import type { Database } from './world.js'

/** What is known of a task, by what tells it from all others. */
interface Known {
  job?: Job
  /** `refused`: the caller was told that it is not stored; `unsure`: nobody told. */
  stored: 'surely' | 'unsure' | 'refused'
  id?: string
  result?: Result
  /** Someone tried to cancel it. */
  cancelled: boolean
}

const flow = pipeline<Handlers>('flow').map('make').filter('keep').filter({ handler: 'judge' }).map('end')

/** What comes of an item, computed plainly. */
function outcomeOf(i: number): { value: unknown } | 'failed' | 'dropped' {
  if (i % 5 === 4) return 'failed'
  return i % 3 === 0 || i % 2 === 1 ? 'dropped' : { value: { i, end: 2 * i + 1 } }
}
const itemsOf = (id: string): Item[] => Array.from({ length: id === 'r1' ? 7 : 23 }, (_, i) => ({ i }))

const jobsOf = (id: string): Job[] =>
  Array.from({ length: id === 'm1' ? 11 : 27 }, (_, i) => ({
    ...{
      n: `${id}.${i}`,
      fails: i % 4 === 1 ? 1 : i % 9 === 8 ? 3 : 0,
      crashes: i % 13 === 12 ? 3 : 0,
      ms: i % 7 === 3 ? 500 : 0,
    },
    ...(i % 6 === 0 ? { follow: { batch: id } } : {}),
  }))

/** Pages of one browser on one database: what they do, what becomes of them, and what must hold whatever happens. */
export class QueueWorld implements Browser {
  readonly script: string[] = []
  readonly clock = new ManualClock()
  readonly channel = localChannel()
  readonly locks = memoryLocks()
  readonly left = new Set<string>()
  readonly connect: Database['connect']
  readonly #raw: Database['raw']
  readonly #pages: Page[] = []
  readonly #known = new Map<string, Known>()
  readonly #pending = new Set<Promise<unknown>>()
  readonly #crashes = new Map<string, number>()
  /** Imports and runs that were begun; whether they are stored to the end; whether someone cancelled them as a whole. */
  readonly #begun = new Map<string, { whole: boolean; over: boolean }>()
  /** Pages that crashed, which counts for what they held. */
  #deaths = 0
  #jobs = 0
  #wrong: unknown

  constructor({ connect, raw }: Database) {
    this.connect = connect
    this.#raw = raw
  }

  // — the browser ———————————————————————————————————————————————————————————————————————————————————————————————————————

  act({ id, name, input, attempt }: Run): Script {
    if (isJob(input)) return this.#job(id, attempt, input)
    if (isMade(input)) {
      const { i, v } = input
      return name === 'judge' ? { do: 'ok', value: v % 4 === 0 } : { do: 'ok', value: { i, end: v + 1 }, ms: 20 }
    }
    if (!isItem(input)) throw new Error(`Nobody enqueued ${name} of ${JSON.stringify(input)}.`)
    const { i } = input
    if (i % 5 === 4) return { do: 'fail', error: { retryable: false } }
    if (i % 5 === 3 && attempt === 1) return { do: 'fail' }
    return { do: 'ok', value: { i, v: 2 * i, keep: i % 3 !== 0 } satisfies Made }
  }

  #job(id: TaskId, attempt: number, { n, fails, crashes, ms, follow }: Job): Script {
    // What crashes three times does so for ever: a crash of which the page's end kept the storage from hearing is not charged.
    if (crashes >= 3 || crashes > (this.#crashes.get(id) ?? 0)) return { do: 'crash', ms }
    if (attempt <= fails) return { do: 'fail', ms }
    const next: Job = { n: `${n}+`, fails: 0, crashes: 0, ms: 0 }
    const followUps = follow ? { followUps: [{ name: 'work', input: next, ...follow }] } : {}
    return { do: 'ok', value: { done: n }, ms, ...followUps }
  }

  reported(report: Report, of: ReadonlyMap<number, Run>): void {
    if (report.type !== 'crashed') return
    const id = of.get(report.key)?.id ?? ''
    this.#crashes.set(id, (this.#crashes.get(id) ?? 0) + 1)
  }

  error(error: unknown): void {
    if (!(error instanceof StorageError)) this.#wrong ??= error
  }

  died(): void {
    this.#deaths++
  }

  #page(i: number): Page {
    const page = this.#pages[i]
    if (page && !page.dead) return page
    const made = new Page(`page ${i + 1}`, this)
    this.#pages[i] = made
    return made
  }

  /** How many transactions a page has begun since a fault was last thought of. */
  transactionsOf(i: number): { count: number } {
    return { count: this.#page(i).storage.count }
  }

  // — what happens ——————————————————————————————————————————————————————————————————————————————————————————————————————

  async run(step: Step): Promise<void> {
    const line = this.script.push(describe(step)) - 1
    const { action, fault } = step
    const struck = fault && this.#page(fault.page)
    struck?.storage.arm(fault)
    const note = await this.#act(action)
    await this.#rest()
    if (note) this.script[line] += ` → ${note}`
    if (struck?.storage.struck) this.script[line] += ` [fault: ${struck.storage.struck}]`
    await this.#look()
  }

  /** Resolves once nothing goes on any more until time passes: what is looked at does not move meanwhile. */
  async #rest(): Promise<void> {
    do await this.clock.advance(0)
    while (this.#pages.some((page) => page && page.storage.busy > 0))
  }

  /** Waits for what a page does, unless it dies over it. Resolves with what went wrong. */
  async #try(page: Page, act: () => Promise<unknown>): Promise<string | undefined> {
    let failure: unknown
    const done = act().catch((error: unknown) => {
      failure = error
    })
    await Promise.race([done, page.gone])
    // The death of a page by a fault counts as any other.
    if (page.dead) return 'it died'
    if (failure === undefined) return undefined
    if (failure instanceof StorageError) return failure.code
    if (failure instanceof BatchNotFoundError) return 'not found'
    throw failure
  }

  /** What takes time goes on while other things happen. */
  #later(page: Page, work: Promise<unknown>): void {
    const pending: Promise<void> = Promise.race([work, page.gone])
      .then(
        () => {},
        (error: unknown) => this.error(error),
      )
      .finally(() => this.#pending.delete(pending))
    this.#pending.add(pending)
  }

  #act(action: Action): Promise<string | undefined> | undefined {
    if (action.do === 'time') return this.clock.advance(action.ms).then(() => undefined)
    const page = this.#page(action.page)
    const { queue, worker } = page
    switch (action.do) {
      case 'enqueue':
        return this.#enqueue(page, action)
      case 'import':
      case 'run':
        return this.#import(page, action.id, action.chunk)
      case 'cancel':
      case 'retry':
        return this.#each(page, action)
      case 'cancel batch': {
        const begun = this.#begun.get(action.id)
        if (begun) begun.over = true
        for (const [n, known] of this.#known) if (n.startsWith(`${action.id}.`)) known.cancelled = true
        return this.#try(page, async () => (await queue.batch(action.id))?.cancel())
      }
      case 'clear':
        for (const known of this.#known.values()) known.cancelled = true
        return this.#try(page, () => queue.clear(action.queue === null ? {} : { queue: action.queue }))
      case 'pause': {
        const until = action.ms === null ? {} : { until: this.clock.now() + action.ms }
        return this.#try(page, () => queue.pause(action.queue ?? undefined, until))
      }
      case 'resume':
        return this.#try(page, () => queue.resume(action.queue ?? undefined))
      case 'prune':
        return this.#try(page, () => queue.prune({ age: action.age }))
      case 'start':
        this.#later(page, worker.start())
        return
      case 'stop':
        this.#later(page, worker.stop({ grace: action.grace }))
        return
      case 'drain':
        this.#later(page, worker.drain({ limit: action.limit }))
        return
      case 'crash':
        this.died()
        page.crash()
        return
      case 'leave':
        page.leave()
        return
    }
  }

  async #enqueue(page: Page, { count, fails, crashes, ms, follow, ...o }: Extract<Action, { do: 'enqueue' }>) {
    const { queue, priority, delay } = o
    const notes = await Promise.all(
      Array.from({ length: count }, async () => {
        const job: Job = { n: `j${this.#jobs++}`, fails, crashes, ms, ...(follow ? { follow: {} } : {}) }
        const known: Known = { job, stored: 'unsure', cancelled: false }
        this.#known.set(job.n, known)
        const note = await this.#try(page, async () => {
          known.id = (await page.queue.enqueue('work', job, { queue, priority, delay })).id
        })
        if (known.id !== undefined) known.stored = 'surely'
        else if (note !== 'lost' && note !== 'it died') known.stored = 'refused'
        return note
      }),
    )
    return [...new Set(notes)].filter(Boolean).join(', ')
  }

  async #import(page: Page, id: string, chunkSize: number): Promise<string | undefined> {
    const begun = this.#begun.get(id) ?? { whole: false, over: false }
    this.#begun.set(id, begun)
    // Once it has ended and is pruned, it would begin anew.
    const stored = [...this.#known.keys()].some((n) => n.startsWith(`${id}.`) || n.startsWith(`${id}/`))
    if (stored && !(await new Page('reader', this).queue.batch(id))) begun.over = true
    if (begun.whole || begun.over) return 'it is over'
    const note = await this.#try(page, () =>
      id.startsWith('m')
        ? page.queue.enqueueMany('work', jobsOf(id), { id, chunkSize })
        : flow.run(page.queue, itemsOf(id), { id, chunkSize }),
    )
    begun.whole = note === undefined
    return note
  }

  async #each(page: Page, { do: what, picks }: Extract<Action, { do: 'cancel' | 'retry' }>): Promise<string> {
    const ended = (known: Known) => known.result !== undefined
    const notes: string[] = []
    for (const known of pick([...this.#known.values()], picks)) {
      const { id } = known
      if (id === undefined || page.dead) continue
      let done: boolean | undefined
      const before = ended(known) ? known.result?.status : undefined
      if (what === 'cancel') known.cancelled = true
      else {
        if (before === 'failed' || before === 'cancelled') delete known.result
      }
      const note = await this.#try(page, async () => {
        const task = page.queue.task(id)
        done = await (what === 'cancel' ? task.cancel() : task.retry())
      })
      notes.push(note ?? String(done))
    }
    return notes.join(', ')
  }

  // — what must hold ————————————————————————————————————————————————————————————————————————————————————————————————————

  /** After every step: the books balance, nothing has vanished or come twice, and what has ended stays as it ended. */
  async #look(): Promise<void> {
    if (this.#wrong) throw this.#wrong
    await audit(this.#raw)
    const reader = new Page('reader', this)
    const found = new Map<string, TaskView[]>()
    for (const state of states) {
      for await (const view of reader.queue.tasks({ state, limit: 100 })) {
        const n = nameOf(view)
        found.set(n, [...(found.get(n) ?? []), view])
      }
    }
    reader.crash()
    for (const [n, views] of found) {
      const [view] = views
      same(views.length, 1, `how often ${n} is stored`)
      const known = this.#known.get(n) ?? { stored: 'unsure', cancelled: true }
      this.#known.set(n, known)
      if (!view) continue
      same(known.stored === 'refused', false, `${n}, which was refused, is stored`)
      known.id ??= view.id
      same(view.id, known.id, `the id of ${n}`)
      // It may have ended another way between a retry and now, but not otherwise.
      if (known.result) same(view.result, known.result, `the outcome of ${n}`)
      if (view.result) {
        known.result = view.result
        this.#judge(n, known, view.result)
      }
    }
    for (const [n, { stored, result }] of this.#known) {
      if (stored !== 'surely' || found.has(n)) continue
      // Only what has ended may have been pruned.
      same(result !== undefined, true, `${n} is there, or has ended`)
    }
  }

  /** A job's outcome must be the one that it was made for; attempts and crashes are charged to whom they belong. */
  #judge(n: string, { cancelled, job = jobOf(n) }: Known, result: Result): void {
    if (!job) return
    const crashed = result.status === 'failed' && result.error.code === 'crashed'
    if (result.status === 'cancelled') {
      same(cancelled, true, `${n} was cancelled by someone`)
      return
    }
    if (crashed) {
      same(job.crashes + this.#deaths >= 3, true, `${n} crashed often enough`)
      return
    }
    same(job.crashes < 3, true, `${n} always crashes`)
    same(result.attempts, Math.min(job.fails + 1, 3), `attempts of ${n}`)
    same(result.status, job.fails >= 3 ? 'failed' : 'completed', `how ${n} ended`)
    if (result.status === 'completed') same(result.value, { done: n }, `what ${n} came to`)
  }

  /** Nothing goes wrong any more: everything that was begun comes to its end, and to the right one. */
  async end(): Promise<void> {
    for (const page of this.#pages) page?.storage.disarm()
    for (const page of this.#pages) if (page && !page.dead) this.#later(page, page.worker.stop({ grace: 0 }))
    await this.clock.until(() => this.#pending.size === 0, { within: 600_000 })
    const page = new Page('the last page', this)
    await page.queue.resume()
    for (const queue of ['default', 'other']) await page.queue.resume(queue)
    for (const [id, { over }] of this.#begun) {
      if (over) await (await page.queue.batch(id))?.cancel()
      const note = await this.#import(page, id, 5)
      same([undefined, 'it is over'].includes(note), true, `import of ${id}: ${note}`)
    }
    await page.worker.start()
    const live = async () => {
      const { blocked, scheduled, available, running } = await page.queue.counts()
      return blocked + scheduled + available + running
    }
    await this.clock.until(async () => (await live()) === 0, { within: 900_000 })
    await this.#look()
    await this.#checkFollowUps()
    for (const id of imports) await this.#checkImport(page, id)
    for (const id of runs) await this.#checkRun(page, id)
    const stopped = page.worker.stop({ grace: 0 })
    await this.clock.advance(10_000)
    await stopped
  }

  async #checkFollowUps(): Promise<void> {
    for (const [n, { result, job = jobOf(n) }] of [...this.#known]) {
      if (n.endsWith('+')) same(this.#known.get(n.slice(0, -1))?.result?.status, 'completed', `who enqueued ${n}`)
      if (!job?.follow || result?.status !== 'completed') continue
      const { batch } = job.follow
      if (batch !== undefined && this.#begun.get(batch)?.over) continue
      same(this.#known.get(`${n}+`)?.result !== undefined, true, `what ${n} enqueued has ended`)
    }
  }

  async #checkImport(page: Page, id: string): Promise<void> {
    const begun = this.#begun.get(id)
    const batch = await page.queue.batch(id)
    if (!begun || !batch) return
    const { total, done, open, ...counts } = await batch.progress()
    const mine = [...this.#known].filter(([n]) => n.startsWith(`${id}.`)).map(([, known]) => known)
    const of = (status: string) => mine.filter(({ result }) => result?.status === status).length
    const { completed, failed, cancelled } = counts
    same([completed, failed, cancelled], [of('completed'), of('failed'), of('cancelled')], `counts of ${id}`)
    same([total, done, open], [mine.length, mine.length, false], `total of ${id}`)
    if (!begun.over)
      for (const { n } of jobsOf(id)) same(this.#known.get(n)?.result !== undefined, true, `${n} has ended`)
    const results = await batch.collect()
    same(
      results.map(({ index }) => index),
      Array.from({ length: total }, (_, i) => i),
      `indexes of ${id}`,
    )
  }

  async #checkRun(page: Page, id: string): Promise<void> {
    const begun = this.#begun.get(id)
    const run = begun && (await flow.find(page.queue, id))
    if (!begun || !run) return
    const { total, done, open, dropped, stages } = await run.progress()
    same([done, open], [total, false], `progress of ${id}`)
    const results = await run.collect()
    const found = new Map(results.map((result) => [result.index, result]))
    if (!begun.over) same(total, itemsOf(id).length, `items of ${id}`)
    let left = 0
    for (const { i } of itemsOf(id).slice(0, total)) {
      const result = found.get(i)
      const wanted = outcomeOf(i)
      const known = result && [...this.#known.values()].find(({ id: of }) => of === result.id)
      if (result?.status === 'cancelled' && known?.cancelled) continue
      if (result?.status === 'failed' && result.error.code === 'crashed' && this.#deaths >= 3) continue
      if (wanted === 'dropped') {
        left++
        same(result, undefined, `item ${i} of ${id}, which is dropped`)
      } else if (wanted === 'failed') same(result?.status, 'failed', `item ${i} of ${id}`)
      else same(result?.status === 'completed' && result.value, wanted.value, `item ${i} of ${id}`)
    }
    same(dropped, left, `items dropped by ${id}`)
    for (const [s, stage] of stages.entries()) {
      const came = s === 0 ? total : (stages[s - 1]?.completed ?? 0)
      same(stage.completed + stage.failed + stage.cancelled + stage.dropped, came, `stage ${s} of ${id}`)
    }
  }
}

/** What tells a task from others. */
function nameOf({ name, input, batch, id }: TaskView): string {
  if (isJob(input)) return input.n
  return `${batch}/${name}/${isItem(input) ? input.i : id}`
}

/** Of an import. */
const jobOf = (n: string): Job | undefined => jobsOf(n.split('.')[0] ?? '').find((job) => job.n === n)
