import type { Claimed } from '../backend.js'
import { formatId } from '../task.js'
import type { Part } from './ledger.js'
import { type Block, nameAt, settingsAt } from './records.js'

/** The claimed tasks of a stretch of one block. */
export function* describe(
  block: Block,
  part: Part,
  of: { queue: string; priority: number; origin: string },
): Generator<Claimed> {
  const { lane, seq, attempt, crashes } = part
  for (let position = part.from; position < part.to; position++) {
    const i = position - block.from
    yield {
      id: formatId(of.origin, lane, position),
      ...{ lane, position, seq, attempt, crashes },
      ...{ queue: of.queue, priority: of.priority },
      name: nameAt(block, i),
      input: block.inputs[i],
      enqueuedAt: block.at,
      settings: settingsAt(block, i),
    }
  }
}
