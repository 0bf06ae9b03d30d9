import type { Claimed } from '../backend.js'
import { formatId } from '../task.js'
import type { Part } from './ledger.js'
import { type Block, nameAt, settingsAt } from './records.js'

/** The claimed tasks of a stretch of one block. */
export function describe(
  block: Block,
  part: Part,
  { queue, priority, origin }: { queue: string; priority: number; origin: string },
): Claimed[] {
  const { lane, seq, attempt, crashes } = part
  const claimed: Claimed[] = []
  for (let position = part.from; position < part.to; position++) {
    const i = position - block.from
    claimed.push({
      id: formatId(origin, lane, position),
      lane,
      position,
      seq,
      attempt,
      crashes,
      queue,
      priority,
      name: nameAt(block, i),
      input: block.inputs[i],
      enqueuedAt: block.at,
      settings: settingsAt(block, i),
    })
  }
  return claimed
}
