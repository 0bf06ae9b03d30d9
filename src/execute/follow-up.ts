import { checkKnown, checkNumber, checkText, runAtOf, settingsOf } from '../checks.js'
import { cloneOf } from '../cloneable.js'
import type { FollowUpOptions, FollowUpRequest } from '../handlers.js'

/** What `ctx.enqueue(name, input, options)` asks for, checked. The input is copied: the handler may go on changing its own. */
export function followUpRequest(name: string, input: unknown, options: FollowUpOptions, now: number): FollowUpRequest {
  checkText('name', name)
  checkKnown('options', options, known)
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

const known: readonly (keyof FollowUpOptions)[] = [
  'queue',
  'priority',
  'delay',
  'runAt',
  'batch',
  'retry',
  'timeout',
  'meta',
]
