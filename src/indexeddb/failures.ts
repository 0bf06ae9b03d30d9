/** What the platform's errors mean, and how much bad luck is borne. */
import type { Clock } from '../clock.js'
import { StorageError } from '../errors.js'
import { inDoubt } from '../storage.js'
import { RefusedError } from './requests.js'
import { NoAnswerError } from './transaction.js'

/** How many losses of the connection are made good within how many ms; one more is an error. */
const LOSSES = { count: 3, within: 10_000 }

/** What browsers say when the connection is gone, whatever was asked for. */
const LOST = [
  'InvalidStateError', // "The database connection is closing", all of them
  'UnknownError', // "Connection to Indexed Database server lost", WebKit; "Internal error opening backing store", Chromium
  'AbortError', // of a transaction that was under way when the browser closed the connection
  'TimeoutError', // of a transaction that Chromium gave up
]

export function isLost(error: unknown): boolean {
  return error instanceof NoAnswerError || (error instanceof DOMException && LOST.includes(error.name))
}

export const newerVersion = (name: string, cause?: unknown) =>
  new StorageError('newer-version', `The database "${name}" belongs to a newer version of this app: reload the page.`, {
    cause,
  })

/** The error as the caller gets it. What a plan threw stays what it is, unless it is in doubt. `unanswered`: a commit was. */
export function toldError(error: unknown, unanswered: boolean): unknown {
  if (unanswered) return inDoubt(error)
  if (error instanceof RefusedError) {
    return new StorageError('uncloneable', `${error.message} Nothing was.`, { cause: error.cause })
  }
  if (!(error instanceof DOMException)) return error
  if (error.name === 'QuotaExceededError') {
    const message = 'The space that the browser grants is used up: prune finished tasks or free some disk space.'
    return new StorageError('quota', message, { cause: error })
  }
  if (isLost(error))
    return new StorageError('unavailable', `The connection broke twice: ${error.message}`, { cause: error })
  return new StorageError('broken', `The database refused: ${error.message}`, { cause: error })
}

/** The losses of late, of the connection or of the chance to get one. */
export class Losses {
  readonly #clock: Clock
  /** By the monotonic clock. */
  #times: number[] = []
  /** Why the last one was. */
  reason: unknown

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(reason: unknown): void {
    this.reason = reason
    this.#times.push(this.#clock.monotonic())
  }

  /** How long to wait before the next try, in ms: nothing the first time. undefined: there were too many. */
  get pause(): number | undefined {
    const now = this.#clock.monotonic()
    this.#times = this.#times.filter((time) => now - time < LOSSES.within)
    const count = this.#times.length
    return count > LOSSES.count ? undefined : Math.max(0, count - 1) * 100
  }
}
