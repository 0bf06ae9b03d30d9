import type { Sample } from '../contract.js'
import { percentile } from '../statistics.js'

/** How long it took, in ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await work()
  return performance.now() - from
}

/** ms for so many tasks, in µs a task. */
export const each = (ms: number, tasks: number) => (ms * 1_000) / tasks

/** The times of single things, in ms. */
export const latencies = (times: readonly number[]): Sample => ({
  'p50 ms': percentile(times, 50),
  'p99 ms': percentile(times, 99),
})

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
