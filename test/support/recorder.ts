import { expect } from 'vitest'
import type { EndedRun, Executor, Report, Run } from '../../src/executor.js'
import type { ErrorRecord } from '../../src/task.js'

type Crashed = Extract<Report, { type: 'crashed' }>

/** A run as a host would give it. */
export function runOf(key: number, name: string, input?: unknown, more: Partial<Run> = {}): Run {
  return { key, id: `origin00-001-${String(key).padStart(9, '0')}`, name, input, attempt: 1, meta: undefined, ...more }
}

/** Stands in for the host: gives runs, hears what comes of them, and insists that each is reported once. */
export class Recorder {
  readonly reports: Report[] = []
  readonly started: number[] = []
  readonly outcomes = new Map<number, EndedRun | Crashed>()
  /** Keys in the order in which they were reported. */
  readonly order: number[] = []
  readonly #waiting = new Set<() => void>()

  readonly report = (report: Report): void => {
    this.reports.push(report)
    if (report.type === 'started') this.started.push(report.key)
    if (report.type === 'crashed') this.#outcome(report)
    if (report.type === 'ended') for (const run of report.runs) this.#outcome(run)
    for (const look of [...this.#waiting]) look()
  }

  #outcome(outcome: EndedRun | Crashed): void {
    if (this.outcomes.has(outcome.key)) throw new Error(`Run ${outcome.key} was reported twice.`)
    this.outcomes.set(outcome.key, outcome)
    this.order.push(outcome.key)
  }

  /** Resolves once it holds; looked at after every report. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve()
    return new Promise((resolve) => {
      const look = () => {
        if (!holds()) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
    })
  }

  async begun(key: number): Promise<void> {
    await this.until(() => this.started.includes(key))
  }

  async all(keys: Iterable<number>): Promise<void> {
    const wanted = [...keys]
    await this.until(() => wanted.every((key) => this.outcomes.has(key)))
  }

  /** Gives the runs and waits until each was reported. */
  async done(executor: Executor, runs: readonly Run[]): Promise<void> {
    executor.give(runs)
    await this.all(runs.map(({ key }) => key))
  }

  /** What came of a run: its value… */
  async value(key: number): Promise<unknown> {
    await this.all([key])
    const outcome = this.outcomes.get(key)
    expect(outcome).toMatchObject({ ok: true })
    return outcome && 'ok' in outcome && outcome.ok ? outcome.value : undefined
  }

  /** …or its error. */
  async error(key: number): Promise<ErrorRecord> {
    await this.all([key])
    const outcome = this.outcomes.get(key)
    if (!outcome || !('error' in outcome)) throw new Error(`Run ${key} succeeded.`)
    return outcome.error
  }

  crashes(): number[] {
    return [...this.outcomes.values()].flatMap((outcome) => ('type' in outcome ? [outcome.key] : []))
  }
}

export function keys(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}
