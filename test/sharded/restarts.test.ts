import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Claimed, Exchange, Exchanged, NewTask, Settlement } from '../../src/backend.js'
import type { ShardedBackend } from '../../src/sharded/backend.js'
import { NOW, upTo } from '../backend/bench.js'
import { audit } from '../support/audit.js'
import { type Fate, failing, task } from './failing.js'

const TASKS = 40
const fates: Fate[] = ['done', 'done', 'done', 'refused', 'lost']

/** What happens in a run: the fates of calls, one after the other, and before which of them shards are restarted. */
const troubles = fc.record({
  shards: fc.integer({ min: 1, max: 4 }),
  limit: fc.integer({ min: 1, max: 30 }),
  fates: fc.array(fc.constantFrom(...fates), { maxLength: 150 }),
  restarts: fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 8 }),
  batch: fc.boolean(),
})

/** Asks until it is answered, as TaskQueue's callers and TaskWorker do. */
async function insist<T>(ask: (again: boolean) => Promise<T>, passes: () => void): Promise<T> {
  for (let i = 0; i < 500; i++) {
    try {
      return await ask(i > 0)
    } catch {
      passes()
    }
  }
  throw new Error('It was never answered.')
}

describe('shards that fail and are restarted', () => {
  it('lose no task and record no outcome or follow-up twice', async () => {
    let lost = 0
    await fc.assert(
      fc.asyncProperty(troubles, async (given) => {
        const { shards, connect } = failing(given.shards)
        let backend: ShardedBackend = connect()
        let [calls, now] = [0, NOW]
        for (const [i, shard] of shards.entries()) {
          shard.fate = () => {
            if (given.restarts.includes(calls)) shard.restart()
            const fate = given.fates[calls++] ?? 'done'
            if (fate === 'lost') lost += i + 1
            return fate
          }
        }
        const passes = () => {
          now += 10_000
        }
        const tasks = upTo(TASKS).map(task)
        const batch = given.batch ? { batch: { id: 'b', queue: 'default', offset: 0, open: false } } : {}
        await insist((again) => backend.add(tasks, { now, nonce: 'only', again, ...batch }), passes)

        let seq = 0
        const exchange = (rest: Pick<Exchange, 'settle'> & Partial<Exchange>): Promise<Exchanged> => {
          const own = ++seq
          return insist(() => backend.exchange({ host: 'host', seq: own, now, until: now + 1e9, ...rest }), passes)
        }
        let settle: Settlement[] = []
        const ran: unknown[] = []
        for (let idle = 0; idle < 12; ) {
          now += 10_000
          const { claimed, fenced } = await exchange({ settle, claim: { limit: given.limit } })
          expect(fenced).toBe(false)
          ran.push(...claimed.map(({ input }) => input))
          settle = claimed.map(settled)
          idle = claimed.length === 0 ? idle + 1 : 0
        }
        await exchange({ settle: [], leave: true })
        // Each task once, and what follows from it once; for another client, too.
        for (const shard of shards) shard.fate = () => 'done'
        backend = connect()
        expect(await backend.counts()).toMatchObject({ completed: 2 * TASKS, running: 0, available: 0 })
        const expected = upTo(TASKS).flatMap((i) => [String(i), `after ${i}`])
        expect(ran.map(String).sort()).toEqual(expected.sort())
        for (const { storage } of shards) await audit(storage)
      }),
      { numRuns: 60 },
    )
    expect(lost).toBeGreaterThan(0)
  }, 60_000)
})

function settled({ lane, position, seq, attempt, input, name }: Claimed): Settlement {
  const next: NewTask = { ...task(`after ${input}`), name: 'next' }
  const followUps = name === 'work' ? { followUps: [next] } : {}
  return { lane, position, seq, to: 'completed', value: input, startedAt: NOW, finishedAt: NOW, attempt, ...followUps }
}
