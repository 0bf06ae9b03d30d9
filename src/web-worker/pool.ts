import { checkKnown, checkNumber, checkWhole } from '../checks.js'
import { type Clock, systemClock } from '../clock.js'
import { InvalidOptionError, SitqError } from '../errors.js'
import type { Executor } from '../executor.js'
import { Dispatcher } from './dispatcher.js'

export interface WebWorkersOptions {
  /** Web Workers at most. Default: `navigator.hardwareConcurrency - 1`, at least 1. They are spawned when there is work. */
  size?: number
  /** A Web Worker that had nothing to do for this long, in ms, is ended. Default 30,000. */
  idleTimeout?: number
  /** How long a Web Worker may take to load its script and call `serveHandlers`, in ms. Default 10,000. */
  startTimeout?: number
  /** Default: the system's. */
  clock?: Clock
}

/**
 * Runs handlers in a pool of Web Workers. The app makes them, so that its bundler sees their file:
 *
 * ```ts
 * webWorkers(() => new Worker(new URL('./handlers.worker.ts', import.meta.url), { type: 'module' }), { size: 4 })
 * ```
 *
 * The file calls `serveHandlers(handlers)`. A handler that ignores its aborted signal for 1 s is killed: its Web Worker is
 * terminated and replaced, and what else it had runs again. Opening rejects with SitqError `'worker-start'` if the first
 * one does not start; should a later one fail, another is tried after 1 s, 2 s, 4 s … and tasks stay in line.
 *
 * Does nothing before it is opened. Throws InvalidOptionError.
 */
export function webWorkers(factory: () => Worker, options: WebWorkersOptions = {}): Executor {
  checkKnown('options', options, ['size', 'idleTimeout', 'startTimeout', 'clock'])
  const { idleTimeout = 30_000, startTimeout = 10_000, clock = systemClock } = options
  if (typeof factory !== 'function') {
    throw new InvalidOptionError('factory', 'webWorkers() takes a function that makes a Web Worker, not a Web Worker.')
  }
  if (options.size !== undefined) checkNumber('size', options.size, 1, 1_024, true)
  checkNumber('idleTimeout', idleTimeout, 0, Number.POSITIVE_INFINITY)
  checkNumber('startTimeout', startTimeout, 1, Number.POSITIVE_INFINITY)
  let dispatcher: Dispatcher | undefined
  let concurrency = 1
  const size = () => options.size ?? Math.max(1, (globalThis.navigator?.hardwareConcurrency ?? 2) - 1)
  return {
    async open(report, { concurrency: asked = 1 } = {}) {
      if (dispatcher)
        throw new SitqError('in-use', 'This executor is open already: give each TaskWorker one of its own.')
      concurrency = checkWhole('concurrency', asked)
      const mine = new Dispatcher({ factory, size: size(), concurrency, startTimeout, idleTimeout, clock, report })
      dispatcher = mine
      try {
        return await mine.open()
      } catch (error) {
        mine.close()
        if (dispatcher === mine) dispatcher = undefined
        throw error
      }
    },
    get slots() {
      return size() * concurrency
    },
    get backlog() {
      return dispatcher?.backlog ?? 0
    },
    give: (runs) => dispatcher?.give(runs),
    recall: () => dispatcher?.recall() ?? [],
    abort: (key, reason) => dispatcher?.abort(key, reason),
    async close() {
      dispatcher?.close()
      dispatcher = undefined
    },
    workers: () => dispatcher?.workers() ?? [],
    kill: (worker) => dispatcher?.kill(worker),
  }
}
