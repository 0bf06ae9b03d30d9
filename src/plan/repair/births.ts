/** When batches were made. Blocks of one that was pruned may outlive it, and another may bear its id by now. */
import type { Lane } from '../../task.js'
import type { PartMark } from '../records.js'
import { isTime } from '../shapes.js'
import { firstAfter } from '../stretches.js'
import { logOf, type Survey } from './survey.js'

export type Births = ReadonlyMap<string, number>

/** Of every batch of `alive`: as its mark says, or its blocks do, if only what is left of its mark. */
export function birthsOf(
  survey: Survey,
  o: { alive: ReadonlySet<string>; parts: ReadonlyMap<Lane, readonly PartMark[]>; now: number },
): Births {
  const said = inBlocks(survey, o.alive)
  const placed = inParts(survey, o.parts)
  const births = new Map<string, number>()
  for (const id of o.alive) {
    const born = survey.batches.get(id)?.createdAt ?? placed.get(id)
    births.set(id, born ?? leftOf(survey.brokenBatches.get(id), said.get(id), o.now))
  }
  return births
}

/** Parts go with their batch: where there is one, the blocks are of the batch that lives. */
function inParts(survey: Survey, parts: ReadonlyMap<Lane, readonly PartMark[]>): Map<string, number> {
  const births = new Map<string, number>()
  for (const { lane, batch, from, to } of [...parts.values()].flat()) {
    const { runs } = logOf(survey, lane)
    for (let i = firstAfter(runs, from); !births.has(batch); i++) {
      const run = runs[i]
      if (!run || run.from >= to) break
      if (run.born !== undefined) births.set(batch, run.born)
    }
  }
  return births
}

function inBlocks(survey: Survey, alive: ReadonlySet<string>): Map<string, Set<number>> {
  const births = new Map<string, Set<number>>()
  for (const { runs } of survey.logs.values()) {
    for (const { batch, born } of runs) {
      if (batch === undefined || born === undefined || !alive.has(batch)) continue
      births.set(batch, (births.get(batch) ?? new Set()).add(born))
    }
  }
  return births
}

/** A time that no block bears is not believed where blocks bear one: the latest of theirs is. */
function leftOf(record: unknown, said: ReadonlySet<number> = new Set(), now: number): number {
  const left = typeof record === 'object' && record !== null && 'createdAt' in record ? record.createdAt : undefined
  if (isTime(left) && (said.size === 0 ? left <= now : said.has(left))) return left
  return said.size === 0 ? now : Math.max(...said)
}
