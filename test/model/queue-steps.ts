import fc from 'fast-check'
import { allFaults, type Fault, faults } from './faults.js'

/** What people and pages do, and what happens to them. */

const page = fc.constantFrom<number[]>(0, 0, 1, 2)
const queue = fc.constantFrom('default', 'other')
export const imports = ['m1', 'm2'] as const
export const runs = ['r1', 'r2'] as const
const picks = fc.array(fc.nat(500), { minLength: 1, maxLength: 4 })

const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('enqueue' as const),
      page,
      count: fc.integer({ min: 1, max: 6 }),
      queue,
      priority: fc.constantFrom<number[]>(0, 0, 5, -5),
      delay: fc.constantFrom<number[]>(0, 0, 0, 700, 60_000),
      fails: fc.constantFrom<number[]>(0, 0, 0, 1, 2, 3),
      crashes: fc.constantFrom<number[]>(0, 0, 0, 0, 1, 2, 3),
      ms: fc.constantFrom<number[]>(0, 0, 30, 4_000),
      follow: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('import' as const),
      page,
      id: fc.constantFrom(...imports),
      chunk: fc.constantFrom<number[]>(4, 9),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('run' as const),
      page,
      id: fc.constantFrom(...runs),
      chunk: fc.constantFrom<number[]>(4, 100),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), page, picks }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('retry' as const), page, picks }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('cancel batch' as const), page, id: fc.constantFrom(...imports, ...runs) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), page, queue: fc.option(queue) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('pause' as const),
      page,
      queue: fc.option(queue),
      ms: fc.option(fc.nat(90_000)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resume' as const), page, queue: fc.option(queue) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('prune' as const), page, age: fc.constantFrom<number[]>(0, 200_000) }),
  },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('start' as const), page }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('stop' as const), page, grace: fc.constantFrom<number[]>(0, 1_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('drain' as const), page, limit: fc.constantFrom<number[]>(3, 1_000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), page }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), page }) },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('time' as const),
      ms: fc.constantFrom<number[]>(0, 5, 25, 600, 7_000, 100_000),
    }),
  },
)
export type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

/** To a page, at one of its next transactions. */
const fault = fc.record({ page, nth: fc.nat(4), fault: fc.constantFrom(...allFaults) })

export const step = fc.record({ action, fault: fc.option(fault, { nil: undefined, freq: 5 }) })
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

export function describe({ action, fault }: Step): string {
  return `${sentence(action)}${fault ? ` (page ${fault.page + 1}, at its transaction ${fault.nth + 1}: ${text(fault.fault)})` : ''}`
}

const text = (fault: Fault) => faults[fault]

function sentence(action: Action): string {
  const who = 'page' in action ? `page ${action.page + 1}` : ''
  switch (action.do) {
    case 'enqueue': {
      const { count, queue: into, priority, delay, fails, crashes, ms, follow } = action
      const how = [
        priority && `priority ${priority}`,
        delay && `due in ${delay} ms`,
        fails && `failing ${fails} times`,
        crashes && `crashing ${crashes} times`,
        ms && `taking ${ms} ms`,
        follow && 'enqueueing another',
      ]
      return `${who} enqueues ${[`${count} into ${into}`, ...how.filter(Boolean)].join(', ')}`
    }
    case 'import':
      return `${who} imports batch ${action.id} in chunks of ${action.chunk}`
    case 'run':
      return `${who} runs pipeline ${action.id} in chunks of ${action.chunk}`
    case 'cancel':
    case 'retry':
      return `${who} ${action.do === 'cancel' ? 'cancels' : 'retries'} tasks ${action.picks.join(', ')} (modulo all)`
    case 'cancel batch':
      return `${who} cancels batch ${action.id}`
    case 'clear':
      return `${who} clears ${action.queue ?? 'all queues'}`
    case 'pause':
      return `${who} pauses ${action.queue ?? 'all queues'}${action.ms === null ? '' : ` for ${action.ms} ms`}`
    case 'resume':
      return `${who} resumes ${action.queue ?? 'all queues'}`
    case 'prune':
      return `${who} prunes what is older than ${action.age} ms`
    case 'start':
      return `${who}'s worker starts`
    case 'stop':
      return `${who}'s worker stops, with ${action.grace} ms of grace`
    case 'drain':
      return `${who}'s worker drains up to ${action.limit}`
    case 'crash':
      return `${who} crashes`
    case 'leave':
      return `${who} is reloaded`
    case 'time':
      return `${action.ms} ms pass`
  }
}
