import type { Clock } from '../clock.js'
import { Deadlines } from '../execute/deadlines.js'
import { Durations } from '../execute/durations.js'
import { timeoutOf } from '../execute/handler-table.js'
import { abortedRecord } from '../execute/run.js'
import { Throttle } from '../execute/throttle.js'
import type { EndedRun, HandlerTable, Report, Run, WorkerView } from '../executor.js'
import type { ErrorRecord } from '../task.js'
import { Attempts } from './attempts.js'
import { blame } from './blame.js'
import { Crew } from './crew.js'
import { Handout } from './handout.js'
import type { Entry, Member } from './member.js'
import type { ToPage } from './protocol.js'
import type { Death } from './worker-handle.js'

/** Every Web Worker sends a tick each 5 s: one of them is enough. */
const TICK_GAP = 4_000
/** Changes that people may want to see are told ten times a second at most. */
const CHANGES = 100

export interface DispatcherOptions {
  factory: () => Worker
  size: number
  concurrency: number
  startTimeout: number
  idleTimeout: number
  clock: Clock
  report(report: Report): void
}

/** A pool from open to close: hears what its Web Workers say, and what becomes of those that say nothing any more. */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #deadlines: Deadlines
  readonly #changed: Throttle
  readonly #durations = new Durations()
  readonly #crew: Crew
  readonly #attempts: Attempts
  /** Known once the first Web Worker has told the handlers. */
  #open: { table: HandlerTable; handout: Handout } | undefined
  #tickedAt = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(options: DispatcherOptions) {
    const { clock } = options
    const deadlines = new Deadlines(clock)
    const report = (what: Report) => this.#report(what)
    this.#options = options
    this.#deadlines = deadlines
    this.#changed = new Throttle(clock, CHANGES, () => report({ type: 'workers' }))
    this.#attempts = new Attempts({
      clock,
      deadlines,
      report,
      kill: (member, { run }, reason) => this.#lost(member, { error: abortedRecord(reason), running: [run.key] }),
    })
    this.#crew = new Crew({
      ...options,
      deadlines,
      hear: (member, message) => this.#hear(member, message),
      died: (member, death) => this.#lost(member, death),
      ready: () => this.#open?.handout.pump(),
      failed: (error) => report({ type: 'trouble', error }),
      changed: () => this.#changed.request(),
    })
  }

  async open(): Promise<HandlerTable> {
    const table = await this.#crew.open()
    const { clock, concurrency } = this.#options
    const [crew, attempts, durations, deadlines] = [this.#crew, this.#attempts, this.#durations, this.#deadlines]
    this.#open = { table, handout: new Handout({ crew, attempts, durations, deadlines, clock, concurrency }, table) }
    return table
  }

  close(): void {
    this.#closed = true
    this.#open = undefined
    this.#crew.close()
    this.#deadlines.clear()
    this.#changed.stop()
  }

  get backlog(): number {
    let waiting = this.#open?.handout.size ?? 0
    for (const member of this.#crew.members) waiting += member.waiting
    return waiting
  }

  give(runs: readonly Run[]): void {
    this.#open?.handout.add(runs)
    this.#open?.handout.pump()
  }

  recall(): number[] {
    return this.#open?.handout.recall() ?? []
  }

  abort(key: number, reason: string): void {
    const entry = this.#attempts.get(key)
    if (!entry) return
    if (!entry.member) this.#open?.handout.remove(entry)
    this.#attempts.abort(entry, reason)
  }

  kill(number: number): void {
    for (const member of this.#crew.members) {
      if (member.number !== number || !member.ready) continue
      this.#lost(member, { error: { name: 'Error', message: `Web Worker ${number} was killed.` } }, true)
    }
  }

  workers(): WorkerView[] {
    return [...this.#crew.members].map((member) => member.view())
  }

  #hear(member: Member, message: ToPage): void {
    const now = this.#options.clock.monotonic()
    member.recalling = false
    switch (message.type) {
      case 'progress':
        member.progressAt = now
        this.#ended(member, message.ended)
        if (message.started) this.#started(member, message.started)
        this.#changed.request()
        break
      case 'recalled': {
        const entries = message.keys.flatMap((key) => member.given.get(key) ?? [])
        this.#open?.handout.putBack(entries.filter((entry) => this.#takeBack(member, entry)))
        break
      }
      case 'tick':
        this.#deadlines.sweep()
        if (now - this.#tickedAt < TICK_GAP) return
        this.#tickedAt = now
        this.#report({ type: 'tick' })
        return
      case 'broken':
        return // the handle takes that as the end it is
    }
    if (member.given.size === 0) this.#crew.idle(member)
    this.#open?.handout.pump()
  }

  #ended(member: Member, ended: readonly EndedRun[]): void {
    const known = ended.flatMap((end) => {
      const entry = member.remove(end.key)
      return entry ? [{ entry, end }] : []
    })
    if (known.length === 0) return
    member.ended += known.length
    this.#crew.recovered()
    this.#durations.addAll(
      known.map(({ entry, end }) => ({ name: entry.run.name, ms: end.finishedAt - end.startedAt })),
    )
    this.#attempts.ended(known)
  }

  #started(member: Member, { key, at }: { key: number; at: number }): void {
    const entry = member.given.get(key)
    if (entry) this.#attempts.started(entry, at, timeoutOf(entry.run, this.#open?.table ?? {}))
  }

  /** A Web Worker is gone, or has to go. Only who is guilty for sure is charged, and nothing is lost. */
  #lost(member: Member, death: Death, asked = false): void {
    const { given } = member
    const sequential = this.#options.concurrency === 1
    const unreadable = death.error.code === 'unreadable'
    const evidence = {
      given: [...given.keys()],
      marked: member.marked(),
      sequential,
      running: death.running,
      unreadable,
    }
    const { culprit, suspects } = blame(evidence)
    this.#crew.end(member)
    const doubtful = new Set(suspects)
    const again: Entry[] = []
    const suspected: Entry[] = []
    for (const [key, entry] of [...given]) {
      if (key === culprit) {
        member.remove(key)
        this.#open?.handout.convict(entry)
        // It would be the same again.
        if (unreadable) this.#attempts.fail(entry, { ...death.error, code: 'uncloneable', retryable: false })
        else this.#attempts.crashed(entry, crash(death.error))
      } else if (this.#takeBack(member, entry)) {
        if (doubtful.has(key)) suspected.push(entry)
        else again.push(entry)
      }
    }
    this.#open?.handout.suspect(suspected)
    this.#open?.handout.putBack(again)
    // It broke down without having come to any run, or without having one: the next one may as well.
    const useless = suspects.length === 0 || (member.ended === 0 && evidence.marked.length === 0)
    if (culprit === undefined && useless && !asked && !unreadable) this.#crew.backOff()
    this.#open?.handout.pump()
  }

  /** False: it was aborted, and ends with that instead of running again. */
  #takeBack(member: Member, entry: Entry): boolean {
    member.remove(entry.run.key)
    if (entry.reported) return false
    if (entry.aborted) this.#attempts.fail(entry, abortedRecord(entry.aborted))
    else this.#attempts.reset(entry)
    return !entry.aborted
  }

  #report(report: Report): void {
    if (!this.#closed) this.#options.report(report)
  }
}

function crash(cause: ErrorRecord): ErrorRecord {
  return { name: 'CrashError', message: `The Web Worker crashed: ${cause.message}`, code: 'crashed', cause }
}
