import type { Cursor, NewTask } from '../backend.js'
import { checkDurability, checkKnown, checkNumber, checkText, runAtOf, settingsOf } from '../checks.js'
import type { Clock } from '../clock.js'
import type { RetryPolicy, TaskState } from '../task.js'

/** What every way of enqueueing takes. */
export interface EnqueueOptions {
  /** Name of the queue. Default `'default'`. */
  queue?: string
  /** −100 … 100; lower goes first. Default 0. */
  priority?: number
  /** Not before this many ms from now. Either this or `runAt`. */
  delay?: number
  /** Not before this time: a Date, or ms since the epoch. */
  runAt?: Date | number
  /** Overrides the handler's retry policy, field by field. */
  retry?: RetryPolicy
  /** Longest time an attempt may take, in ms; 0: as long as it likes. Default: the handler's. */
  timeout?: number
  /** Anything that can be cloned; the handler sees it as `ctx.meta`. */
  meta?: unknown
  /** `'strict'`: resolves once it is on the disk. Default: the backend's. */
  durability?: 'relaxed' | 'strict'
}

export const enqueueOptions: readonly (keyof EnqueueOptions)[] = [
  'queue',
  'priority',
  'delay',
  'runAt',
  'retry',
  'timeout',
  'meta',
  'durability',
]

/** A task but for its input, out of checked options. `meta` is copied: the caller may go on changing its own. */
export function taskTemplate(name: string, options: EnqueueOptions | undefined, clock: Clock): NewTask {
  const template: NewTask = { name: checkText('name', name), queue: 'default', priority: 0, input: undefined }
  if (!options) return template
  const { queue, priority, durability } = options
  if (queue !== undefined) template.queue = checkText('queue', queue)
  if (priority !== undefined) template.priority = checkNumber('priority', priority, -100, 100, true)
  if (durability !== undefined) checkDurability(durability)
  const runAt = runAtOf(options, clock.now())
  if (runAt !== undefined) template.runAt = runAt
  const settings = settingsOf(options)
  if (settings) template.settings = settings
  return template
}

export interface CancelOptions {
  /** Told to whoever asks why a task ended. */
  reason?: string
}

/** Throws InvalidOptionError for unknown options. */
export function reasonOf(options: CancelOptions): { reason?: string } {
  checkKnown('options', options, ['reason'])
  const reason: unknown = options.reason
  if (reason === undefined || reason === '') return {}
  return { reason: checkText('reason', reason) }
}

export interface ListOptions {
  state: TaskState
  /** Name of a queue. Default: all. */
  queue?: string
  /** Most items of a page, up to 1,000. Default 50. */
  limit?: number
  /** `next` of the page before. Default: the first page. */
  cursor?: Cursor
}

export interface PruneOptions {
  /** Ended tasks are kept this long, in ms; those of a batch count from its end. Default 7 days. */
  age?: number
  /** Ended tasks outside of batches, at most. Default 100,000. */
  count?: number
}

export function queueOf(queue: string | undefined): { queue?: string } {
  return queue === undefined ? {} : { queue: checkText('queue', queue) }
}
