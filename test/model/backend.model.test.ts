import { expect, it } from 'vitest'
import { MemoryStorage } from '../../src/memory/storage.js'
import { histories } from './history.js'
import { history, type Step } from './steps.js'
import { type Database, World } from './world.js'

const memory = async (): Promise<Database> => {
  const storage = new MemoryStorage()
  return { connect: () => storage, raw: storage, close: () => storage.close() }
}

async function run(database: Database, steps: readonly Step[], tell: (world: World) => void): Promise<World> {
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

it('memory: whatever several clients and hosts do, everything that can be read is as the model says', async () => {
  let steps = 0
  await histories(history(20), 60, async (steps_, tell) => {
    steps += steps_.length
    await run(await memory(), steps_, tell)
  })
  expect(steps).toBeGreaterThan(0)
}, 600_000)
