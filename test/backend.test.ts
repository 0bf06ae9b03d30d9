import { describe, expect, it, onTestFinished } from 'vitest'
import { localChannel } from '../src/channel.js'
import { IndexedDBBackend } from '../src/indexeddb/index.js'
import { IndexedDBStorage } from '../src/indexeddb/storage.js'
import { LocalBackend } from '../src/local.js'
import { MemoryStorage } from '../src/memory/storage.js'
import { Bench, upTo } from './backend/bench.js'
import { backendConformance } from './backend.conformance.js'
import { audit } from './support/audit.js'
import { repeating } from './support/repeating.js'

const local = (storage: MemoryStorage, driven = storage) => {
  const backend = new LocalBackend({ storage: driven, channel: localChannel() })
  return { backend, storage, repeats: driven !== storage, close: () => backend.close() }
}

backendConformance('memory', async () => local(new MemoryStorage()))

backendConformance('memory that loses its answers', async () => {
  const storage = new MemoryStorage()
  return local(storage, repeating(storage))
})

backendConformance('IndexedDB', async () => {
  const name = crypto.randomUUID()
  const backend = new IndexedDBBackend({ name })
  const storage = new IndexedDBStorage({ name })
  const close = async () => {
    await storage.close()
    await backend.destroy()
  }
  return { backend, storage, repeats: false, close }
})

describe('two backends on one database', () => {
  const two = async () => {
    const name = crypto.randomUUID()
    const backends = [new IndexedDBBackend({ name }), new IndexedDBBackend({ name })] as const
    const storage = new IndexedDBStorage({ name })
    const close = async () => {
      await storage.close()
      await backends[0].close()
      await backends[1].destroy()
    }
    const benches = backends.map((backend) => new Bench({ backend, storage, repeats: false, close }))
    onTestFinished(async () => {
      await audit(storage)
      await close()
    })
    return benches
  }

  it('race blind appends: every task is stored once, under its own id, in the order of each', async () => {
    const [a, b] = await two()
    if (!a || !b) throw new Error('two were made')
    await a.add([{ input: 'a' }])
    await b.add([{ input: 'b' }])
    const added = await Promise.all(
      upTo(40).map(async (n) => {
        const [bench, who] = n % 2 ? [a, 'a'] : [b, 'b']
        const count = (n % 5) + 1
        const ids = await bench.add(upTo(count).map((i) => ({ input: `${who}${n}.${i}`, priority: n % 3 })))
        return ids.map((id, i) => ({ id, input: `${who}${n}.${i}` }))
      }),
    )
    const all = added.flat()
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
    const views = await b.backend.get(all.map(({ id }) => id))
    expect(views.map((view) => view?.input)).toEqual(all.map(({ input }) => input))
    expect(await a.counts()).toEqual({ available: all.length + 2 })
    const ran = await a.runAll(7)
    expect([...ran].sort()).toEqual(['a', 'b', ...all.map(({ input }) => input)].sort())
    for (const who of ['a', 'b'])
      for (const priority of upTo(3)) {
        const mine = (list: unknown[]) => list.filter((input) => String(input).startsWith(who) && list.length > 0)
        const of = all.filter(({ input }) => Number(/\d+/.exec(input)?.[0]) % 3 === priority)
        const inputsOf = of.map(({ input }) => input)
        expect(mine(ran.filter((input) => inputsOf.includes(String(input))))).toEqual(mine(inputsOf))
      }
  })

  it('race claims, settlements, appends and cancellations: every task ends once', async () => {
    const [a, b] = await two()
    if (!a || !b) throw new Error('two were made')
    const ids = await a.add(
      upTo(300).map(() => ({ input: 0 })),
      { id: 'b', open: true },
    )
    const runs: string[] = []
    const work = async (bench: Bench) => {
      const host = bench.host(crypto.randomUUID())
      for (let claimed = await host.claim(9); claimed.length > 0; claimed = await host.claim(9)) {
        const { dropped } = await host.complete(claimed)
        const lost = new Set(dropped.map(({ position }) => position))
        runs.push(...claimed.flatMap((task) => (lost.has(task.position) ? [] : task.id)))
      }
    }
    const cancel = async () => {
      for (const i of upTo(30)) await b.cancel(ids.slice(i * 10, i * 10 + 2))
    }
    const more = async () => {
      for (const i of upTo(20)) await b.added([{}, {}], { id: 'b', offset: 300 + 2 * i, open: i < 19 })
    }
    await Promise.all([work(a), work(b), cancel(), more()])
    await work(a)
    expect(new Set(runs).size).toBe(runs.length)
    const counts = await b.counts()
    expect(counts).toEqual({ completed: runs.length, cancelled: 340 - runs.length })
    expect(await a.backend.batch('b')).toMatchObject({ total: 340, done: 340, completed: runs.length, open: false })
  })

  it('take over from each other: what one voided the other cannot settle', async () => {
    const [a, b] = await two()
    if (!a || !b) throw new Error('two were made')
    await a.add(4)
    const [one, other] = [a.host('one'), b.host('other')]
    const held = await one.claim(3)
    await b.recover(other)
    const again = await other.claim(2)
    expect((await one.complete(held)).fenced).toBe(true)
    await other.complete(again, () => 'other')
    const results = await a.backend.results(held.map(({ id }) => id))
    expect(results.map((result) => result?.status === 'completed' && result.value)).toEqual(['other', 'other', false])
  })
})
