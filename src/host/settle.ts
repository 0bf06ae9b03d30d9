/** What becomes of a claimed task after an attempt: pure decisions, which the next exchange records. */
import type { Claimed, Exchanged, FollowUp, Settlement } from '../backend.js'
import { errorRecord } from '../errors.js'
import { settingsIn } from '../execute/handler-table.js'
import type { EndedRun, HandlerTable } from '../executor.js'
import { inputGate, markOf, ONLINE } from '../gates.js'
import type { FollowUpRequest } from '../handlers.js'
import { byPlace } from '../plan/stretches.js'
import { mergeRetry, retryDecision } from '../retry.js'
import type { ErrorRecord, HostId } from '../task.js'
import { hadNetwork, type NetworkState } from './network.js'

export interface Judging {
  /** ms since the epoch. */
  now: number
  random: () => number
  /** Without one a failure costs no attempt. */
  network: NetworkState
  maxCrashes: number
  table: HandlerTable
  host: HostId
}

const at = ({ lane, position, seq }: Claimed) => ({ lane, position, seq })

type Aside = Extract<Settlement, { to: 'aside' }>

/** It waits again, as if it had never been claimed but for what is said. */
const aside = (task: Claimed, how: Partial<Aside> = {}): Aside => {
  const { attempt, crashes } = task
  return { ...at(task), to: 'aside', order: 0, attempt, crashes, ...how }
}

/** An attempt ended, well or badly. */
export function settlementOf(task: Claimed, run: EndedRun, judging: Judging): Settlement {
  const { startedAt, finishedAt } = run
  // Nothing is charged: the handler was not called. It bears this host's mark, so that this host does not try it again by itself.
  if ('misfit' in run) {
    return aside(task, { gate: inputGate(task.name), order: markOf(judging.host), why: run.misfit })
  }
  if (!run.ok) return failed(task, run.error, { startedAt, finishedAt }, judging)
  const { value, followUps, endBatches } = run
  // Written out: this is made for every task, and a spread takes several times as long.
  const { lane, position, seq, attempt } = task
  const settlement: Settlement = { lane, position, seq, to: 'completed', value, startedAt, finishedAt, attempt }
  if (followUps) settlement.followUps = followUps.map((request) => followUp(task, request))
  if (endBatches) settlement.endBatches = endBatches
  return settlement
}

function failed(
  task: Claimed,
  error: ErrorRecord,
  times: { startedAt: number; finishedAt: number },
  { now, random, network, table }: Judging,
): Settlement {
  const { attempt, settings } = task
  // Without a network the attempt proves nothing, unless the handler says that its error is final.
  const had = error.retryable === false ? 'settled' : hadNetwork(network, times.finishedAt - times.startedAt)
  if (typeof had === 'number') return aside(task, { order: now + had, error })
  if (had === 'none') {
    const why = 'It failed while there was no network, and goes on when there is one.'
    // What has waited longest is tried first: the page may be online after all, and these the ones that fail.
    return aside(task, { gate: ONLINE, order: Math.floor(now), error, why })
  }
  const policy = mergeRetry(settingsIn(table, task.name).retry, settings.retry)
  const again = retryDecision(policy, attempt, error, random)
  if (!again.again) return { ...at(task), ...times, to: 'failed', error, attempt }
  return aside(task, { order: now + again.delay, attempt: attempt + 1, error })
}

/** The attempt took its Web Worker down: no attempt is charged, a crash is. */
export function crashOf(
  task: Claimed,
  crash: { startedAt: number; error: ErrorRecord },
  { now, maxCrashes }: Pick<Judging, 'now' | 'maxCrashes'>,
): Settlement {
  const error: ErrorRecord = { ...crash.error, code: 'crashed' }
  const crashes = task.crashes + 1
  if (crashes < maxCrashes) return aside(task, { crashes, error })
  return { ...at(task), to: 'failed', error, startedAt: crash.startedAt, finishedAt: now, attempt: task.attempt }
}

/** Back in line as if it had never been claimed. */
export const giveBack = (task: Claimed): Settlement => aside(task)

/** In the place of a settlement that the storage refuses: the handler would return the same again, so the task fails. */
export function uncloneable(refused: Settlement, cause: unknown, now: number): Settlement {
  const { lane, position, seq, attempt } = refused
  const error: ErrorRecord = {
    name: 'UncloneableError',
    message: 'What came of the attempt cannot be stored. Use plain data, such as objects, arrays, dates and blobs.',
    code: 'uncloneable',
    retryable: false,
    cause: errorRecord(cause),
  }
  const { startedAt, finishedAt } = refused.to === 'aside' ? { startedAt: now, finishedAt: now } : refused
  return { lane, position, seq, to: 'failed', error, startedAt, finishedAt, attempt }
}

/** A follow-up stays in its parent's queue and priority unless it says otherwise. */
function followUp(parent: Claimed, request: FollowUpRequest): FollowUp {
  const { queue = parent.queue, priority = parent.priority } = request
  return { ...request, queue, priority }
}

/** What of this was recorded as the end of a task. */
export function endedOf(settled: readonly Settlement[], dropped: Exchanged['dropped']): Exclude<Settlement, Aside>[] {
  const gone = new Set(dropped.map(({ lane, position }) => `${lane}:${position}`))
  return settled.filter(
    (one): one is Exclude<Settlement, Aside> =>
      one.to !== 'aside' && (gone.size === 0 || !gone.has(`${one.lane}:${one.position}`)),
  )
}

/** The intervals that have ended with these settlements, as flat triples lane, from, to; neighbours are one. */
export function endedIntervals(settled: readonly Settlement[], dropped: Exchanged['dropped']): number[] {
  const flat: number[] = []
  for (const { lane, position } of endedOf(settled, dropped).sort(byPlace)) {
    if (flat.at(-3) === lane && flat.at(-1) === position) flat[flat.length - 1] = position + 1
    else flat.push(lane, position, position + 1)
  }
  return flat
}
