import type { EnqueueOptions } from 'sitq'
import type { Item } from './pages/items.js'
import type { Seeded } from './seeded.js'

/** A task that is enqueued alone, in the midst of the kills. */
export interface Single {
  name: 'work' | 'parent' | 'flaky' | 'spin' | 'wait'
  item: Item
  options?: EnqueueOptions
  /** It is cancelled so many ms after it was acknowledged, if it has not ended by then. */
  cancelAfter?: number
}

export interface SinglesJob {
  type: 'singles'
  tasks: Single[]
}

/** A batch with an id; interrupted, it is called again. */
export interface ImportJob {
  type: 'import'
  id: string
  queue: string
  total: number
  chunkSize: number
  /** Of each task. */
  ms: number
}

/** A run of the pipeline, with an id. */
export interface FlowJob {
  type: 'flow'
  id: string
  total: number
  ms: number
}

export type Job = SinglesJob | ImportJob | FlowJob

/** Of a spinning handler, in ms. */
export const SPIN_TIMEOUT = 250

/** What a single task comes to, whatever dies meanwhile. */
export function endOf({ item, options }: Single): { state: 'completed' | 'failed'; attempts: number } {
  const { bad = 0 } = item
  const attempts = options?.retry?.attempts ?? 3
  return bad < attempts ? { state: 'completed', attempts: bad + 1 } : { state: 'failed', attempts }
}

/** The work of one round, of about so many tasks, follow-ups and continuations included. */
export function workOf(round: number, tasks: number, random: Seeded): Job[] {
  const jobs: Job[] = []
  const ms = () => (random.chance(0.8) ? random.whole(0, 2) : random.whole(5, 15))
  let left = tasks
  if (random.chance(0.4)) {
    // Two of three items go through both stages.
    const total = Math.ceil((left * 0.6) / (5 / 3))
    jobs.push({ type: 'flow', id: `flow-${round}`, total, ms: random.whole(0, 1) })
    left -= Math.round((total * 5) / 3)
  }
  const singles = singlesOf(round, Math.ceil(tasks / 10), random, ms)
  for (const { item } of singles) left -= 1 + (item.children ?? 0)
  jobs.push({ type: 'singles', tasks: singles })
  const total = Math.max(1, left)
  const [queue, chunkSize] = [random.pick(['default', 'other']), random.pick([50, 200, 1_000])]
  jobs.push({ type: 'import', id: `import-${round}`, queue, total, chunkSize, ms: random.whole(0, 2) })
  return random.shuffled(jobs)
}

function singlesOf(round: number, tasks: number, random: Seeded, ms: () => number): Single[] {
  const singles: Single[] = []
  for (let i = 0, left = tasks; left > 0; i++) {
    const single = singleOf(`single-${round}.${i}`, random, ms)
    left -= 1 + (single.item.children ?? 0)
    singles.push(single)
  }
  return singles
}

function singleOf(key: string, random: Seeded, ms: () => number): Single {
  const options: EnqueueOptions = { queue: random.pick(['default', 'other']), priority: random.whole(-1, 1) }
  const kind = random.next()
  if (kind < 0.15) {
    const item: Item = { key, ms: ms(), children: random.whole(1, 4) }
    if (random.chance(0.5)) item.batch = `children of ${key}`
    return { name: 'parent', item, options }
  }
  const retry = { attempts: 3, delay: random.whole(1, 300), factor: 1 }
  if (kind < 0.3)
    return { name: 'flaky', item: { key, ms: ms(), bad: random.whole(1, 3) }, options: { ...options, retry } }
  if (kind < 0.35)
    return { name: 'work', item: { key, ms: ms() }, options: { ...options, delay: random.whole(1, 2_000) } }
  if (kind < 0.4)
    return { name: 'wait', item: { key, ms: random.whole(0, 400) }, options, cancelAfter: random.whole(0, 300) }
  if (kind < 0.43)
    return { name: 'work', item: { key, ms: ms() }, options: { ...options, priority: 2 }, cancelAfter: 0 }
  return { name: 'work', item: { key, ms: ms() }, options }
}
