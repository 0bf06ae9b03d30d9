import type { FollowUpRequest } from './handlers.js'
import type { ErrorRecord, RetryPolicy, TaskId } from './task.js'

/** One attempt at a task, given to an executor. */
export interface Run {
  /** The host's number for this attempt; never used twice. */
  key: number
  id: TaskId
  name: string
  /** Not to be changed: the executor hands the handler a copy. */
  input: unknown
  /** From 1. */
  attempt: number
  meta: unknown
  /** In ms; overrides the handler's. 0 or absent: none but the handler's. */
  timeout?: number
}

/** How an attempt ended. */
export type EndedRun = {
  key: number
  /** ms since the epoch. */
  startedAt: number
  finishedAt: number
  /** What `ctx.enqueue` asked for, and the batches `ctx.endBatch` named. Present only for attempts that succeeded. */
  followUps?: FollowUpRequest[]
  endBatches?: string[]
} & (
  | { ok: true; value: unknown }
  | { ok: false; error: ErrorRecord }
  /** The stored input does not fit the handler, which was not called: why. */
  | { ok: false; misfit: string }
)

export type Report =
  /** An attempt has begun. Only for those with a timeout and those expected to take long; again if it had to begin anew. */
  | { type: 'started'; key: number; at: number }
  | { type: 'ended'; runs: EndedRun[] }
  /** The attempt took its Web Worker down with it. It is the culprit for sure: bystanders are never reported, they run again. */
  | { type: 'crashed'; key: number; startedAt: number; error: ErrorRecord }
  /** Something is wrong that ends no attempt: a Web Worker did not start, and another is tried. */
  | { type: 'trouble'; error: unknown }
  /** From a timer that hidden pages do not throttle: time to look at leases. About every 5 s where a Web Worker is alive. */
  | { type: 'tick' }
  /** Something a person may want to see changed: a Web Worker came, went or turned to another task. */
  | { type: 'workers' }

/** What the host must know of a handler; plain data, sent in the ready handshake. */
export interface HandlerSettings {
  retry?: RetryPolicy
  timeout?: number
  /** Attempts of this handler at one time, in all Web Workers together. */
  concurrency?: number
}
export type HandlerTable = Record<string, HandlerSettings>

/** What one Web Worker (or the inline executor) is doing, for people to see. */
export interface WorkerView {
  worker: number
  state: 'starting' | 'idle' | 'busy' | 'stopping'
  /** Attempts it has been given and not reported. */
  running: { key: number; id: TaskId; name: string; startedAt?: number }[]
  /** Attempts it has ended so far. */
  ended: number
}

/**
 * Where handler code runs; nothing else happens there. The host gives it runs; each is reported exactly once, as ended
 * or crashed, unless it was recalled. An executor may keep runs in line of its own.
 *
 * Timeouts are the executor's: when one passes it aborts the handler's signal and reports the attempt ended at once, with
 * an error whose code is `'timeout'`; a handler that goes on 1 s after the abort is killed if the executor can kill.
 */
export interface Executor {
  /**
   * Learns the handlers. Rejects if they cannot be loaded, with an error that says what to do. Can be opened again after
   * close. `concurrency`: attempts at one time in each Web Worker. Default 1.
   */
  open(report: (report: Report) => void, options?: { concurrency?: number }): Promise<HandlerTable>
  /** Attempts it can run at one time. */
  readonly slots: number
  /** Runs it was given that have not begun, as far as it knows: the host keeps this near what 50–100 ms need. */
  readonly backlog: number
  give(runs: readonly Run[]): void
  /** Takes back runs that have certainly not begun, and returns their keys. */
  recall(): number[]
  /** Aborts an attempt's signal, with 1 s of grace before it is killed. It is still reported, for example as ended with code 'aborted'. */
  abort(key: number, reason: string): void
  /** Ends everything at once. Nothing is reported afterwards. */
  close(): Promise<void>
  workers(): WorkerView[]
  /** Kills one Web Worker in the middle of whatever it does, as a crash would. Absent: nothing to kill. */
  kill?(worker: number): void
}
