import { describe, expect, it, onTestFinished } from 'vitest'
import type { AlikeTasks } from '../src/backend.js'
import { localChannel } from '../src/channel.js'
import { StorageError } from '../src/errors.js'
import { IndexedDBStorage } from '../src/indexeddb/storage.js'
import { LocalBackend } from '../src/local.js'
import { MemoryStorage } from '../src/memory/storage.js'
import type { Plan, RunOptions } from '../src/storage.js'
import { TaskWorker } from '../src/worker.js'
import { allFaults, FaultyStorage } from './model/faults.js'
import { audit } from './support/audit.js'
import { ManualClock } from './support/clock.js'
import { ScriptedExecutor } from './support/executor.js'

/** Tabs on one database, which must balance afterwards. */
function setup(count = 1) {
  const name = crypto.randomUUID()
  const tabs = Array.from({ length: count }, () => {
    const storage = new IndexedDBStorage({ name })
    return { storage, backend: new LocalBackend({ storage, channel: localChannel() }) }
  })
  onTestFinished(async () => {
    for (const { storage } of tabs) await audit(storage)
    for (const { backend } of tabs) await backend.close()
  })
  return tabs.map(({ backend }) => backend)
}

const SIZE = 300
const like = { queue: 'q', name: 'a', priority: 0 }

function chunk(
  n: number,
  input: (i: number) => unknown = (i) => i,
): [AlikeTasks, Parameters<LocalBackend['addAlike']>[1]] {
  const inputs = Array.from({ length: SIZE }, (_, i) => input(n * SIZE + i))
  const batch = { id: 'b', queue: 'q', offset: n * SIZE, open: true }
  return [
    { ...like, inputs, sizes: inputs.map(() => 8) },
    { now: Date.now(), batch },
  ]
}

async function claimed(backend: LocalBackend, host = 'h') {
  const lease = { host, seq: 1, now: Date.now(), until: Date.now() + 60_000, settle: [] }
  return (await backend.exchange({ ...lease, claim: { limit: 10_000 } })).claimed.map(({ input }) => input)
}
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('an exchange that goes with an append', () => {
  const options = () => ({ now: Date.now() })
  const task = (input: unknown) => [{ ...like, input }]

  it('finds what is stored where another tab has stored more meanwhile', async () => {
    const [a, b] = setup(2)
    if (!a || !b) return
    await a.add(task('first'), options())
    await b.add(task('from elsewhere'), options())
    let asked: Promise<unknown[]> | undefined
    a.appends.listen({
      offered: () => {
        asked ??= claimed(a)
      },
      begun: () => {},
    })
    await a.add(task('last'), options())
    const found = (await asked) ?? []
    expect(found.slice(0, 2)).toEqual(['first', 'from elsewhere'])
    expect([...found, ...(await claimed(b, 'other'))]).toEqual(['first', 'from elsewhere', 'last'])
  })

  it.each(allFaults.filter((fault) => !fault.startsWith('dies')))(
    'happens once, and so does the append, when %s',
    async (fault) => {
      const inner = new MemoryStorage()
      const storage = new FaultyStorage(inner)
      const backend = new LocalBackend({ storage, channel: localChannel() })
      await backend.add(task('first'), options())
      const asked: Promise<unknown[]>[] = []
      backend.appends.listen({ offered: () => void asked.push(claimed(backend)), begun: () => {} })
      storage.arm({ nth: 0, fault })
      const [added] = await Promise.allSettled([backend.add(task('last'), options())])
      const [answer] = await Promise.allSettled(asked)
      expect(asked).toHaveLength(1)
      expect(storage.struck).toBe(fault)
      storage.disarm()
      // What was refused is not there; what nobody knows of is there or not; what was claimed and not heard is claimed.
      const { running, available } = await backend.counts()
      const known = added?.status === 'fulfilled' ? [2] : added?.reason.code === 'lost' ? [1, 2] : [1]
      expect(known).toContain(running + available)
      if (answer?.status === 'fulfilled') expect(answer.value.length).toBe(running)
      const rest = await claimed(backend, 'other')
      expect(rest).toHaveLength(available)
      await audit(inner)
    },
  )
})

/** Notes how durable outcomes are to be. */
class NotingStorage extends MemoryStorage {
  /** Refuses the next outcomes. */
  refuses = false
  readonly outcomes: RunOptions['durability'][] = []

  override run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    return super.run(() => this.#noting(plan(), options), options)
  }

  *#noting<T>(plan: Plan<T>, { durability }: RunOptions): Plan<T> {
    const end = yield* plan
    if (!end.writes.some(({ store }) => store === 'outcomes')) return end
    if (this.refuses) throw new StorageError('unavailable', 'refused')
    this.outcomes.push(durability)
    return end
  }
}

