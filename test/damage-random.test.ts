import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SitqError } from '../src/errors.js'
import { IndexedDBStorage } from '../src/indexeddb/storage.js'
import { MemoryStorage } from '../src/memory/storage.js'
import { LAYOUT } from '../src/plan/records.js'
import { fits } from '../src/plan/shapes.js'
import type { Storage } from '../src/storage.js'
import { type Result, type TaskId, taskStates } from '../src/task.js'
import { audit } from './support/audit.js'
import { type Damage, damage, everything, inflict, type Stored, write } from './support/damage.js'
import { History, type Step, step } from './support/history.js'

/** Whatever has become of a few stored records: nothing hangs, nothing throws what it should not, and all else is right. */

const RUNS = typeof process === 'undefined' ? 25 : Number(process.env.RUNS ?? 60)
const nothing = { damaged: {}, failed: 0, returned: 0 }

test('a repair finds nothing wrong where nothing is wrong', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (steps) => {
      const history = new History()
      for (const one of steps) {
        await history.run(one)
        const before = await everything(history.storage)
        expect(await history.backend.repair()).toEqual(nothing)
        expect(await everything(history.storage)).toEqual(before)
      }
    }),
    { numRuns: RUNS },
  )
}, 120_000)

/** Tasks of which one of these records told something. */
function touched(records: readonly Stored[], ids: readonly TaskId[]): Set<TaskId> {
  const hit = new Set<TaskId>()
  for (const { store, record } of records) {
    if (store === 'ledger' || typeof record !== 'object' || record === null) continue
    if (!('lane' in record && 'from' in record && 'to' in record)) continue
    const { lane, from, to } = record
    for (const id of ids) {
      const [, ofLane = '', position = ''] = id.split('-')
      const p = Number.parseInt(position, 36)
      if (Number.parseInt(ofLane, 36) === lane && Number(from) <= p && p < Number(to)) hit.add(id)
    }
  }
  return hit
}

async function resultsOf(history: History): Promise<Map<TaskId, Result>> {
  const results = await history.backend.results(history.ids)
  return new Map(history.ids.flatMap((id, i) => (results[i] ? [[id, results[i]]] : [])))
}

/** Everything that can be read. Each answers, or says in our own words why it can't. */
async function readEverything({ backend, ids, storage }: History): Promise<void> {
  const reads: (() => Promise<unknown>)[] = [
    () => backend.get(ids),
    () => backend.results(ids),
    () => backend.counts(),
    () => backend.batch('a'),
    () => backend.read('batches', { limit: 10 }),
    () => backend.read('parts', { batch: 'a', stage: 0, limit: 10 }),
    ...[0, 1, 2].map((lane) => () => backend.read('ended', { lane, from: 0, to: 500, limit: 32 })),
    ...taskStates.map((state) => () => backend.read('tasks', { state, limit: 100 })),
  ]
  for (const read of reads) {
    try {
      await read()
    } catch (error) {
      if (!(error instanceof SitqError)) throw new Error(`An error that is not ours: ${error}`, { cause: error })
    }
  }
  expect(storage).toBeDefined()
}

async function isNewer(storage: Storage): Promise<boolean> {
  const root = (await everything(storage)).find(({ store, key }) => store === 'ledger' && key === '')
  return fits('root', root?.record) && root.record.layout > LAYOUT
}

