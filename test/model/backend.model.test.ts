import { describe, expect, it } from 'vitest'
import { inIndexedDB, inMemory } from './databases.js'
import { allFaults, type Fault } from './faults.js'
import { factor, histories, type Telling } from './history.js'
import { describeStep, numbered } from './script.js'
import { calm, history, type Step } from './steps.js'
import { allKinds, tour } from './tour.js'
import { type Database, World } from './world.js'

/** Backends under several clients and hosts, with a fault at any transaction, against a model. RUNS=100 for a long look. */

/** `from`, `to`: it is looked at after these steps, and in the end. */
async function run(
  database: Database,
  steps: readonly Step[],
  tell: (world: Telling) => void,
  { from = 0, to = Number.POSITIVE_INFINITY } = {},
): Promise<World> {
  const world = new World(database)
  tell(world)
  try {
    for (const [i, one] of steps.entries()) await world.run(one, from <= i && i < to)
    await world.end()
  } finally {
    await database.close()
  }
  return world
}

/** Real databases take their time. */
const inBrowser = typeof document !== 'undefined'

/** Steps after one that broke that are looked at one by one. */
const AFTERMATH = 4

/** A history with a fault at one of its transactions, which has to strike. */
async function strike(
  database: Database,
  steps: readonly Step[],
  { at, ...fault }: { at: number; nth: number; fault: Fault },
  tell: (world: Telling) => void,
): Promise<void> {
  const struck = steps.map((step, i) => (i === at ? { ...step, fault } : step))
  // Until then it is one that was looked at before.
  const world = await run(database, struck, tell, { from: at, to: at + AFTERMATH })
  const told = world.script[at] ?? ''
  // What is counted happens the same way again.
  if (!told.includes(`[fault: ${fault.fault}]`))
    throw new Error(`No fault in ${told} of ${steps.map(({ action }) => describeStep(action))}`)
}

const walk = tour.map((action): Step => ({ action, fault: undefined, page: 7 }))

describe.each([
  ...(inBrowser ? [] : [{ name: 'memory', make: inMemory, runs: 40, swept: 4, share: 1 }]),
  {
    name: 'IndexedDB',
    make: inIndexedDB,
    runs: inBrowser ? 12 : 4,
    swept: inBrowser ? 1 : 0,
    share: inBrowser ? 4 : 1,
  },
])('model: $name', ({ make, runs, swept, share }) => {
  it('whatever several clients and hosts do, and whatever breaks, all that can be read is as the model says', async () => {
    let done = 0
    await histories(history(inBrowser ? 25 : 40), runs, async (steps, tell) => {
      await run(await make(), steps, tell)
      done++
    })
    expect(done).toBeGreaterThanOrEqual(Math.min(runs, 1))
  }, 3_600_000)

  it.runIf(swept > 0)(
    'every transaction of a history may break in every way',
    async () => {
      let broken = 0
      await histories(calm(inBrowser ? 3 : 7), swept, async (steps, tell) => {
        const { transactions } = await run(await make(), steps, tell)
        for (const [at, count] of transactions.entries()) {
          for (let nth = 0; nth < count; nth++) {
            for (const fault of allFaults) {
              await strike(await make(), steps, { at, nth, fault }, tell)
              broken++
            }
          }
        }
      })
      expect(broken).toBeGreaterThan(0)
    },
    3_600_000,
  )

  it('every operation may break at every one of its transactions', async () => {
    expect([...new Set(tour.map(({ do: kind }) => kind))].sort()).toEqual([...allKinds].sort())
    const { transactions } = await run(await make(), walk, () => {})
    let broken = 0
    for (const [at, count] of transactions.entries()) {
      for (let nth = 0; nth < count; nth++) {
        for (const [k, fault] of allFaults.entries()) {
          // In every way with RUNS=10; else in one, another for each; in browsers, which take their time, each fourth step.
          if (factor < 10 && ((at + nth) % allFaults.length !== k || at % share !== 0)) continue
          let told: Telling = { script: [] }
          const tell = (telling: Telling) => {
            told = telling
          }
          await strike(await make(), walk, { at, nth, fault }, tell).catch((error: Error) => {
            throw new Error(`${error.message}\n\nat the end of\n${numbered(told.script)}`, { cause: error })
          })
          broken++
        }
      }
    }
    const all = transactions.reduce((sum, count) => sum + count, 0)
    expect(all).toBeGreaterThan(25)
    if (factor >= 10) expect(broken).toBe(all * allFaults.length)
    else if (share === 1) expect(broken).toBe(all)
    else expect(broken).toBeGreaterThan(all / share / 2)
  }, 3_600_000)
})