describe('hosts of the page that stores tasks', () => {
  const task = { queue: 'q', name: 'work', input: { do: 'ok', ms: 100 }, priority: 0 }

  function workers(count: number, storage = new MemoryStorage()) {
    const clock = new ManualClock()
    // A page that is hidden: it looks again when timers fire, which they do late.
    const late = { ms: 0 }
    const timer = (ms: number, fire: () => void) => clock.timer(Math.max(ms, late.ms), fire)
    const time = { now: () => clock.now(), monotonic: () => clock.monotonic(), timer }
    const backend = new LocalBackend({ storage, channel: localChannel(), clock })
    const all = Array.from({ length: count }, () => {
      const executor = new ScriptedExecutor({ clock })
      const worker = new TaskWorker({ backend, clock: time }, { executor, random: () => 0.5, onError: () => {} })
      return { executor, worker }
    })
    onTestFinished(async () => {
      const stopped = Promise.all(all.map(({ worker }) => worker.stop({ grace: 0 })))
      await clock.advance(20_000)
      await stopped
    })
    const start = () => Promise.all(all.map(({ worker }) => worker.start()))
    const add = (tasks: number, options = {}) => backend.add(Array(tasks).fill(task), { now: clock.now(), ...options })
    return { clock, late, start, add, began: () => all.map(({ executor }) => executor.began.length) }
  }

  it('share them, where there are no locks: one claims with the append, the others after it', async () => {
    const { clock, start, add, began } = workers(2)
    await start()
    await add(2)
    await clock.advance(1_000)
    expect(began()).toEqual([1, 1])
    await add(20)
    await clock.advance(1_200)
    expect(began()).toEqual([11, 11])
  })

  it('record outcomes as durably as ever, also those that were refused before', async () => {
    const storage = new NotingStorage()
    const { clock, late, start, add } = workers(1, storage)
    await start()
    await add(1)
    await clock.advance(1_000)
    storage.refuses = true
    late.ms = 5_000
    await add(1)
    await clock.advance(1_000)
    storage.refuses = false
    await add(1, { durability: 'relaxed' })
    await clock.advance(10_000)
    expect(storage.outcomes).toEqual([undefined, undefined, undefined])
  })
})

describe('chunks of a batch that follow each other', () => {
  it('are stored in order, each after the other, without waiting for each other', async () => {
    const [backend] = setup()
    const added = upTo(8).map((n) => backend?.addAlike(...chunk(n)))
    expect(await Promise.all(added)).toEqual(Array(8).fill(0))
    expect(backend && (await claimed(backend))).toEqual(upTo(8 * SIZE))
  })

  it('are refused after one that was, and leave no gap', async () => {
    const [backend] = setup()
    if (!backend) return
    await backend.addAlike(...chunk(0))
    await backend.addAlike(...chunk(1))
    const answers = await Promise.allSettled([
      backend.addAlike(...chunk(2)),
      backend.addAlike(...chunk(3, (i) => (i === 3 * SIZE + 5 ? () => {} : i))),
      backend.addAlike(...chunk(4)),
      backend.add([{ ...like, input: 'single' }], { now: Date.now() }),
    ])
    const codes = answers.map((answer) => (answer.status === 'rejected' ? answer.reason.code : answer.status))
    expect(codes).toEqual(['fulfilled', 'uncloneable', 'lost', 'fulfilled'])
    expect(await Promise.all([backend.addAlike(...chunk(3)), backend.addAlike(...chunk(4))])).toEqual([0, 0])
    const inputs = upTo(5 * SIZE)
    expect(await claimed(backend)).toEqual([...inputs.slice(0, 3 * SIZE), 'single', ...inputs.slice(3 * SIZE)])
  })

  it('come from two tabs at once, with other tasks in between: each input once', async () => {
    const [a, b] = setup(2)
    if (!a || !b) return
    const singles = upTo(20)
    await Promise.all([
      ...upTo(10).flatMap((n) => [a.addAlike(...chunk(n)).catch(() => 0), b.addAlike(...chunk(n)).catch(() => 0)]),
      ...singles.map((i) => (i % 2 ? a : b).add([{ ...like, input: `single ${i}` }], { now: Date.now() })),
    ])
    // One that was ahead of the other's is refused, as by an import that goes on where it must.
    for (const n of upTo(10)) await a.addAlike(...chunk(n))
    const found = await claimed(a)
    expect(found.filter((input) => typeof input === 'number')).toEqual(upTo(10 * SIZE))
    expect(found).toHaveLength(10 * SIZE + singles.length)
  })
})
