import { cloneOf } from './cloneable.js'
import { InvalidOptionError } from './errors.js'
import type { FollowUpOptions, FollowUpRequest } from './handlers.js'
import type { RetryPolicy, TaskSettings } from './task.js'

/** What `ctx.enqueue(name, input, options)` asks for, checked. The input is copied: the handler may go on changing its own. */
export function followUpRequest(name: string, input: unknown, options: FollowUpOptions, now: number): FollowUpRequest {
  checkText('name', name)
  for (const option of Object.keys(options)) {
    if (!KNOWN.has(option)) throw new InvalidOptionError(option, `There is no option '${option}': ${LIST}`)
  }
  const { queue, priority, batch } = options
  const request: FollowUpRequest = { name, input: cloneOf(input, 'input') }
  if (queue !== undefined) request.queue = checkText('queue', queue)
  if (priority !== undefined) request.priority = checkNumber('priority', priority, -100, 100, true)
  if (batch !== undefined) request.batch = checkText('batch', batch)
  const runAt = runAtOf(options, now)
  if (runAt !== undefined) request.runAt = runAt
  const settings = settingsOf(options)
  if (settings) request.settings = settings
  return request
}

const KNOWN = new Set(['queue', 'priority', 'delay', 'runAt', 'batch', 'retry', 'timeout', 'meta'])
const LIST = `the options are ${[...KNOWN].join(', ')}.`

/** `delay` and `runAt` as one time. */
export function runAtOf(options: { delay?: number; runAt?: number | Date }, now: number): number | undefined {
  const { delay, runAt } = options
  if (delay === undefined && runAt === undefined) return undefined
  if (delay !== undefined && runAt !== undefined) {
    throw new InvalidOptionError('delay', 'Give either delay or runAt, not both.')
  }
  if (delay !== undefined) return now + checkNumber('delay', delay, 0, Number.MAX_SAFE_INTEGER - now)
  return checkNumber('runAt', runAt instanceof Date ? runAt.getTime() : runAt, 0, Number.MAX_SAFE_INTEGER)
}

/** The settings a task carries with it; undefined if there are none. */
export function settingsOf({ retry, timeout, meta }: TaskSettings): TaskSettings | undefined {
  const settings: TaskSettings = {}
  if (retry !== undefined) settings.retry = checkRetry(retry)
  if (timeout !== undefined) settings.timeout = checkNumber('timeout', timeout, 0, Number.MAX_SAFE_INTEGER)
  if (meta !== undefined) settings.meta = cloneOf(meta, 'meta')
  return Object.keys(settings).length > 0 ? settings : undefined
}

/** A retry policy as plain data; what else the object holds (a handler's `when`) stays behind. */
export function checkRetry(retry: RetryPolicy): RetryPolicy {
  const { attempts, delay, factor, maxDelay, jitter } = retry
  const policy: RetryPolicy = {}
  if (attempts !== undefined) {
    policy.attempts = checkNumber('retry.attempts', attempts, 1, Number.MAX_SAFE_INTEGER, true)
  }
  if (delay !== undefined) policy.delay = checkNumber('retry.delay', delay, 0, Number.MAX_SAFE_INTEGER)
  if (factor !== undefined) policy.factor = checkNumber('retry.factor', factor, 0, Number.MAX_SAFE_INTEGER)
  if (maxDelay !== undefined) policy.maxDelay = checkNumber('retry.maxDelay', maxDelay, 0, Number.MAX_SAFE_INTEGER)
  if (jitter !== undefined) policy.jitter = checkNumber('retry.jitter', jitter, 0, 1)
  return policy
}

/** Takes `unknown`: callers in plain JavaScript pass anything. */
export function checkNumber(option: string, value: unknown, min: number, max: number, whole = false): number {
  if (typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value))) return value
  const kind = whole ? 'a whole number' : 'a number'
  const range = max >= Number.MAX_SAFE_INTEGER / 2 ? `${kind} from ${min}` : `${kind} from ${min} to ${max}`
  throw new InvalidOptionError(option, `${option} must be ${range}, not ${shown(value)}.`)
}

export function checkText(option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new InvalidOptionError(option, `${option} must be a string with at least one character, not ${shown(value)}.`)
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  return typeof value === 'object' && value !== null ? `an ${Array.isArray(value) ? 'array' : 'object'}` : String(value)
}
