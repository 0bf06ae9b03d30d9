/**
 * What callers may give, checked before anything is done with it. Everything throws InvalidOptionError, which names the
 * option and says what it may be: callers in plain JavaScript misspell options and would hear nothing of it.
 */
import { cloneOf } from './cloneable.js'
import { InvalidOptionError } from './errors.js'
import { clipped } from './peek.js'
import { type RetryPolicy, type TaskSettings, type TaskState, taskStates } from './task.js'

/** Numbers beyond are not told apart. */
const MOST = Number.MAX_SAFE_INTEGER

/** Refuses options that do not exist. */
export function checkKnown(of: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidOptionError(of, `${of} must be an object with any of: ${known.join(', ')}.`)
  }
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue
    const option = of === 'options' ? key : `${of}.${key}`
    throw new InvalidOptionError(option, `There is no option '${option}'. Use any of: ${known.join(', ')}.`)
  }
}

/** `delay` and `runAt` as one time. */
export function runAtOf(options: { delay?: number; runAt?: number | Date }, now: number): number | undefined {
  const { delay, runAt } = options
  if (delay !== undefined && runAt !== undefined) {
    throw new InvalidOptionError('delay', 'Give either delay or runAt, not both.')
  }
  if (delay !== undefined) return now + checkNumber('delay', delay, 0, MOST - now)
  return runAt === undefined ? undefined : checkTime('runAt', runAt)
}

/** A time in ms since the epoch, out of a Date or a number. */
export function checkTime(option: string, time: unknown): number {
  const ms = time instanceof Date ? time.getTime() : time
  if (typeof ms === 'number' && ms >= 0 && ms <= MOST) return ms
  throw new InvalidOptionError(option, `${option} must be a valid Date or ms since the epoch, not ${shown(time)}.`)
}

/** A time limit for waiting, in ms. Absent and Infinity: none. */
export function checkTimeout(timeout: number | undefined): number | undefined {
  if (timeout === undefined || timeout === Number.POSITIVE_INFINITY) return undefined
  return checkNumber('timeout', timeout)
}

/** How many things a page of a listing has. */
export function checkLimit(limit: number): number {
  return checkNumber('limit', limit, 1, 1_000, true)
}

export function checkState(state: TaskState): void {
  if (taskStates.includes(state)) return
  throw new InvalidOptionError('state', `There is no state '${state}'. Use one of: ${taskStates.join(', ')}.`)
}

export function checkDurability(value: unknown): void {
  if (value === 'relaxed' || value === 'strict') return
  throw new InvalidOptionError('durability', `durability must be 'relaxed' or 'strict', not ${shown(value)}.`)
}

/** The settings a task carries with it; undefined if there are none. */
export function settingsOf({ retry, timeout, meta }: TaskSettings): TaskSettings | undefined {
  const settings: TaskSettings = {}
  if (retry !== undefined) {
    checkKnown('retry', retry, retryOptions)
    settings.retry = checkRetry(retry)
  }
  if (timeout !== undefined) settings.timeout = checkNumber('timeout', timeout)
  if (meta !== undefined) settings.meta = cloneOf(meta, 'meta')
  return Object.keys(settings).length > 0 ? settings : undefined
}

/** From the least to the greatest value, and whether it must be whole. */
type Range = readonly [min: number, max: number, whole?: boolean]
const ANY: Range = [0, MOST]
const retryRanges: Record<keyof RetryPolicy, Range> = {
  attempts: [1, MOST, true],
  delay: ANY,
  factor: ANY,
  maxDelay: ANY,
  jitter: [0, 1],
}
export const retryOptions = ['attempts', 'delay', 'factor', 'maxDelay', 'jitter'] as const

/** A retry policy as plain data; what else the object holds (a handler's `when`) stays behind. `of`: where it was given. */
export function checkRetry(retry: RetryPolicy, of = 'retry'): RetryPolicy {
  const policy: RetryPolicy = {}
  for (const option of retryOptions) {
    const value = retry[option]
    if (value !== undefined) policy[option] = checkNumber(`${of}.${option}`, value, ...retryRanges[option])
  }
  return policy
}

/** Takes `unknown`: callers in plain JavaScript pass anything. */
export function checkNumber(option: string, value: unknown, min = 0, max = MOST, whole = false): number {
  if (typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value))) return value
  const kind = whole ? 'a whole number' : 'a number'
  const range = max >= MOST / 2 ? `${kind} from ${min}` : `${kind} from ${min} to ${max}`
  throw new InvalidOptionError(option, `${option} must be ${range}, not ${shown(value)}.`)
}

/** A whole number from 1. */
export const checkWhole = (option: string, value: unknown): number => checkNumber(option, value, 1, MOST, true)

/** Like checkNumber; absent is fine. */
export function checkAtLeast0(option: string, value: number | undefined): void {
  if (value !== undefined) checkNumber(option, value)
}

export function checkText(option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new InvalidOptionError(option, `${option} must be a string with at least one character, not ${shown(value)}.`)
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${clipped(value, 100)}'`
  if (value instanceof Date) return String(value)
  if (typeof value === 'function') return 'a function'
  return typeof value === 'object' && value !== null ? `an ${Array.isArray(value) ? 'array' : 'object'}` : String(value)
}
