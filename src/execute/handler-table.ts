import { checkNumber, checkRetry } from '../checks.js'
import { InvalidOptionError } from '../errors.js'
import type { HandlerSettings, HandlerTable, Run } from '../executor.js'
import type { HandlerFunction, HandlerMap, HandlerObject } from '../handlers.js'

/** What the host must know of the handlers. Throws InvalidOptionError where settings cannot be what they are. */
export function handlerTable(handlers: HandlerMap): HandlerTable {
  // fromEntries: a handler called __proto__ becomes a property like any other.
  return Object.fromEntries(Object.entries(handlers).map(([name, handler]) => [name, settingsOf(name, handler)]))
}

function settingsOf(name: string, handler: HandlerFunction | HandlerObject): HandlerSettings {
  if (typeof handler === 'function') return {}
  if (typeof handler?.run !== 'function') {
    throw new InvalidOptionError(name, `The handler '${name}' must be a function or an object with a function 'run'.`)
  }
  const { retry, timeout, concurrency } = handler
  const settings: HandlerSettings = {}
  if (retry) settings.retry = checkRetry(retry)
  if (timeout !== undefined) settings.timeout = checkNumber(`${name}.timeout`, timeout, 0, Number.MAX_SAFE_INTEGER)
  if (concurrency !== undefined) {
    settings.concurrency = checkNumber(`${name}.concurrency`, concurrency, 1, Number.MAX_SAFE_INTEGER, true)
  }
  return settings
}

/** An attempt's timeout in ms; 0: it has none. */
export function timeoutOf(run: Run, table: HandlerTable): number {
  return run.timeout || (Object.hasOwn(table, run.name) ? table[run.name]?.timeout : 0) || 0
}

/** How many attempts of a handler may run at one time. */
export function limitOf(name: string, table: HandlerTable): number {
  return (Object.hasOwn(table, name) ? table[name]?.concurrency : undefined) ?? Number.POSITIVE_INFINITY
}
