/** What several shards say, added up. */
import type { Repaired } from '../backend.js'
import { isTable } from '../plan/tables.js'
import { type Counts, taskStates } from '../task.js'

export function sumOfCounts(all: readonly Counts[]): Counts {
  const sum: Counts = { blocked: 0, scheduled: 0, available: 0, running: 0, completed: 0, failed: 0, cancelled: 0 }
  for (const counts of all) for (const state of taskStates) sum[state] += counts[state]
  return sum
}

export function sumOfRepairs(all: readonly Repaired[]): Repaired {
  const sum: Repaired = { damaged: {}, failed: 0, returned: 0 }
  for (const { damaged, failed, returned } of all) {
    for (const [kind, count] of Object.entries(damaged)) {
      if (isTable(kind)) sum.damaged[kind] = (sum.damaged[kind] ?? 0) + count
    }
    sum.failed += failed
    sum.returned += returned
  }
  return sum
}
