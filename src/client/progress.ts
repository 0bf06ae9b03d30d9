import type { BatchView } from '../backend.js'
import { paceRate } from '../plan/pace.js'
import type { Stage } from '../plan/records.js'

/** How far a batch is. */
export interface BatchProgress {
  /** Inputs stored so far. */
  total: number
  /** Of those, the ones that have ended: completed, failed, cancelled, or left out by a pipeline's filter. */
  done: number
  completed: number
  failed: number
  cancelled: number
  /** More inputs may come. */
  open: boolean
  /** Tasks ended per second, smoothed over the last five seconds or so. */
  rate: number
  /** Time left at this rate, in ms. Absent while that cannot be told: more inputs may come, or nothing moves. */
  etaMs?: number
  /** Of a pipeline: items that a filter left out. */
  dropped?: number
  /** Of a pipeline: what became of the items at each stage. */
  stages?: StageProgress[]
}

/** What became of the items that came to a stage of a pipeline. */
export interface StageProgress {
  /** Of the handler or the field. */
  name: string
  kind: 'map' | 'filter'
  /** Passed on to the next stage. */
  completed: number
  failed: number
  cancelled: number
  /** Left out by this filter. */
  dropped: number
}

/** A batch in a listing. */
export interface BatchInfo extends BatchProgress {
  id: string
  queue: string
  /** ms since the epoch. */
  createdAt: number
  endedAt?: number
}

export function progressOf(view: BatchView, now: number): BatchProgress {
  const { total, done, completed, failed, cancelled, dropped, open, stages } = view
  const ended = view.endedAt !== undefined
  const rate = ended ? 0 : paceRate(view.pace, now)
  const left = ((total - done) / rate) * 1_000
  const progress: BatchProgress = {
    total,
    done,
    completed,
    failed,
    cancelled,
    open,
    rate,
  }
  if (ended) progress.etaMs = 0
  else if (!open && Number.isFinite(left)) progress.etaMs = Math.round(left)
  if (stages) {
    progress.dropped = dropped
    progress.stages = stages.map(stageProgress)
  }
  return progress
}

function stageProgress(stage: Stage): StageProgress {
  const { kind, completed, failed, cancelled, dropped } = stage
  return { name: 'field' in stage ? stage.field : stage.name, kind, completed, failed, cancelled, dropped }
}

export function infoOf(view: BatchView, now: number): BatchInfo {
  const { id, queue, createdAt, endedAt } = view
  return { id, queue, createdAt, ...(endedAt === undefined ? {} : { endedAt }), ...progressOf(view, now) }
}
