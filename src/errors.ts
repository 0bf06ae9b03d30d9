import { clipped, peek } from './peek.js'
import type { ErrorRecord, Result, TaskId } from './task.js'

/** Every error the library throws has a `code` to branch on and a message that says what to do. */
export class SitqError extends Error {
  override readonly name: string = 'SitqError'
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** An input that structured clone cannot copy. `path` leads to the part that cannot, for example `input.user.save`. */
export class InvalidInputError extends SitqError {
  override readonly name = 'InvalidInputError'
  readonly path: string

  constructor(path: string, message: string, options?: ErrorOptions) {
    super('invalid-input', message, options)
    this.path = path
  }
}

/** An option that does not exist, or one with a value it cannot have. */
export class InvalidOptionError extends SitqError {
  override readonly name = 'InvalidOptionError'
  readonly option: string

  constructor(option: string, message: string) {
    super('invalid-option', message)
    this.option = option
  }
}

/** The queue, worker or backend was closed. */
export class ClosedError extends SitqError {
  override readonly name = 'ClosedError'

  constructor(what: string) {
    super('closed', `This ${what} is closed: create a new one to go on.`)
  }
}

/** Thrown by `task.result()` when the task failed. `error` is the last attempt's record, and the `cause`. */
export class TaskFailedError extends SitqError {
  override readonly name = 'TaskFailedError'
  readonly id: TaskId
  readonly error: ErrorRecord

  constructor(id: TaskId, task: string, error: ErrorRecord) {
    super(error.code ?? 'failed', `Task ${id} (${task}) failed: ${error.message}`, { cause: error })
    this.id = id
    this.error = error
  }
}

/** Thrown by `task.result()` when the task was cancelled. */
export class TaskCancelledError extends SitqError {
  override readonly name = 'TaskCancelledError'
  readonly id: TaskId
  readonly reason: string | undefined

  constructor(id: TaskId, task: string, reason?: string) {
    super('cancelled', `Task ${id} (${task}) was cancelled${reason ? `: ${reason}` : '.'}`)
    this.id = id
    this.reason = reason
  }
}

/** The id belongs to no task here: it was never given out by this database, or retention has removed the task. */
export class TaskNotFoundError extends SitqError {
  override readonly name = 'TaskNotFoundError'
  readonly id: TaskId

  constructor(id: TaskId) {
    super(
      'not-found',
      `No task ${id} here: it was pruned, or belongs to another database. Keep results you need longer.`,
    )
    this.id = id
  }
}

/** No batch has this id: it was never made in this database, or retention has removed it. */
export class BatchNotFoundError extends SitqError {
  override readonly name = 'BatchNotFoundError'
  readonly id: string

  constructor(id: string) {
    super(
      'not-found',
      `No batch ${id} here: it was pruned, or belongs to another database. Keep results you need longer.`,
    )
    this.id = id
  }
}

/** Waiting took longer than asked for. What was waited for goes on. `results` holds what had ended by then, if asked for many. */
export class TimeoutError extends SitqError {
  override readonly name = 'TimeoutError'
  readonly results: Result[]

  constructor(message: string, results: Result[] = []) {
    super('timeout', message)
    this.results = results
  }
}

/**
 * The storage refused or broke. `cause` is the platform's error. With every code but `'lost'`, nothing was stored.
 *
 * `'unavailable'`: it can't be opened, or not be kept open. `'blocked'`: other tabs with an older version of the app must be
 * reloaded first. `'newer-version'`: this tab must. `'quota'`: no space is left. `'lost'`: it broke in the middle of a commit,
 * or was deleted; look before you repeat. `'uncloneable'`: a value cannot be stored. `'broken'`: it is not what it should be.
 */
export class StorageError extends SitqError {
  override readonly name = 'StorageError'

  constructor(
    code: 'unavailable' | 'blocked' | 'quota' | 'lost' | 'newer-version' | 'uncloneable' | 'broken',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/** Thrown by a handler to say that another attempt cannot help: the task fails at once. */
export class PermanentError extends SitqError {
  override readonly name = 'PermanentError'
  readonly retryable = false

  constructor(message: string, options?: ErrorOptions) {
    super('permanent', message, options)
  }
}

/** How deep a chain of causes is kept. */
const CAUSE_DEPTH = 5
/** Characters kept of an error's texts: thousands may fail, and each is stored. */
const LONGEST = { name: 200, code: 200, message: 10_000, stack: 10_000 }

/**
 * Whatever was thrown, as a record that can be stored. Never throws itself: a property whose getter throws is left out. Keeps
 * up to 10,000 characters of the message and of the stack, 200 of name and code, and five causes in a row. An AggregateError's
 * cause is the first of its errors, if it names none; other fields are not kept.
 */
export function errorRecord(thrown: unknown, depth = CAUSE_DEPTH): ErrorRecord {
  const of = typeof thrown === 'object' ? thrown : undefined // functions have names too
  const text = (key: keyof typeof LONGEST): string | undefined => {
    const value = peek(of, key)
    return typeof value === 'string' ? clipped(value, LONGEST[key]) : undefined
  }
  const record: ErrorRecord = {
    name: text('name') ?? 'Error',
    message: text('message') ?? clipped(describe(thrown), LONGEST.message),
  }
  const stack = text('stack')
  const code = peek(of, 'code')
  const cause = peek(of, 'cause') ?? peek(peek(of, 'errors'), 0)
  if (stack !== undefined) record.stack = stack
  if (typeof code === 'string' || typeof code === 'number') record.code = clipped(String(code), LONGEST.code)
  if (peek(of, 'retryable') === false) record.retryable = false
  if (cause !== undefined && cause !== null && depth > 1) record.cause = errorRecord(cause, depth - 1)
  return record
}

function describe(thrown: unknown): string {
  try {
    return typeof thrown === 'object' && thrown !== null ? (JSON.stringify(thrown) ?? 'unknown error') : String(thrown)
  } catch {
    return 'an error that cannot be described'
  }
}
