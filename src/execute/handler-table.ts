import { checkKnown, checkNumber, checkRetry, checkWhole, retryOptions } from '../checks.js'
import { InvalidOptionError } from '../errors.js'
import type { HandlerSettings, HandlerTable, Run } from '../executor.js'
import type { HandlerFunction, HandlerMap, HandlerObject } from '../handlers.js'
import type { RetryPolicy } from '../task.js'
import { isSchema } from './input.js'

/** A record, so that a setting that is missing here does not compile. */
const SETTINGS: Record<keyof HandlerObject, true> = {
  run: true,
  input: true,
  retry: true,
  timeout: true,
  concurrency: true,
}

/**
 * What the host must know of the handlers. Throws InvalidOptionError, which names the handler, where settings cannot be
 * what they are or do not exist.
 */
export function handlerTable(handlers: HandlerMap): HandlerTable {
  if (typeof handlers !== 'object' || handlers === null) {
    throw new InvalidOptionError('handlers', 'handlers must be an object of functions, as defineHandlers() returns it.')
  }
  // fromEntries: a handler called __proto__ becomes a property like any other.
  return Object.fromEntries(Object.entries(handlers).map(([name, handler]) => [name, settingsOf(name, handler)]))
}

function settingsOf(name: string, handler: HandlerFunction | HandlerObject): HandlerSettings {
  if (typeof handler === 'function') return {}
  if (typeof handler?.run !== 'function') {
    throw new InvalidOptionError(name, `The handler '${name}' must be a function or an object with a function 'run'.`)
  }
  const of = `handlers.${name}`
  checkKnown(of, handler, Object.keys(SETTINGS))
  const { input, retry, timeout, concurrency } = handler
  if (input !== undefined) checkInputCheck(`${of}.input`, input)
  const settings: HandlerSettings = {}
  if (retry !== undefined) settings.retry = retryOf(`${of}.retry`, retry)
  if (timeout !== undefined) settings.timeout = checkNumber(`${of}.timeout`, timeout)
  if (concurrency !== undefined) settings.concurrency = checkWhole(`${of}.concurrency`, concurrency)
  return settings
}

/** A schema may be a function too. */
function checkInputCheck(of: string, check: unknown): void {
  if (isSchema(check) ? typeof check['~standard'].validate === 'function' : typeof check === 'function') return
  throw new InvalidOptionError(
    of,
    `${of} must be a Standard Schema (https://standardschema.dev), or a function that returns the input or throws.`,
  )
}

function retryOf(of: string, retry: NonNullable<HandlerObject['retry']>): RetryPolicy {
  checkKnown(of, retry, [...retryOptions, 'when'])
  if (retry.when !== undefined && typeof retry.when !== 'function') {
    throw new InvalidOptionError(`${of}.when`, `${of}.when must be a function that takes the error.`)
  }
  return checkRetry(retry, of)
}

/** What a handler says of itself: names such as `constructor` are in every object, and no handlers. */
export const settingsIn = (table: HandlerTable, name: string): HandlerSettings =>
  (Object.hasOwn(table, name) && table[name]) || {}

/** An attempt's timeout in ms; 0: it has none. */
export const timeoutOf = ({ name, timeout }: Run, table: HandlerTable): number =>
  timeout || settingsIn(table, name).timeout || 0

/** How many attempts of a handler may run at one time. */
export const limitOf = (name: string, table: HandlerTable): number =>
  settingsIn(table, name).concurrency ?? Number.POSITIVE_INFINITY
