/// <reference lib="esnext.disposable" preserve="true" />
import type { Backend, Retention } from './backend.js'
import { checkKnown, checkNumber, checkWhole } from './checks.js'
import type { Clock } from './clock.js'
import { InvalidOptionError } from './errors.js'
import type { Executor, WorkerView } from './executor.js'
import { Life, type WorkerRole } from './host/role.js'
import { type Bounds, freshTally, type HostParts, type HostSettings, type Tally } from './host/settings.js'
import { pageOnline, pageVisible } from './page.js'

export type { WorkerRole } from './host/role.js'

export interface TaskWorkerOptions {
  /** Where handlers run: `inline(handlers)` or `webWorkers(…)`. */
  executor: Executor
  /** Attempts at one time in each Web Worker, for handlers that wait on I/O. Default: the executor's, 1 for Web Workers. */
  concurrency?: number
  /** Order in which queues are served; those not named come last. Default: none is preferred. */
  queues?: readonly string[]
  /** How long stop() lets running tasks go on, in ms. Default 5,000. */
  grace?: number
  /**
   * Without a sign of life for so long, in ms, a host is taken for dead where there are no locks; hidden pages get 150,000 at
   * least, since their timers are slow. To be the same in all pages. Default 30,000.
   */
  lease?: number
  /** The lease is extended this often, in ms. Default 10,000. */
  renewEvery?: number
  /** A task that took down its Web Worker or its host so many times fails as `crashed`. Default 3. */
  maxCrashes?: number
  /** How long ended tasks are kept. Default: 7 days, and 100,000 tasks outside of batches. */
  retention?: RetentionOptions
  /** Numbers from 0 to 1, for jitter. Default Math.random. */
  random?: () => number
  /**
   * False: what fails costs no attempt and waits, `blocked`, until this is true again; it is tried once a minute in the
   * meantime. What runs while this is false, or begins within a second after that, and fails later costs none either. Default
   * `navigator.onLine`.
   */
  online?: () => boolean
  /** Only a visible page's standby takes the role from a frozen host. Default: the document's visibility. */
  visible?: () => boolean
  /**
   * Errors that nobody waits for: the storage failed, the executor did not open, one of its Web Workers did not start. The
   * worker goes on. Default console.error.
   */
  onError?: (error: unknown) => void
  /** Advice. Default console.warn. */
  warn?: (message: string) => void
}

export interface RetentionOptions extends Omit<Retention, 'now'> {
  /**
   * Once the space that the browser grants is used up, ended tasks and batches older than this, in ms, go too, so that others
   * can be stored. Default: `age`: nothing goes before its time, and what does not fit waits for room. 0: all that have ended,
   * but those of the last minute. Tasks that have not ended, and those of batches that have not, always stay.
   */
  whenFull?: number
}

/** A record, so that an option that is missing here does not compile. */
const OPTIONS: Record<keyof TaskWorkerOptions, true> = {
  executor: true,
  concurrency: true,
  queues: true,
  grace: true,
  lease: true,
  renewEvery: true,
  maxCrashes: true,
  retention: true,
  random: true,
  online: true,
  visible: true,
  onError: true,
  warn: true,
}

export interface DrainOptions extends Omit<Bounds, 'deadline'> {
  /** When to end, ms since the epoch or a Date: what runs then is aborted and given back. */
  deadline?: number | Date
  /** Aborting it ends the drain as the deadline does: it resolves with what it did, and throws nothing. Without effect once it has ended. */
  signal?: AbortSignal
}

/** What a drain did. All zero: another worker is the host. */
export type Drained = Tally

/**
 * Runs the tasks of a queue's database. One TaskWorker per database is the host; the others stand by without using anything
 * and take over the moment it is gone. Where the backend has no locks, all are hosts.
 *
 * ```ts
 * const worker = new TaskWorker(queue, { executor: inline(handlers) })
 * await worker.start()
 * ```
 */
export class TaskWorker {
  readonly #parts: HostParts
  readonly #listeners = new Set<() => void>()
  #role: WorkerRole = 'stopped'
  /** From the last start() on, until stop() or its own end. */
  #life: Life | undefined
  /** All that have not ended: one runs, those before it end, those after it wait. */
  readonly #lives = new Set<Life>()
  #ended: Promise<void> = Promise.resolve()
  /** `await using` stops the worker at the end of the block, where the runtime knows how. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>

  /** Touches nothing. Throws InvalidOptionError. */
  constructor(queue: { readonly backend: Backend; readonly clock: Clock }, options: TaskWorkerOptions) {
    const { backend, clock } = queue
    this.#parts = { backend, clock, settings: settingsFrom(options) }
    // WebKit does not know this symbol yet.
    const dispose: symbol | undefined = Symbol.asyncDispose
    if (dispose) Object.defineProperty(this, dispose, { value: () => this.stop() })
  }

  /** `'host'`, `'standby'` or `'stopped'`. */
  get role(): WorkerRole {
    return this.#role
  }

