import type { Backend, Retention } from '../backend.js'
import type { Clock } from '../clock.js'
import type { Executor } from '../executor.js'

/** What a TaskWorker was told, defaults filled in. Each is documented at TaskWorkerOptions. */
export interface HostSettings {
  executor: Executor
  concurrency: number | undefined
  queues: readonly string[]
  grace: number
  lease: number
  renewEvery: number
  maxCrashes: number
  retention: Omit<Retention, 'now'> & { whenFull?: number }
  random: () => number
  online: () => boolean
  visible: () => boolean
  onError: (error: unknown) => void
  warn: (message: string) => void
}

/** What everything on the host side works with. */
export interface HostParts {
  backend: Backend
  clock: Clock
  settings: HostSettings
}

/** Bounds of a drain. */
export interface Bounds {
  /** Tasks to claim, at most. */
  limit?: number
  /** When to end, ms since the epoch. */
  deadline?: number
}

/** What came of a host's life. */
export interface Tally {
  /** Attempts that ended, well or badly. */
  ran: number
  completed: number
  failed: number
  /** There was more that could have been claimed. */
  more: boolean
  /** When the next scheduled task is due, ms since the epoch. */
  wakeAt?: number
}

export const freshTally = (): Tally => ({ ran: 0, completed: 0, failed: 0, more: false })
