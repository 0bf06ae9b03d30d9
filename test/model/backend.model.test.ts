import { describe, expect, it } from 'vitest'
import { IndexedDBStorage } from '../../src/indexeddb/storage.js'
import { MemoryStorage } from '../../src/memory/storage.js'
import { allFaults } from './faults.js'
import { histories, type Telling } from './history.js'
import { describeStep } from './script.js'
import { calm, history, type Step } from './steps.js'
import { type Database, World } from './world.js'

/** Backends under several clients and hosts, with a fault at any transaction, against a model. RUNS=100 for a long look. */

const memory = async (): Promise<Database> => {
  const storage = new MemoryStorage()
  return { connect: () => storage, raw: storage, close: () => storage.close() }
}

const indexedDB = async (): Promise<Database> => {
  const name = `model-${crypto.randomUUID()}`
  const open: IndexedDBStorage[] = []
  const connect = () => {
    const storage = new IndexedDBStorage({ name })
    open.push(storage)
    return storage
  }
  const raw = connect()
  const close = async () => {
    for (const storage of open) if (storage !== raw) await storage.close()
    await raw.destroy()
  }
  return { connect, raw, close }
}

async function run(database: Database, steps: readonly Step[], tell: (world: Telling) => void): Promise<World> {
  const world = new World(database)
  tell(world)
  try {
    for (const one of steps) await world.run(one)
    await world.end()
  } finally {
    await database.close()
  }
  return world
}

/** Real databases take their time. */
const inBrowser = typeof document !== 'undefined'

describe.each([
  ...(inBrowser ? [] : [{ name: 'memory', make: memory, runs: 40, swept: 4 }]),
  { name: 'IndexedDB', make: indexedDB, runs: inBrowser ? 12 : 4, swept: inBrowser ? 1 : 0 },
])('model: $name', ({ make, runs, swept }) => {
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
              const struck = steps.map((step, i) => (i === at ? { ...step, fault: { nth, fault } } : step))
              const world = await run(await make(), struck, tell)
              const told = world.script[at] ?? ''
              // It struck indeed: what is counted happens the same way again.
              if (!told.includes(`[fault: ${fault}]`))
                throw new Error(`No fault in ${told} of ${steps.map(({ action }) => describeStep(action))}`)
              broken++
            }
          }
        }
      })
      expect(broken).toBeGreaterThan(0)
    },
    3_600_000,
  )
})