  /**
   * Resolves once the role is known. Rejects if this worker is the host and its executor does not open, or the storage
   * doesn't; the role is `'stopped'` then. Starting twice is starting once.
   */
  start(): Promise<WorkerRole> {
    if (!this.#life) {
      const life = this.#begin()
      this.#life = life
      void this.#ended.then(() => {
        if (this.#life === life) this.#life = undefined
      })
    }
    return this.#life.known.then((role) => role)
  }

  /**
   * Claims nothing more, gives back what has not begun, lets what runs go on for `grace` ms (default: the worker's `grace`),
   * then aborts it; what was aborted runs again elsewhere, and nothing is charged for it. Resolves once the role is given up.
   */
  async stop(options: { grace?: number } = {}): Promise<void> {
    checkKnown('options', options, ['grace'])
    const { grace = this.#parts.settings.grace } = options
    checkNumber('grace', grace, 0, Number.POSITIVE_INFINITY)
    for (const life of this.#lives) life.stop(grace)
    this.#life = undefined
    await this.#ended
  }

  /**
   * Runs what can be claimed now, until nothing is left, `limit` tasks were claimed or the deadline has come: for alarms,
   * service workers, tests. Returns at once if there is another host, or if this worker was started. Rejects as start() does.
   */
  async drain(options: DrainOptions = {}): Promise<Drained> {
    checkKnown('options', options, ['limit', 'deadline', 'signal'])
    const { limit, deadline, signal } = options
    const bounds: Bounds = {}
    if (limit !== undefined) bounds.limit = checkCount('limit', limit)
    if (deadline !== undefined) bounds.deadline = checkNumber('deadline', Number(deadline), 0, Number.POSITIVE_INFINITY)
    if (this.#life || signal?.aborted) return freshTally()
    const life = this.#begin(bounds)
    const ended = this.#ended
    const stop = () => life.stop(0)
    signal?.addEventListener('abort', stop)
    try {
      await life.known
      await ended
    } finally {
      signal?.removeEventListener('abort', stop)
    }
    return life.tally
  }

  #begin(bounds?: Bounds): Life {
    const changed = (role: WorkerRole) => {
      this.#role = role
      for (const listener of [...this.#listeners]) attempt(listener, this.#parts.settings.onError)
    }
    const life = new Life(this.#parts, changed, bounds)
    this.#lives.add(life)
    this.#ended = this.#ended.then(() => life.run()).then(() => void this.#lives.delete(life))
    return life
  }

  /** Calls back when the role changes, or what `workers()` shows. Returns the way to stop that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** What each Web Worker does; none while this worker is not the host. */
  workers(): WorkerView[] {
    return this.#role === 'host' ? this.#parts.settings.executor.workers() : []
  }

  /** Kills a Web Worker in the middle of whatever it does, as a crash would. */
  kill(worker: number): void {
    this.#parts.settings.executor.kill?.(worker)
  }
}

function attempt(call: () => void, onError: (error: unknown) => void): void {
  try {
    call()
  } catch (error) {
    onError(error)
  }
}

/** Infinity: no limit. */
function checkCount(option: string, value: unknown): number {
  return checkNumber(option, value, 0, Number.POSITIVE_INFINITY, value !== Number.POSITIVE_INFINITY)
}

function checkRetention(given: RetentionOptions): RetentionOptions {
  checkKnown('retention', given, ['age', 'count', 'whenFull'])
  const { age, count, whenFull } = given
  const retention: RetentionOptions = {}
  if (whenFull !== undefined) {
    retention.whenFull = checkNumber('retention.whenFull', whenFull, 0, Number.POSITIVE_INFINITY)
  }
  if (age !== undefined) retention.age = checkNumber('retention.age', age, 0, Number.POSITIVE_INFINITY)
  if (count !== undefined) retention.count = checkCount('retention.count', count)
  return retention
}

function settingsFrom(options: TaskWorkerOptions): HostSettings {
  checkKnown('options', options, Object.keys(OPTIONS))
  const { executor, concurrency, queues = [], grace = 5_000, lease = 30_000, renewEvery = 10_000 } = options
  const { maxCrashes = 3, retention = {}, random = Math.random, online = pageOnline, visible = pageVisible } = options
  const { onError = (error) => console.error(error), warn = (message) => console.warn(message) } = options
  if (typeof executor?.open !== 'function') {
    throw new InvalidOptionError('executor', 'executor must be one, for example inline(handlers) or webWorkers(…).')
  }
  if (concurrency !== undefined) checkWhole('concurrency', concurrency)
  checkNumber('grace', grace, 0, Number.POSITIVE_INFINITY)
  checkNumber('renewEvery', renewEvery, 1)
  checkNumber('lease', lease, renewEvery)
  checkWhole('maxCrashes', maxCrashes)
  const safely = (error: unknown) =>
    attempt(
      () => onError(error),
      () => {},
    )
  const timing = { grace, lease, renewEvery, maxCrashes, retention: checkRetention(retention) }
  return { executor, concurrency, queues: [...queues], ...timing, random, online, visible, onError: safely, warn }
}
