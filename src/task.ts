/**
 * What a task is: its id, its states, and how its end is told. Pure data, shared by everything.
 *
 * ```
 *              enqueue                    claim                   settle
 *   (new) ───────────────▶ available ──────────────▶ running ──────────────▶ completed
 *     │  delay, runAt          ▲  ▲                   │ │ └───── settle ────▶ failed ──┐
 *     └──────────▶ scheduled ──┼──┼── claim, when due ▶ │                              │ retry()
 *                     ▲        │  └── given back, host gone ───────────────────────────┘
 *                     └────────┼───── retry after a failed attempt
 *                  blocked ────┘ gate opened       cancel(): from any state but an ended one ▶ cancelled
 * ```
 */
export type TaskState =
  /**
   * Waits for something other than time: for a host that knows its handler, or for one whose handler takes its input (`why`
   * tells). Opening its gate moves it on; so does `retry()` where the input did not fit.
   */
  | 'blocked'
  /** Has a time before which it must not run (`delay`, `runAt`, a retry's delay). A claim at or after that time moves it on. */
  | 'scheduled'
  /** May be claimed now. A host's claim moves it on. */
  | 'available'
  /** Claimed under a lease. The holder's settlement moves it on; recovery gives it back when the holder is gone. */
  | 'running'
  /** Ended with a value. Nothing moves it on; retention removes it. */
  | 'completed'
  /** Ended with an error, its attempts used up. `retry()` makes it available again. */
  | 'failed'
  /** Ended by `cancel()`. `retry()` makes it available again. */
  | 'cancelled'

export const taskStates = [
  'blocked',
  'scheduled',
  'available',
  'running',
  'completed',
  'failed',
  'cancelled',
] as const satisfies readonly TaskState[]

/** How many tasks are in each state. */
export type Counts = Record<TaskState, number>

/** The log of one queue and priority. Allotted once, never reused. */
export type Lane = number
/** A place in a lane's log: 0, 1, 2 … */
export type Position = number
/** `origin-lane-position` in base 36: unique across databases, sorts by enqueue order within a lane. */
export type TaskId = string
/** Names one life of a host; never used twice. */
export type HostId = string

/** Positions `from` (included) to `to` (excluded) of a lane. */
export interface Interval {
  lane: Lane
  from: Position
  to: Position
}

/** An error as it is stored and sent: structured clone and Comlink drop what is not in here. */
export interface ErrorRecord {
  name: string
  message: string
  stack?: string
  /** A short machine-readable word, such as `'timeout'` or `'crashed'`. */
  code?: string
  cause?: ErrorRecord
  /** False: trying again cannot help. */
  retryable?: boolean
}

/** When and how often a failed attempt is followed by another. Plain data: it is stored with the task. */
export interface RetryPolicy {
  /** Attempts in all, the first included. Default 3. */
  attempts?: number
  /** Delay before the second attempt, in ms. Default 1,000. */
  delay?: number
  /** What each further delay is multiplied by. Default 2. */
  factor?: number
  /** Longest delay in ms. Default 3,600,000 (one hour). */
  maxDelay?: number
  /** The delay is multiplied by a random number between this and 1. Default 0.5; 1 switches jitter off. */
  jitter?: number
}

/** Settings a task may carry with it; they override its handler's. */
export interface TaskSettings {
  retry?: RetryPolicy
  /** Longest time an attempt may take, in ms. */
  timeout?: number
  /** Anything cloneable; the handler sees it as `ctx.meta`. */
  meta?: unknown
}

interface Ended {
  id: TaskId
  name: string
  /** Attempts made, crashes not counted. */
  attempts: number
  /** All times in ms since the epoch. */
  enqueuedAt: number
  /** Start of the last attempt; absent if there was none. */
  startedAt?: number
  finishedAt: number
}

export type CompletedResult<Output = unknown> = Ended & { status: 'completed'; value: Output }
export type FailedResult = Ended & { status: 'failed'; error: ErrorRecord }
export type CancelledResult = Ended & { status: 'cancelled'; reason?: string }
/** How a task ended. Failures and cancellations are data. */
export type Result<Output = unknown> = CompletedResult<Output> | FailedResult | CancelledResult

/** Everything there is to know of one task. */
export interface TaskView {
  id: TaskId
  queue: string
  name: string
  state: TaskState
  input: unknown
  /** −100 … 100, lower first. */
  priority: number
  /** The attempt that runs or comes next; of an ended task, the last one made. */
  attempt: number
  crashes: number
  enqueuedAt: number
  /** Of a scheduled task: the time before which it does not run. */
  runAt?: number
  /** Of a blocked task: what it waits for, at most about 500 characters: `input.email: expected string`. */
  why?: string
  /** Of a waiting task: the error of the attempt before. */
  lastError?: ErrorRecord
  batch?: string
  settings: TaskSettings
  /** Present once it has ended. */
  result?: Result
}

const WIDTHS = { origin: 8, lane: 3, position: 9 }

export function formatId(origin: string, lane: Lane, position: Position): TaskId {
  return `${origin}-${lane.toString(36).padStart(WIDTHS.lane, '0')}-${position.toString(36).padStart(WIDTHS.position, '0')}`
}

/** Gives the ids of one lane's tasks. Neighbours differ in the last digit: what comes before it is written once for all of them. */
export function idsIn(origin: string, lane: Lane): (position: Position) => TaskId {
  let first = Number.NaN
  let start = ''
  return (position) => {
    const last = position % 36
    if (position - last !== first) {
      first = position - last
      start = formatId(origin, lane, first).slice(0, -1)
    }
    return start + last.toString(36)
  }
}

/** The parts of an id, or undefined if this is not one. */
export function parseId(id: TaskId): { origin: string; lane: Lane; position: Position } | undefined {
  const match = /^([0-9a-z]{8})-([0-9a-z]{3,})-([0-9a-z]{9,})$/.exec(id)
  if (!match) return undefined
  const [, origin = '', lane = '', position = ''] = match
  return { origin, lane: Number.parseInt(lane, 36), position: Number.parseInt(position, 36) }
}
