import { describe, expect, onTestFinished, test } from 'vitest'
import { StorageError } from '../src/errors.js'
import { MemoryStorage } from '../src/memory/storage.js'
import type { Plan, RunOptions } from '../src/storage.js'
import type { ScriptedExecutor } from './support/executor.js'
import { World } from './support/world.js'

// What a host does about a storage that is full. How a real browser says so: quota.browser.test.ts.

const MINUTE = 60_000

/** As Chromium's: where nothing is left, everything that puts is refused, were it to make room in the same transaction. */
class SmallStorage extends MemoryStorage {
  /** Refuses writes of more records than this. */
  room = Number.POSITIVE_INFINITY
  refused = 0

  override run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    return super.run(() => this.#measured(plan()), options)
  }

  *#measured<T>(plan: Plan<T>): Plan<T> {
    const end = yield* plan
    if (end.writes.filter(({ kind }) => kind !== 'delete').length <= this.room) return end
    this.refused++
    throw new StorageError('quota', 'full')
  }
}

async function full(retention: { age?: number; whenFull?: number }) {
  const storage = new SmallStorage()
  const w = new World({ storage })
  onTestFinished(() => w.end())
  const { worker, executor, errors } = w.tab({ retention, slots: 2 })
  await worker.start()
  // More than a block of each, which go as a whole.
  const old = await w.add(Array.from({ length: 600 }, () => ({ do: 'ok' as const })))
  await w.ended(old)
  await w.clock.advance(10 * MINUTE)
  const ended = async () => (await w.states(old)).filter((state) => state === 'completed').length
  return { w, storage, executor, errors, ended }
}

const runs = ({ began }: ScriptedExecutor, ids: readonly string[]) => began.filter(({ id }) => ids.includes(id)).length

test('what has ended waits for room and is recorded then; nothing runs twice, nothing is claimed meanwhile', async () => {
  const { w, storage, executor, errors, ended } = await full({})
  const ids = await w.add(Array.from({ length: 6 }, () => ({ do: 'ok' as const, ms: 1_000 })))
  await w.clock.advance(500)
  const begun = runs(executor, ids)
  expect(begun).toBeGreaterThan(0)
  storage.room = 0
  await w.clock.advance(5 * MINUTE)
  expect(runs(executor, ids)).toBe(begun)
  expect(await w.states(ids)).not.toContain('completed')
  expect(new Set(errors.map((error) => error instanceof StorageError && error.code))).toEqual(new Set(['quota']))
  // It tries both, in turn: to record what has ended, and to make room.
  expect(storage.refused).toBeGreaterThan(10)
  expect(await ended()).toBe(600)
  storage.room = Number.POSITIVE_INFINITY
  expect(await w.ended(ids)).toEqual(Array(6).fill('completed'))
  expect(runs(executor, ids)).toBe(6)
  expect(await ended()).toBe(600)
})

test('for 30 s after it was full no exchange claims, while what ends is recorded as soon as it can be', async () => {
  const storage = new SmallStorage()
  const w = new World({ storage })
  onTestFinished(() => w.end())
  const { worker, backend, clock, errors, executor } = w.tab({ slots: 3 })
  await worker.start()
  const times = [5_000, 10_000, 20_000]
  const ids = await w.add([...times.map((ms) => ({ do: 'ok' as const, ms })), { do: 'ok' }, { do: 'ok' }])
  await clock.advance(4_900)
  storage.room = 0
  await clock.until(() => errors.length === 1)
  const refused = clock.monotonic()
  const before = backend.exchanges.length
  storage.room = Number.POSITIVE_INFINITY
  await clock.advance(1_000)
  expect((await w.states(ids)).slice(0, 2)).toEqual(['completed', 'running'])
  await clock.advance(14_500)
  expect((await w.states(ids)).slice(0, 3)).toEqual(Array(3).fill('completed'))
  await clock.advance(refused + 29_990 - clock.monotonic())
  // That there is work does not change it.
  w.channel.post({ type: 'added', queues: ['default'] })
  await clock.advance(0)
  const since = backend.exchanges.slice(before)
  expect(since.length).toBeGreaterThanOrEqual(3)
  expect(since.filter(({ claim }) => claim)).toEqual([])
  expect(executor.began).toHaveLength(3)
  await clock.advance(20)
  expect(await w.states(ids)).toEqual(Array(5).fill('completed'))
  expect(errors).toHaveLength(1)
})

