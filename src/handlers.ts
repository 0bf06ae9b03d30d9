import type { FollowUp } from './backend.js'
import type { RetryPolicy, TaskId, TaskSettings } from './task.js'

/** Options of a task enqueued by a handler. */
export interface FollowUpOptions extends TaskSettings {
  /** Default: the handler's own queue. */
  queue?: string
  /** Default: the handler's own priority… */
  priority?: number
  /** ms from now. */
  delay?: number
  /** ms since the epoch, or a Date. */
  runAt?: number | Date
  /** Adds the task to this batch. One that does not exist is made and ends with what was added; one that was cancelled takes no more. */
  batch?: string
}

/** A follow-up as the executor sends it: the host fills in queue and priority where they were left out. */
export type FollowUpRequest = Omit<FollowUp, 'queue' | 'priority'> & Partial<Pick<FollowUp, 'queue' | 'priority'>>

/** What a handler gets beside its input. */
export interface HandlerContext {
  /** The task's id: the idempotency key to send to a server, the same for every attempt. */
  readonly id: TaskId
  readonly name: string
  /** From 1. */
  readonly attempt: number
  /**
   * Aborts when the task is cancelled, its timeout has passed, or its worker stops and the grace is over; what the handler returns or throws
   * from then on counts for nothing. A Web Worker whose handler goes on for 1 s more is terminated. Give it to `fetch` and the like.
   */
  readonly signal: AbortSignal
  readonly meta: unknown
  /**
   * Enqueues a task together with this one's outcome, in one transaction: if this attempt fails, nothing is enqueued.
   * Throws InvalidInputError and InvalidOptionError like `queue.enqueue`.
   */
  enqueue(name: string, input?: unknown, options?: FollowUpOptions): void
  /** Says, together with this task's outcome, that the batch gets no more inputs. */
  endBatch(id: string): void
}

export type HandlerFunction<Input = never, Output = unknown> = (input: Input, ctx: HandlerContext) => Output

/**
 * Version 1 of the interface that schema libraries share (zod, valibot, arktype and others): https://standardschema.dev.
 */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/**
 * Says what inputs a handler takes: a schema, or a function that returns the input (converted, where it was stored in an
 * older form) or throws. Sync or async.
 */
export type InputCheck<Input = unknown> = StandardSchema<Input> | ((stored: unknown) => Input | PromiseLike<Input>)

type HandlerRetry = RetryPolicy & {
  /** Runs where the handler runs. False: this error is final. */
  when?: (error: unknown) => boolean
}

/** A handler with its settings. */
export interface HandlerObject<Input = never, Output = unknown> {
  run: HandlerFunction<Input, Output>
  /**
   * Looks at each stored input before an attempt, where the handler runs; `run` gets what it returns. Tasks live longer than
   * the code that stored them. One whose input does not fit is put aside with a reason (state `blocked`, `why`): no
   * attempt is charged, `run` is not called, and what was stored stays as it is. It is tried again once by every host that begins,
   * whose code may be newer, and after `task.retry()`. Default: every input is taken.
   */
  input?: InputCheck<[Input] extends [never] ? unknown : Input>
  retry?: HandlerRetry
  /** Longest time an attempt may take, in ms. Default: none. */
  timeout?: number
  /** Attempts of this handler at one time, in all Web Workers together. Default: no limit of its own. */
  concurrency?: number
}

export type HandlerMap = Record<string, HandlerFunction | HandlerObject>

type RunOf<H> = H extends { run: infer R } ? R : H
/** Names of the handlers. */
export type NameOf<Handlers> = Extract<keyof Handlers, string>
/** What a handler takes. `undefined` if it takes nothing. */
export type InputOf<H> = RunOf<H> extends (...args: infer A) => unknown ? (A extends [] ? undefined : A[0]) : never
/** What a handler's task comes to. */
export type OutputOf<H> = RunOf<H> extends (...args: never[]) => infer O ? Awaited<O> : never

/** What `run` gets from a check. A schema that can be called, as arktype's, is a schema. */
type CheckedBy<Check> = Check extends { readonly '~standard': { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly output: infer Output }
    ? Output
    : unknown
  : Check extends (stored: unknown) => infer Output
    ? Awaited<Output>
    : unknown
/** Asks that what a check lets through is what the handler takes. */
type Fitting<H, Check> = [CheckedBy<Check>] extends [InputOf<H>] ? unknown : InputCheck<InputOf<H>>

/** Asks what cannot be of settings that don't exist: where a type is inferred from what is given, the compiler takes any. */
type Only<Allowed, Given> = { [Unknown in Exclude<keyof Given, keyof Allowed>]: never }
type OnlySettings<H> = H extends { run: unknown }
  ? Only<HandlerObject, H> &
      (H extends { retry: infer Retry } ? { retry: Only<HandlerRetry, Retry> } : unknown) &
      (H extends { input: infer Check } ? { input: Fitting<H, Check> } : unknown)
  : unknown

/**
 * Names the handlers and keeps their types: `export type Handlers = typeof handlers` is all the page needs to import.
 * Settings that don't exist do not compile.
 */
export function defineHandlers<const Handlers extends HandlerMap>(
  handlers: Handlers & { [Name in keyof Handlers]: OnlySettings<Handlers[Name]> },
): Handlers {
  return handlers
}
