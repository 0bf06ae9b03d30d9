import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inIndexedDB, inMemory } from './databases.js'
import { allFaults, type Fault } from './faults.js'
import { factor, histories, type Telling } from './history.js'
import { type Action, type Step, step } from './queue-steps.js'
import { QueueWorld } from './queue-world.js'
import { numbered } from './script.js'
import type { Database } from './world.js'

/** Queues and workers in pages that die, with a fault at any transaction. */

async function run(database: Database, steps: readonly Step[], tell: (world: Telling) => void): Promise<QueueWorld> {
  const world = new QueueWorld(database)
  tell(world)
  try {
    for (const one of steps) await world.run(one)
    await world.end()
  } finally {
    await database.close()
  }
  return world
}

/** A day in the life of a page, with something of everything. */
const day: Action[] = [
  { do: 'start', page: 0 },
  { do: 'import', page: 0, id: 'm1', chunk: 4 },
  { do: 'run', page: 0, id: 'r1', chunk: 4 },
  {
    ...{ do: 'enqueue', page: 0, count: 2, queue: 'other', priority: 5, delay: 700 },
    ...{ fails: 1, crashes: 1, ms: 30, follow: true },
  },
  { do: 'time', ms: 25 },
  { do: 'start', page: 1 },
  { do: 'cancel', page: 0, picks: [0, 5, 30] },
  { do: 'time', ms: 600 },
  { do: 'retry', page: 0, picks: [0, 5, 30] },
  { do: 'pause', page: 0, queue: 'other', ms: 500 },
  { do: 'time', ms: 7_000 },
  { do: 'import', page: 0, id: 'm2', chunk: 9 },
  { do: 'cancel batch', page: 0, id: 'm2' },
  { do: 'stop', page: 0, grace: 0 },
  { do: 'time', ms: 100_000 },
  { do: 'prune', page: 0, age: 0 },
]
const dayWith = (nth: number, fault: Fault): Step[] => {
  const morning: Step = { action: { do: 'time', ms: 0 }, fault: { page: 0, nth, fault } }
  return [morning, ...day.map((action) => ({ action, fault: undefined }))]
}

describe.each([
  { name: 'memory', make: inMemory, runs: 40, share: 1 },
  { name: 'IndexedDB', make: inIndexedDB, runs: 4, share: 5 },
])('model: queues and workers of several pages: $name', ({ make, runs, share }) => {
  it('whatever dies, every task ends once, as it was made to, and is counted where it belongs', async () => {
    let done = 0
    await histories(fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }), runs, async (steps, tell) => {
      await run(await make(), steps, tell)
      done++
    })
    expect(done).toBeGreaterThan(0)
  }, 3_600_000)

  it('every transaction of a page may break', async () => {
    const { count } = (await run(await make(), dayWith(Number.POSITIVE_INFINITY, 'lost'), () => {})).transactionsOf(0)
    expect(count).toBeGreaterThan(30)
    for (let nth = 0; nth < count; nth++) {
      // In every way with RUNS=10; else in one, another for each.
      for (const [k, fault] of allFaults.entries()) {
        if (factor < 10 && (nth % allFaults.length !== k || nth % share !== 0)) continue
        let told: Telling = { script: [] }
        const tell = (telling: Telling) => {
          told = telling
        }
        await run(await make(), dayWith(nth, fault), tell).catch((error: Error) => {
          throw new Error(`${error.message}\n\nat the end of\n${numbered(told.script)}`, { cause: error })
        })
      }
    }
  }, 3_600_000)
})
