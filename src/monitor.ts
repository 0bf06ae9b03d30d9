import { checkKnown, checkNumber } from './checks.js'
import { InvalidOptionError } from './errors.js'
import type { Result } from './task.js'

/** One piece of work that was measured. */
export interface Measurement {
  /** How many tasks it had. */
  tasks: number
  /** How long it took, in ms. */
  ms: number
  /** How many of the tasks failed. Default 0. */
  errors?: number
}

/** Median and 95th percentile, in ms; 0 if nothing was observed. */
export interface Percentiles {
  p50: number
  p95: number
}

export interface PerformanceReport {
  /** How often `record` was called. */
  batchesProcessed: number
  totalTasks: number
  /** The next four are rounded to two decimals. */
  totalTimeSeconds: number
  tasksPerSecond: number
  averageBatchTimeSeconds: number
  /** 0 … 100. */
  errorRatePercent: number
  /** Of the results given to `observe`: from being enqueued to the start of the last attempt. */
  waiting: Percentiles
  /** … and from there to the end. */
  running: Percentiles
}

/** Adds up what was measured: how much was done, how fast, and how much of it failed. */
export class PerformanceMonitor {
  #batches = 0
  #tasks = 0
  #ms = 0
  #errors = 0
  readonly #waiting: Sample
  readonly #running: Sample

  /** `random` (default Math.random) picks which results are kept for the percentiles once there are more than 1,000. Throws InvalidOptionError. */
  constructor(options: { random?: () => number } = {}) {
    checkKnown('options', options, ['random'])
    const { random = Math.random } = options
    this.#waiting = new Sample(random)
    this.#running = new Sample(random)
  }

  /** Throws InvalidOptionError for numbers that cannot be: negative, NaN, or more errors than tasks. */
  record(measurement: Measurement): void {
    const tasks = checkNumber('tasks', measurement.tasks, 0, undefined, true)
    const ms = checkNumber('ms', measurement.ms)
    const errors = checkNumber('errors', measurement.errors ?? 0, 0, undefined, true)
    if (errors > tasks)
      throw new InvalidOptionError('errors', `errors must not be more than tasks (${tasks}), not ${errors}.`)
    this.#batches++
    this.#tasks += tasks
    this.#ms += ms
    this.#errors += errors
  }

  /** Takes the times of one result into account. Those of tasks that never started are left out. */
  observe(result: Pick<Result, 'enqueuedAt' | 'startedAt' | 'finishedAt'>): void {
    const { enqueuedAt, startedAt, finishedAt } = result
    if (startedAt === undefined) return
    // Wall clocks may be put back in between.
    this.#waiting.add(Math.max(0, startedAt - enqueuedAt))
    this.#running.add(Math.max(0, finishedAt - startedAt))
  }

  /** All zeros when nothing was recorded. */
  report(): PerformanceReport {
    const seconds = this.#ms / 1_000
    return {
      batchesProcessed: this.#batches,
      totalTasks: this.#tasks,
      totalTimeSeconds: rounded(seconds),
      tasksPerSecond: rounded(ratio(this.#tasks, seconds)),
      averageBatchTimeSeconds: rounded(ratio(seconds, this.#batches)),
      errorRatePercent: rounded(100 * ratio(this.#errors, this.#tasks)),
      waiting: this.#waiting.percentiles(),
      running: this.#running.percentiles(),
    }
  }
}

const ratio = (part: number, whole: number) => (whole > 0 ? part / whole : 0)
const rounded = (value: number) => Number(value.toFixed(2))

/** How many values are kept: a p95 out of 1,000 lies between the 93.6th and the 96.4th percentile 19 times out of 20. */
const KEPT = 1_000

/** A uniform sample of all values in bounded memory (algorithm R: Vitter 1985, "Random sampling with a reservoir"). */
class Sample {
  readonly #random: () => number
  readonly #values: number[] = []
  #seen = 0

  constructor(random: () => number) {
    this.#random = random
  }

  add(value: number): void {
    this.#seen++
    if (this.#values.length < KEPT) {
      this.#values.push(value)
      return
    }
    const place = Math.floor(this.#random() * this.#seen)
    if (place < KEPT) this.#values[place] = value
  }

  percentiles(): Percentiles {
    const sorted = [...this.#values].sort((a, b) => a - b)
    const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
    return { p50: at(0.5), p95: at(0.95) }
  }
}
