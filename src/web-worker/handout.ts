import type { Clock } from '../clock.js'
import { whyUncloneable } from '../cloneable.js'
import { errorRecord } from '../errors.js'
import type { Deadlines } from '../execute/deadlines.js'
import type { Durations } from '../execute/durations.js'
import { Line } from '../execute/line.js'
import type { HandlerTable, Run } from '../executor.js'
import type { Attempts } from './attempts.js'
import { Batches } from './batches.js'
import type { Crew } from './crew.js'
import type { Entry, Member } from './member.js'
import { Sharing } from './sharing.js'
import { Suspects } from './suspects.js'

export interface HandoutOptions {
  crew: Crew
  attempts: Attempts
  durations: Durations
  deadlines: Deadlines
  clock: Clock
  concurrency: number
}

/** What waits, and who gets it. */
export class Handout {
  readonly #crew: Crew
  readonly #attempts: Attempts
  readonly #clock: Clock
  readonly #line = new Line()
  /** They run alone, and before all others. */
  readonly #suspects = new Suspects()
  readonly #batches: Batches
  readonly #sharing: Sharing

  constructor({ crew, attempts, durations, deadlines, clock, concurrency }: HandoutOptions, table: HandlerTable) {
    this.#crew = crew
    this.#attempts = attempts
    this.#clock = clock
    this.#batches = new Batches(durations, table, concurrency)
    this.#sharing = new Sharing(crew, clock, deadlines)
  }

  get size(): number {
    return this.#line.size + this.#suspects.size
  }

  add(runs: readonly Run[]): void {
    for (const run of runs) {
      this.#attempts.open(run)
      this.#line.push(run)
    }
  }

  /** Takes out what has certainly not begun: not suspects, which have begun before. */
  recall(): number[] {
    const keys = this.#line.clear().map(({ key }) => key)
    for (const key of keys) this.#attempts.recall(key)
    return keys
  }

  remove(entry: Entry): void {
    if (!this.#line.remove(entry.run.key)) this.#suspects.remove(entry)
  }

  /** To the front, in their order. */
  putBack(entries: readonly Entry[]): void {
    this.#line.putBack(entries.map(({ run }) => run))
  }

  /** One of these crashed a Web Worker, or none. */
  suspect(entries: readonly Entry[]): void {
    this.#suspects.add(entries)
  }

  /** It was this one: those suspected with it are ordinary runs again. */
  convict(entry: Entry): void {
    this.putBack(this.#suspects.convict(entry))
  }

  /** Gives everyone something to do. */
  pump(): void {
    const { members } = this.#crew
    const now = this.#clock.monotonic()
    const wanting = [...members].filter((member) => this.#batches.wants(member, now))
    wanting.sort((a, b) => a.given.size - b.given.size)
    for (const [i, member] of wanting.entries()) {
      const suspect = member.given.size === 0 ? this.#suspects.next() : undefined
      if (suspect) {
        member.alone = true
        this.#send(member, [suspect])
        continue
      }
      const share = Math.ceil(this.#line.size / (wanting.length - i))
      const batch = this.#batches.take(member, members, this.#line, share)
      const entries = batch.flatMap(({ key }) => this.#attempts.get(key) ?? [])
      if (entries.length > 0) this.#send(member, entries)
    }
    const more = this.#batches.wantsMore(members, this.#line) ? this.#line.size : 0
    this.#crew.grow(more + this.#suspects.size)
    if (this.size === 0) this.#sharing.look()
  }

  #send(member: Member, entries: readonly Entry[]): void {
    const now = this.#clock.monotonic()
    for (const entry of entries) member.add(entry, now)
    this.#crew.busy(member)
    try {
      const runs = entries.map(({ run, inquiry }) => (inquiry ? { ...run, mark: true as const } : run))
      member.handle.post({ type: 'give', runs })
    } catch (error) {
      this.#refused(member, entries, error)
    }
  }

  /** Nothing was sent. Stored inputs can be cloned, but a backend in memory may hold others. */
  #refused(member: Member, entries: readonly Entry[], error: unknown): void {
    const fit = entries.filter(({ run }) => !whyUncloneable([run.input, run.meta], 'input'))
    const none = fit.length === entries.length // no telling which: all are refused rather than tried for ever
    for (const entry of entries) {
      member.remove(entry.run.key)
      if (!none && fit.includes(entry)) continue
      this.#attempts.fail(entry, { ...errorRecord(error), code: 'uncloneable', retryable: false })
    }
    if (!none && fit.length > 0) {
      this.#send(member, fit)
      return
    }
    if (member.given.size === 0) this.#crew.idle(member)
    queueMicrotask(() => this.pump())
  }
}
