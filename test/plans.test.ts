import fc from 'fast-check'
import { expect, test } from 'vitest'
import { audit } from './support/audit.js'
import { History, step } from './support/history.js'

/** Random histories over the plans: after every step the database balances, and at the end every task has ended once. */

/** More with RUNS=1000 in the environment; browsers have none. */
const RUNS = typeof process === 'undefined' ? 60 : Number(process.env.RUNS ?? 60)

test('whatever happens, the books balance and every task ends', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const world = new History()
      for (const s of steps) {
        await world.run(s)
        await audit(world.storage)
      }
      await world.finish()
      await audit(world.storage)
      const counts = await world.backend.counts()
      expect(counts).toMatchObject({ blocked: 0, scheduled: 0, available: 0, running: 0 })
      for (const id of world.ids.slice(0, 50)) {
        const [view] = await world.backend.get([id])
        const [result] = await world.backend.results([id])
        expect(result === undefined).toBe(view?.result === undefined)
      }
    }),
    { numRuns: RUNS },
  )
}, 120_000)
