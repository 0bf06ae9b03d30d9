import type { Clock } from '../clock.js'
import { whyUncloneable } from '../cloneable.js'
import { Deadlines } from '../deadlines.js'
import { Durations } from '../durations.js'
import { errorRecord } from '../errors.js'
import type { EndedRun, HandlerTable, Report, Run, WorkerView } from '../executor.js'
import { timeoutOf } from '../handler-table.js'
import { Line } from '../line.js'
import { abortedRecord } from '../run.js'
import type { ErrorRecord } from '../task.js'
import { Throttle } from '../throttle.js'
import { Attempts } from './attempts.js'
import { Batches, SILENCE } from './batches.js'
import { blame } from './blame.js'
import { Crew } from './crew.js'
import type { Entry, Member } from './member.js'
import type { ToPage } from './protocol.js'
import { Suspects } from './suspects.js'
import type { Death } from './worker-handle.js'

/** Every Web Worker sends a tick each 5 s: one of them is enough. */
const TICK_GAP = 4_000

export interface DispatcherOptions {
  factory: () => Worker
  size: number
  concurrency: number
  startTimeout: number
  idleTimeout: number
  clock: Clock
  report(report: Report): void
}

/** Gives runs to Web Workers, and those of a Web Worker that died to others. Lives from open to close. */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #crew: Crew
  readonly #attempts: Attempts
  readonly #deadlines: Deadlines
  readonly #changed: Throttle
  readonly #durations = new Durations()
  readonly #line = new Line()
  /** They run alone, and before all others. */
  readonly #suspects = new Suspects()
  #table: HandlerTable = {}
  #batches: Batches
  #tickedAt = Number.NEGATIVE_INFINITY
  #sharing = false
  #closed = false

  constructor(options: DispatcherOptions) {
    const { clock, concurrency } = options
    const report = (what: Report) => this.#report(what)
    this.#options = options
    this.#deadlines = new Deadlines(clock)
    this.#changed = new Throttle(clock, 100, () => report({ type: 'workers' }))
    this.#batches = new Batches(this.#durations, this.#table, concurrency)
    this.#attempts = new Attempts({
      clock,
      deadlines: this.#deadlines,
      report,
      kill: (member, { run }, reason) => this.#lost(member, { error: abortedRecord(reason), running: [run.key] }),
    })
    this.#crew = new Crew({
      ...options,
      deadlines: this.#deadlines,
      hear: (member, message) => this.#hear(member, message),
      died: (member, death) => this.#lost(member, death),
      ready: () => this.#pump(),
      changed: () => this.#changed.request(),
    })
  }

  async open(): Promise<HandlerTable> {
    this.#table = await this.#crew.open()
    this.#batches = new Batches(this.#durations, this.#table, this.#options.concurrency)
    return this.#table
  }

  close(): void {
    this.#closed = true
    this.#crew.close()
    this.#deadlines.clear()
    this.#changed.stop()
  }

  get backlog(): number {
    let waiting = this.#line.size + this.#suspects.size
    for (const member of this.#crew.members) waiting += member.waiting
    return waiting
  }

  give(runs: readonly Run[]): void {
    for (const run of runs) {
      this.#attempts.open(run)
      this.#line.push(run)
    }
    this.#pump()
  }

  recall(): number[] {
    const keys = this.#line.clear().map(({ key }) => key)
    for (const key of keys) this.#attempts.recall(key)
    return keys
  }

  abort(key: number, reason: string): void {
    const entry = this.#attempts.get(key)
    if (!entry) return
    if (!entry.member) {
      this.#line.remove(key)
      this.#suspects.remove(entry)
    }
    this.#attempts.abort(entry, reason)
  }

  kill(number: number): void {
    for (const member of this.#crew.members) {
      if (member.number !== number || !member.ready) continue
      const message = `The Web Worker ${number} was killed.`
      this.#lost(member, { error: { name: 'Error', message, code: 'crashed' }, asked: true })
    }
  }

  workers(): WorkerView[] {
    return [...this.#crew.members].map((member) => member.view())
  }

  /** Gives everyone something to do. */
  #pump(): void {
    if (this.#closed) return
    const now = this.#options.clock.monotonic()
    const wanting = [...this.#crew.members].filter((member) => this.#batches.wants(member, now))
    wanting.sort((a, b) => a.given.size - b.given.size)
    for (const [i, member] of wanting.entries()) {
      const suspect = member.given.size === 0 ? this.#suspects.next() : undefined
      if (suspect) {
        member.alone = true
        this.#send(member, [suspect])
        continue
      }
      const share = Math.ceil(this.#line.size / (wanting.length - i))
      const batch = this.#batches.take(member, this.#crew.members, this.#line, share)
      const entries = batch.flatMap(({ key }) => this.#attempts.get(key) ?? [])
      if (entries.length > 0) this.#send(member, entries)
    }
    this.#crew.grow(this.#line.size + this.#suspects.size)
    this.#share()
  }

  #send(member: Member, entries: readonly Entry[]): void {
    const now = this.#options.clock.monotonic()
    for (const entry of entries) member.add(entry, now)
    this.#crew.busy(member)
    try {
      const runs = entries.map(({ run, inquiry }) => (inquiry ? { ...run, mark: true as const } : run))
      member.handle.post({ type: 'give', runs })
      this.#changed.request()
    } catch (error) {
      // Nothing was sent. Stored inputs can be cloned; a backend in memory may hold others.
      const refused = entries.filter(({ run }) => whyUncloneable([run.input, run.meta], 'input') !== undefined)
      const fit = refused.length > 0 ? entries.filter((entry) => !refused.includes(entry)) : []
      for (const entry of entries) {
        member.remove(entry.run.key)
        if (!fit.includes(entry))
          this.#attempts.fail(entry, { ...errorRecord(error), code: 'uncloneable', retryable: false })
      }
      if (fit.length > 0) this.#send(member, fit)
      else this.#rest(member)
    }
  }

  #hear(member: Member, message: ToPage): void {
    const now = this.#options.clock.monotonic()
    member.recalling = false
    switch (message.type) {
      case 'progress':
        member.progressAt = now
        this.#progress(member, message.ended, message.started)
        break
      case 'recalled':
        this.#recalled(member, message.keys)
        break
      case 'tick':
        this.#deadlines.sweep()
        if (now - this.#tickedAt < TICK_GAP) return
        this.#tickedAt = now
        this.#report({ type: 'tick' })
        return
      case 'broken':
        break // the handle's
    }
    this.#pump()
  }

  #progress(member: Member, ended: readonly EndedRun[], started: { key: number; at: number } | undefined): void {
    const known = ended.flatMap((end) => {
      const entry = member.remove(end.key)
      return entry ? [{ entry, end }] : []
    })
    member.ended += known.length
    if (known.length > 0) this.#crew.recovered()
    this.#measure(known)
    this.#attempts.ended(known)
    const entry = started && member.given.get(started.key)
    if (started && entry) this.#attempts.started(entry, started.at, timeoutOf(entry.run, this.#table))
    this.#rest(member)
    this.#changed.request()
  }

  #recalled(member: Member, keys: readonly number[]): void {
    const entries = keys.flatMap((key) => member.given.get(key) ?? [])
    this.#line.putBack(entries.filter((entry) => this.#takeBack(member, entry)).map(({ run }) => run))
    this.#rest(member)
  }

  /** Clocks in Web Workers are coarse: what ended together is averaged first. */
  #measure(known: readonly { entry: Entry; end: EndedRun }[]): void {
    const sums = new Map<string, { ms: number; count: number }>()
    for (const { entry, end } of known) {
      const sum = sums.get(entry.run.name) ?? { ms: 0, count: 0 }
      sum.ms += end.finishedAt - end.startedAt
      sum.count++
      sums.set(entry.run.name, sum)
    }
    for (const [name, { ms, count }] of sums) this.#durations.add(name, ms / count, count)
  }

  #rest(member: Member): void {
    if (member.given.size === 0) this.#crew.idle(member)
  }

  /** False: it ended instead, because it was aborted. */
  #takeBack(member: Member, entry: Entry): boolean {
    member.remove(entry.run.key)
    if (entry.reported) return false
    if (entry.aborted) this.#attempts.fail(entry, abortedRecord(entry.aborted))
    else this.#attempts.reset(entry)
    return !entry.aborted
  }

  /** A Web Worker is gone, or has to go. Only who is guilty for sure is charged, and nothing is lost. */
  #lost(member: Member, death: Death & { asked?: boolean }): void {
    const evidence = {
      given: [...member.given.keys()],
      marked: member.marked(),
      sequential: this.#options.concurrency === 1,
      running: death.running,
    }
    const { culprit, suspects } = blame(evidence)
    this.#crew.end(member)
    const doubtful = new Set(suspects)
    const [suspected, again]: [Entry[], Run[]] = [[], []]
    for (const [key, entry] of [...member.given]) {
      if (key === culprit) {
        again.push(...this.#suspects.convict(entry).map(({ run }) => run))
        member.remove(key)
        this.#attempts.crashed(entry, crash(death.error))
      } else if (this.#takeBack(member, entry)) {
        if (doubtful.has(key)) suspected.push(entry)
        else again.push(entry.run)
      }
    }
    this.#suspects.add(suspected)
    this.#line.putBack(again)
    // It broke down without having anything to do with a run: the next one may as well.
    if (culprit === undefined && suspects.length === 0 && !death.asked) this.#crew.backOff()
    this.#pump()
  }

  /** Web Workers with nothing to do get what others have not come to. */
  #share(): void {
    if (this.#sharing || this.#line.size > 0 || this.#suspects.size > 0) return
    const members = [...this.#crew.members]
    const spare = members.length < this.#crew.size || members.some(({ ready, given }) => ready && given.size === 0)
    if (!spare || !members.some(({ waiting }) => waiting > 0)) return
    this.#sharing = true
    this.#deadlines.in(SILENCE, () => {
      this.#sharing = false
      const now = this.#options.clock.monotonic()
      for (const member of this.#crew.members) {
        if (member.waiting === 0 || member.recalling || !this.#batches.isStuck(member, now)) continue
        member.recalling = true
        member.handle.post({ type: 'recall' })
      }
      this.#share()
    })
  }

  #report(report: Report): void {
    if (!this.#closed) this.#options.report(report)
  }
}

function crash(cause: ErrorRecord): ErrorRecord {
  return { name: 'CrashError', message: `The Web Worker crashed: ${cause.message}`, code: 'crashed', cause }
}
