/** Where the types of an application's handlers meet storage, which keeps names and values, not types. */
import type { InputOf } from '../handlers.js'
import type { Result } from '../task.js'
import type { EnqueueOptions } from './options.js'

/** What may be given to a handler. Of handlers nothing is known of, anything. */
export type TaskInput<Handler> = [InputOf<Handler>] extends [never] ? unknown : InputOf<Handler>

/** The input may be left out where the handler takes none. */
export type EnqueueArguments<Handler> =
  undefined extends TaskInput<Handler>
    ? [input?: TaskInput<Handler>, options?: EnqueueOptions]
    : [input: TaskInput<Handler>, options?: EnqueueOptions]

/**
 * Gives a stored result the type of the handler it came from. That is the word of the caller's types: a value stored by
 * an older version of a handler may differ.
 */
export function typed<Output>(result: Result): Result<Output> {
  return result as Result<Output>
}
