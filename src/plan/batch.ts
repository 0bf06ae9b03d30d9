/** Batches: what joins them, what has ended of them, when they have ended themselves. */
import { DamagedError } from './damage.js'
import type { Joined } from './layout.js'
import type { Draft, Step } from './ledger.js'
import { paceAdd } from './pace.js'
import type { BatchMark, Block, Stage } from './records.js'
import { LAST, range } from './tables.js'

export function newBatch(id: string, queue: string, now: number, stages?: Stage[]): BatchMark {
  const counts = { total: 0, completed: 0, failed: 0, cancelled: 0, dropped: 0 }
  return { id, queue, ...counts, open: true, createdAt: now, ...(stages ? { stages } : {}) }
}

/** A batch that was pruned left nothing behind: one whose parts are here still was damaged. */
export function* checkGone(ids: readonly string[]): Step<void> {
  const reads = ids.map((id) => range('part', [id], [id, LAST], { limit: 1 }))
  if (reads.length === 0) return
  yield reads
  for (const part of reads.flatMap((read) => read.found)) {
    throw new DamagedError('batch', `${JSON.stringify(part.batch)} has parts, and is gone`)
  }
}

/** Counts tasks into a batch, which is loaded. Returns what is to be said of them, or of the first: the index counts on. */
export function joinBatch(batch: Pick<BatchMark, 'id' | 'createdAt' | 'total' | 'stages'>, count: number): Joined {
  const index = batch.total
  batch.total += count
  return { batch: batch.id, born: batch.createdAt, index, ...(batch.stages ? { stage: 0 } : {}) }
}

/** The batch that a block's tasks belong to, if it is loaded; undefined if it was pruned, though there is one with its id. */
export function batchOf({ batches }: { batches: ReadonlyMap<string, BatchMark> }, of: Member): BatchMark | undefined {
  const batch = of.batch === undefined ? undefined : batches.get(of.batch)
  return of.born === undefined || of.born === batch?.createdAt ? batch : undefined
}

/** What tells the batch that tasks belong to. */
export type Member = Pick<Block, 'batch' | 'born' | 'stage'>

/** Counts ended inputs into (or, negative, out of) their batch. Whoever calls has loaded it; a pruned one counts nothing. */
export function countBatch(
  draft: Draft,
  of: Member,
  state: 'completed' | 'failed' | 'cancelled' | 'dropped',
  count: number,
  now: number,
): void {
  const batch = batchOf(draft, of)
  if (!batch) return
  batch[state] += count
  const stage = of.stage === undefined ? undefined : batch.stages?.[of.stage]
  if (stage && state !== 'dropped' && state !== 'completed') stage[state] += count
  if (count > 0) batch.pace = paceAdd(batch.pace, count, now)
  closeBatch(batch, now)
  draft.changedBatch(batch)
}

/** Whether everything in a batch has ended: sets `endedAt` once, takes it back when there is more to do. */
export function closeBatch(batch: BatchMark, now: number): void {
  const done = batch.completed + batch.failed + batch.cancelled + batch.dropped
  if (batch.open || done < batch.total) delete batch.endedAt
  else batch.endedAt ??= now
}

/** It gets no more inputs. */
export function endInput(draft: Draft, batch: BatchMark, now: number): void {
  batch.open = false
  closeBatch(batch, now)
  draft.changedBatch(batch)
}
