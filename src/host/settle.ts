/** What becomes of a claimed task after an attempt: pure decisions, which the next exchange records. */
import type { Claimed, FollowUp, Settlement } from '../backend.js'
import { errorRecord } from '../errors.js'
import type { EndedRun, HandlerTable } from '../executor.js'
import { inputGate, markOf, ONLINE } from '../gates.js'
import type { FollowUpRequest } from '../handlers.js'
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

/** An attempt ended, well or badly. */
export function settlementOf(task: Claimed, run: EndedRun, judging: Judging): Settlement {
  const { startedAt, finishedAt } = run
  if ('misfit' in run) return misfit(task, run.misfit, judging)
  if (!run.ok) return failed(task, run.error, { startedAt, finishedAt }, judging)
  const { lane, position, seq, attempt } = task
  const settlement: Settlement = {
    lane,
    position,
    seq,
    to: 'completed',
    value: run.value,
    startedAt,
    finishedAt,
    attempt,
  }
  if (run.followUps) settlement.followUps = run.followUps.map((request) => followUp(task, request))
  if (run.endBatches) settlement.endBatches = run.endBatches
  return settlement
}

/** Nothing is charged: the handler was not called. It bears this host's mark, so that this host does not try it again by itself. */
function misfit(task: Claimed, why: string, { host }: Pick<Judging, 'host'>): Settlement {
  const { attempt, crashes, name } = task
  return { ...at(task), to: 'aside', gate: inputGate(name), order: markOf(host), attempt, crashes, why }
}

function failed(
  task: Claimed,
  error: ErrorRecord,
  times: { startedAt: number; finishedAt: number },
  { now, random, network, table }: Judging,
): Settlement {
  const { attempt, crashes, settings } = task
  const own = Object.hasOwn(table, task.name) ? table[task.name]?.retry : undefined
  const policy = mergeRetry(own, settings.retry)
  // Without a network the attempt proves nothing, unless the handler says that its error is final.
  const had = error.retryable === false ? 'settled' : hadNetwork(network, times.finishedAt - times.startedAt)
  if (typeof had === 'number') return { ...at(task), to: 'aside', order: now + had, attempt, crashes, error }
  if (had === 'none') {
    const why = 'It failed while there was no network, and goes on when there is one.'
    // What has waited longest is tried first: the page may be online after all, and these the ones that fail.
    return { ...at(task), to: 'aside', gate: ONLINE, order: Math.floor(now), attempt, crashes, error, why }
  }
  const again = retryDecision(policy, attempt, error, random)
  if (!again.again) return { ...at(task), ...times, to: 'failed', error, attempt }
  return { ...at(task), to: 'aside', order: now + again.delay, attempt: attempt + 1, crashes, error }
}

/** The attempt took its Web Worker down: no attempt is charged, a crash is. */
export function crashOf(
  task: Claimed,
  crash: { startedAt: number; error: ErrorRecord },
  { now, maxCrashes }: Pick<Judging, 'now' | 'maxCrashes'>,
): Settlement {
  const error: ErrorRecord = { ...crash.error, code: 'crashed' }
  const { attempt } = task
  const crashes = task.crashes + 1
  if (crashes < maxCrashes) return { ...at(task), to: 'aside', order: 0, attempt, crashes, error }
  return { ...at(task), to: 'failed', error, startedAt: crash.startedAt, finishedAt: now, attempt }
}

/** Back in line as if it had never been claimed. */
export function giveBack(task: Claimed): Settlement {
  const { attempt, crashes } = task
  return { ...at(task), to: 'aside', order: 0, attempt, crashes }
}

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

/** The intervals that have ended with these settlements, as flat triples lane, from, to; neighbours are one. */
export function endedIntervals(
  settled: readonly Settlement[],
  dropped: readonly { lane: number; position: number }[],
): number[] {
  const gone = new Set(dropped.map(({ lane, position }) => `${lane}:${position}`))
  const ended = settled
    .filter(({ to, lane, position }) => to !== 'aside' && (gone.size === 0 || !gone.has(`${lane}:${position}`)))
    .sort((a, b) => a.lane - b.lane || a.position - b.position)
  const flat: number[] = []
  for (const { lane, position } of ended) {
    if (flat.at(-3) === lane && flat.at(-1) === position) flat[flat.length - 1] = position + 1
    else flat.push(lane, position, position + 1)
  }
  return flat
}