test('nothing goes before its time to make room, unless the app says so', async () => {
  for (const [retention, left] of [
    [{}, 600],
    [{ age: 5 * MINUTE }, 0],
    [{ whenFull: 20 * MINUTE }, 600],
    [{ whenFull: 5 * MINUTE }, 0],
    [{ age: 5 * MINUTE, whenFull: 20 * MINUTE }, 0],
  ] as const) {
    const { w, ended } = await full(retention)
    const before = await ended()
    w.channel.post({ type: 'storage', event: 'quota', message: 'full' })
    await w.clock.advance(2_000)
    const label = JSON.stringify(retention)
    // The last block stays: it tells where the lane ends.
    if (left === 0) expect(await ended(), label).toBeLessThanOrEqual(600 - 512)
    else expect([before, await ended()], label).toEqual([600, 600])
    await w.end()
  }
})

describe('a drain where nothing can be stored', () => {
  test('ends, claims nothing and says that there is more; another one does it', async () => {
    const storage = new SmallStorage()
    const w = new World({ storage })
    onTestFinished(() => w.end())
    const ids = await w.add(Array.from({ length: 5 }, () => ({ do: 'ok' as const })))
    const { worker, executor, errors } = w.tab()
    storage.room = 0
    const drained = worker.drain()
    await w.clock.advance(1_000)
    expect(await drained).toEqual({ ran: 0, completed: 0, failed: 0, more: true })
    expect(errors).toMatchObject([{ code: 'quota' }])
    expect(executor.began).toEqual([])
    expect(await w.states(ids)).toEqual(Array(5).fill('available'))
    storage.room = Number.POSITIVE_INFINITY
    expect(await worker.drain()).toMatchObject({ ran: 5, completed: 5, more: false })
  })

  test('ends too where there is something to take back or to let go on first', async () => {
    const storage = new SmallStorage()
    const w = new World({ storage })
    onTestFinished(() => w.end())
    await w.add([{ do: 'ok' }, { name: 'later' }])
    // Its host parks one, holds the other and is gone.
    const now = w.clock.now()
    const claim = { limit: 2, names: ['work'] }
    await w.backend.exchange({ host: 'dead', seq: 1, now, until: now + 30_000, settle: [], claim })
    const { worker, errors } = w.tab({ table: { work: {}, later: {} } })
    storage.room = 0
    const drained = worker.drain()
    await w.clock.advance(1_000)
    expect(await drained).toMatchObject({ ran: 0, more: true })
    expect(errors.length).toBeGreaterThanOrEqual(3)
    storage.room = Number.POSITIVE_INFINITY
    // One that is host meanwhile does it as soon as there is room.
    storage.room = 0
    await worker.start()
    expect(worker.role).toBe('host')
    await w.clock.advance(MINUTE)
    storage.room = Number.POSITIVE_INFINITY
    await w.clock.advance(31_000)
    expect(await w.backend.counts()).toMatchObject({ completed: 2, blocked: 0, running: 0 })
  })

  test('waits until what has ended is recorded, but not beyond its deadline', async () => {
    for (const [deadline, state] of [
      [undefined, 'completed'],
      [MINUTE, 'running'],
    ] as const) {
      const storage = new SmallStorage()
      const w = new World({ storage })
      const [id = ''] = await w.add([{ do: 'ok', ms: 100 }])
      const { worker, clock, executor } = w.tab()
      let ended = false
      const drained = worker.drain(deadline ? { deadline: new Date(clock.now() + deadline) } : {})
      const noted = drained.then(() => {
        ended = true
      })
      await clock.advance(50)
      storage.room = 0
      await clock.advance(MINUTE - 100)
      expect(ended).toBe(false)
      // Leaving has 5 s.
      await clock.advance(6_000)
      expect(ended).toBe(deadline !== undefined)
      expect(await w.states([id])).toEqual(['running'])
      storage.room = Number.POSITIVE_INFINITY
      await clock.advance(11_000)
      await noted
      expect(await w.states([id])).toEqual([state])
      expect(executor.began).toHaveLength(1)
      await w.end()
    }
  })
})

test('an exchange that may be stored is asked for again until it is answered, though there is no room by then', async () => {
  const w = new World()
  onTestFinished(() => w.end())
  const { worker, backend, clock, executor, errors } = w.tab({ slots: 4 })
  await worker.start()
  const [long = ''] = await w.add([{ do: 'ok', ms: 5_000 }])
  await clock.advance(1_000)
  // It claims, records nothing, and is stored. Then the database can't be opened again: the disk is full.
  backend.faults.exchange = [
    { error: new StorageError('lost', 'stored or not'), committed: true },
    { error: new StorageError('quota', 'full') },
  ]
  const others = await w.add([{ do: 'ok' }, { do: 'ok' }])
  await clock.until(() => errors.length === 2)
  await clock.advance(MINUTE)
  // Were its number given to the next one, what that says would be taken for said already.
  expect(await w.states([long, ...others])).toEqual(Array(3).fill('completed'))
  expect(executor.began).toHaveLength(3)
})
