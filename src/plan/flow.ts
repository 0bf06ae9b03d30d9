/** Pipelines: what follows when an item leaves a stage. Judged in the transaction that records how it left. */
import type { Position } from '../task.js'
import { countBatch } from './batch.js'
import type { Appended } from './layout.js'
import type { Draft } from './ledger.js'
import type { BatchMark, Block } from './records.js'
import { onward } from './stages.js'

const LEAST_PRIORITY = -100

/**
 * A task of a pipeline's stage has completed: counts the item where it ended, or returns the task that goes on with it.
 * That task goes one priority before its predecessor, so that items stream to the end instead of waiting for each other
 * at every stage.
 */
export function continueFlow(
  draft: Draft,
  batch: BatchMark,
  item: { block: Block; position: Position; index: number; output: unknown },
  now: number,
): Appended | undefined {
  const stages = batch.stages ?? []
  const { block, position, output, index } = item
  const at = block.stage ?? 0
  const done = stages[at]
  const place = draft.place(block.lane)
  if (!done) return undefined
  // The stage's counts move even if the batch's own don't.
  draft.changedBatch(batch)
  const judged = done.kind === 'filter'
  if (judged && output !== true) return drop(draft, batch, at, now)
  done.completed++
  const value = judged ? block.inputs[position - block.from] : output
  const next = onward(stages, at, value)
  // Filters by a field have no tasks of their own: what passes them is counted on the way.
  for (const passed of stages.slice(at + 1, next.to === 'end' ? stages.length : next.stage)) passed.completed++
  if (next.to === 'dropped') return drop(draft, batch, next.stage, now)
  const stage = next.to === 'stage' ? stages[next.stage] : undefined
  if (next.to === 'end' || !stage || !('name' in stage)) {
    countBatch(draft, { batch: batch.id }, 'completed', 1, now)
    return undefined
  }
  const settings = block.settings ?? block.own?.[position - block.from]
  return {
    queue: place.ledger.queue,
    priority: Math.max(LEAST_PRIORITY, place.state.priority - 1),
    name: stage.name,
    input: value,
    batch: batch.id,
    born: batch.createdAt,
    stage: next.stage,
    index,
    ...(settings ? { settings } : {}),
  }
}

function drop(draft: Draft, batch: BatchMark, stage: number, now: number): undefined {
  const of = batch.stages?.[stage]
  if (of) of.dropped++
  countBatch(draft, { batch: batch.id }, 'dropped', 1, now)
  return undefined
}

/** Index in the run's input of a task of a pipeline. */
export function flowIndex(block: Block, p: Position): number {
  return block.indexes?.[p - block.from] ?? (block.start ?? 0) + (p - block.from)
}
