import { checkText } from '../checks.js'
import type { Clock } from '../clock.js'
import { cloneOf } from '../cloneable.js'
import { errorRecord, InvalidInputError, SitqError } from '../errors.js'
import type { EndedRun, Run } from '../executor.js'
import type { FollowUpRequest, HandlerContext, HandlerFunction, HandlerMap, HandlerObject } from '../handlers.js'
import type { ErrorRecord } from '../task.js'
import { followUpRequest } from './follow-up.js'
import { checkInput } from './input.js'
import { isThenable } from './thenable.js'

/** One attempt under way in this thread. */
export interface Attempt {
  /** Never rejects. */
  readonly ended: Promise<EndedRun>
  /** Aborts the handler's signal. The first reason counts. */
  abort(reason: DOMException): void
}

/**
 * Begins an attempt. The input is the handler's to change: `copyInput` unless nobody else holds it.
 */
export function startRun(
  handlers: HandlerMap,
  run: Run,
  clock: Pick<Clock, 'now'>,
  { copyInput = false } = {},
): Attempt {
  const context = new RunContext(run, clock)
  return { ended: execute(handlers, run, context, clock, copyInput), abort: (reason) => context.abort(reason) }
}

async function execute(
  handlers: HandlerMap,
  run: Run,
  context: RunContext,
  clock: Pick<Clock, 'now'>,
  copyInput: boolean,
): Promise<EndedRun> {
  const startedAt = clock.now()
  let handler: HandlerFunction | HandlerObject | undefined
  try {
    handler = find(handlers, run.name)
    if (!handler) throw new SitqError('unknown-handler', unknown(run.name))
    const stored: unknown = copyInput ? cloneOf(run.input, 'input') : run.input
    let input = stored
    if (typeof handler === 'object' && handler.input) {
      const answer = checkInput(handler.input, stored)
      const checked = answer instanceof Promise ? await answer : answer
      if (context.reason) throw context.reason // aborted meanwhile
      if ('misfit' in checked) {
        context.close()
        return { key: run.key, startedAt, finishedAt: clock.now(), ok: false, misfit: checked.misfit }
      }
      input = checked.input
    }
    // Stored inputs are untyped; Reflect.apply is the one call that says so. The types are enqueue's to keep.
    const returned: unknown =
      typeof handler === 'function'
        ? Reflect.apply(handler, undefined, [input, context.forHandler])
        : Reflect.apply(handler.run, handler, [input, context.forHandler])
    // Not awaited without need: another handler would run before the output is copied.
    const output = isThenable(returned) ? await returned : returned
    context.close()
    // Copied now: a handler may return an object it goes on using, and outcomes leave this thread in groups, later.
    const value = kept(output)
    const ended: EndedRun = { key: run.key, startedAt, finishedAt: clock.now(), ok: true, value }
    if (context.followUps.length > 0) ended.followUps = context.followUps
    if (context.endBatches.length > 0) ended.endBatches = context.endBatches
    return ended
  } catch (thrown) {
    context.close()
    const error = context.reason ? abortedRecord(context.reason, thrown) : failureRecord(thrown, handler)
    return { key: run.key, startedAt, finishedAt: clock.now(), ok: false, error }
  }
}

/** Names such as `constructor` and `__proto__` are in every object, and no handlers. */
function find(handlers: HandlerMap, name: string): HandlerFunction | HandlerObject | undefined {
  return Object.hasOwn(handlers, name) ? handlers[name] : undefined
}

function unknown(name: string): string {
  return `There is no handler '${name}' here: add it to the handlers that the worker file serves, or deploy that file.`
}

class UncloneableOutput extends SitqError {
  override readonly name = 'UncloneableError'
  /** The handler would return the same again. */
  readonly retryable = false
}

function kept(output: unknown): unknown {
  try {
    return cloneOf(output, 'output')
  } catch (error) {
    if (error instanceof InvalidInputError) throw new UncloneableOutput('uncloneable', error.message)
    throw error
  }
}

/** Never throws, whatever was thrown: even `instanceof` does if that is a revoked Proxy. */
function failureRecord(thrown: unknown, handler: HandlerFunction | HandlerObject | undefined): ErrorRecord {
  const record = errorRecord(thrown)
  if (record.retryable === false) return record
  try {
    if (typeof handler === 'object' && handler.retry?.when?.(thrown) === false) record.retryable = false
  } catch {
    // A `when` that breaks must not make an error final.
  }
  return record
}

/** An attempt that ended because it was aborted. What the handler threw, if it was something else, is the cause. */
export function abortedRecord(reason: DOMException, thrown?: unknown): ErrorRecord {
  const code = reason.name === 'TimeoutError' ? 'timeout' : 'aborted'
  const record: ErrorRecord = { name: reason.name, message: reason.message, code }
  if (thrown !== undefined && thrown !== reason) record.cause = errorRecord(thrown)
  return record
}

/** The reason a signal aborts with when an attempt's time is up. */
export function timeoutReason(name: string, ms: number): DOMException {
  return new DOMException(`The handler '${name}' took longer than its timeout of ${ms} ms.`, 'TimeoutError')
}

/** The reason a signal aborts with when someone asked for it. */
export function abortReason(reason: string): DOMException {
  return new DOMException(reason, 'AbortError')
}

/** What a handler gets beside its input. What costs something is made when it is first asked for. */
class RunContext {
  readonly followUps: FollowUpRequest[] = []
  readonly endBatches: string[] = []
  readonly forHandler: HandlerContext
  #controller: AbortController | undefined
  #reason: DOMException | undefined
  #ended = false

  constructor(run: Run, clock: Pick<Clock, 'now'>) {
    const signal = () => this.#signal()
    const open = (what: string) => this.#assertOpen(what, run.name)
    let meta: { copy: unknown } | undefined
    // Closures, so that handlers may take it apart: `(input, { signal, enqueue }) => …`
    this.forHandler = {
      id: run.id,
      name: run.name,
      attempt: run.attempt,
      get signal() {
        return signal()
      },
      get meta() {
        meta ??= { copy: cloneOf(run.meta, 'meta') } // tasks of a batch share one
        return meta.copy
      },
      enqueue: (name, input, options = {}) => {
        open('enqueue')
        this.followUps.push(followUpRequest(name, input, options, clock.now()))
      },
      endBatch: (id) => {
        open('endBatch')
        this.endBatches.push(checkText('id', id))
      },
    }
  }

  /** Why it was aborted, if it was. */
  get reason(): DOMException | undefined {
    return this.#reason
  }

  abort(reason: DOMException): void {
    if (this.#ended || this.#reason) return
    this.#reason = reason
    this.#controller?.abort(reason)
  }

  close(): void {
    this.#ended = true
  }

  #signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  #assertOpen(what: string, name: string): void {
    if (!this.#ended) return
    throw new SitqError(
      'ended',
      `ctx.${what}() was called after '${name}' had ended: await everything before the handler returns.`,
    )
  }
}
