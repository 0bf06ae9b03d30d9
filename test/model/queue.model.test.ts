import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryStorage } from '../../src/memory/storage.js'
import { histories, type Telling } from './history.js'
import { type Step, step } from './queue-steps.js'
import { QueueWorld } from './queue-world.js'

async function run(steps: readonly Step[], tell: (world: Telling) => void): Promise<void> {
  const storage = new MemoryStorage()
  const world = new QueueWorld({ connect: () => storage, raw: storage, close: () => storage.close() })
  tell({ script: world.told })
  for (const one of steps) await world.run(one)
  await world.end()
}

describe('model: queues and workers of several pages', () => {
  it('whatever dies, every task ends once, as it was made to, and is counted where it belongs', async () => {
    let done = 0
    await histories(fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }), 40, async (steps, tell) => {
      await run(steps, tell)
      done++
    })
    expect(done).toBeGreaterThan(0)
  }, 3_600_000)
})