async function survive(storage: Storage, steps: readonly Step[], damages: readonly Damage[]): Promise<void> {
  const history = new History(storage)
  const hints: string[] = []
  history.channel.listen((hint) => hint.type === 'storage' && hints.push(hint.event))
  for (const one of steps) await history.run(one)
  const before = await resultsOf(history)
  const known = new Set((await history.backend.get(history.ids)).flatMap((view) => view?.id ?? []))
  const hit: Stored[] = []
  for (const one of damages) hit.push(...(await inflict(storage, one)))
  // That is what a newer version's would look like, and nobody here mends that.
  if (await isNewer(storage)) {
    await expect(history.open().repair()).rejects.toMatchObject({ code: 'newer-version' })
    return
  }
  // A page that knows nothing, as after a reload.
  history.backend = history.open()
  await readEverything(history)
  await history.finish()
  const late = await history.backend.repair()
  await history.finish()
  await audit(storage)
  expect(await history.backend.repair()).toEqual(nothing)
  expect(await history.backend.counts()).toMatchObject({ blocked: 0, scheduled: 0, available: 0, running: 0 })
  if (Object.keys(late.damaged).length > 0) expect(hints).toContain('damaged')

  // With every record of the origin gone, a new one begins: the old ids are of another database then.
  const origins = hit.filter(({ key }) => key === '' || (Array.isArray(key) && key[0] === 'lane'))
  if (origins.length > 1) return
  const after = await resultsOf(history)
  const ill = touched(hit, history.ids)
  for (const id of history.ids) {
    if (ill.has(id) || !known.has(id)) continue
    const [was, is] = [before.get(id), after.get(id)]
    if (was) expect(is).toEqual(was)
    else expect(is, `of ${id}`).toBeDefined()
    // Without the ledger nobody knows which tasks ran, nor where an outcome began that can't be read.
    if (hit.some(({ store }) => store === 'ledger') && hit.some(({ store }) => store === 'outcomes')) continue
    if (is?.status === 'failed') expect(is.error.code, `of ${id}`).not.toBe('damaged')
  }
}

const histories = fc.array(step, { minLength: 1, maxLength: 15 })
const damages = fc.array(damage, { minLength: 1, maxLength: 3 })

test('damaged records are mended, and nothing else is touched', async () => {
  const property = fc.asyncProperty(histories, damages, (steps, list) => survive(new MemoryStorage(), steps, list))
  await fc.assert(property, { numRuns: RUNS })
}, 120_000)

test('damaged records are mended, and nothing else is touched, in IndexedDB', async () => {
  const property = fc.asyncProperty(histories, damages, async (steps, list) => {
    const storage = new IndexedDBStorage({ name: crypto.randomUUID() })
    try {
      await survive(storage, steps, list)
    } finally {
      await storage.destroy()
    }
  })
  await fc.assert(property, { numRuns: Math.ceil(RUNS / 4) })
}, 120_000)

const appends = fc.array(
  fc.record({
    page: fc.nat(2),
    count: fc.integer({ min: 1, max: 300 }),
    batch: fc.constantFrom(undefined, undefined, 'b'),
  }),
  { minLength: 1, maxLength: 8 },
)

test('a task appended where a lane was seen to end before a repair runs, whatever blocks cannot be read', async () => {
  const property = fc.asyncProperty(
    appends,
    fc.array(fc.nat(), { minLength: 1 }),
    fc.nat(600),
    async (list, picks, limit) => {
      const history = new History()
      const { storage, now } = history
      const pages = [0, 1, 2].map(() => history.open())
      const add = (page: number, count: number, batch?: string) =>
        pages[page]?.add(
          Array.from({ length: count }, () => ({ queue: 'default', name: 'a', input: page, priority: 0 })),
          { now, ...(batch ? { batch: { id: batch, queue: 'default', offset: stored, open: true } } : {}) },
        )
      let stored = 0
      for (const { page, count, batch } of list) {
        await add(page, count, batch)
        if (batch) stored += count
      }
      const settle = ['ok', 'fail', 'back', 'keep'] as const
      for (const _ of settle)
        await history.run({ do: 'exchange', host: 0, limit, settle: [...settle], names: undefined, leave: false })
      const blocks = (await everything(storage)).filter(({ store }) => store === 'blocks')
      for (const pick of picks) {
        const { store, key } = blocks[pick % blocks.length] ?? {}
        if (store && key) await write(storage, { kind: 'put', store, key, record: null })
      }
      await history.backend.repair()
      const late: (TaskId | undefined)[] = []
      for (const page of pages.keys()) late.push(...((await add(page, 1)) ?? []))
      expect(new Set(late).size).toBe(pages.length)
      for (const result of await history.backend.results(late.flatMap((id) => id ?? []))) expect(result).toBeUndefined()
      await history.finish()
      const results = await history.backend.results(late.flatMap((id) => id ?? []))
      expect(results.map((result) => result?.status)).toEqual(pages.map(() => 'completed'))
      await audit(storage)
      expect(await history.backend.repair()).toEqual(nothing)
    },
  )
  await fc.assert(property, { numRuns: RUNS })
}, 120_000)
