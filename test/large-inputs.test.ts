import { describe, expect, it } from 'vitest'
import { localChannel } from '../src/channel.js'
import { claimLimit, freshPace, observe, weigh } from '../src/host/pacing.js'
import { LocalBackend } from '../src/local.js'
import { MemoryStorage } from '../src/memory/storage.js'
import type { RunOptions, Storage } from '../src/storage.js'
import { type Kit, NOW, start } from './backend/bench.js'

/** What is read in one transaction is in memory at once, and so is what a host has in hand: bounded, however large inputs are. */

const MB = 1024 * 1024
const large = (count: number) => Array.from({ length: count }, () => ({ input: new ArrayBuffer(2 * MB) }))

/** Counts the largest sum of inputs that one transaction read. */
function counting(): Kit & { most: number } {
  const kit = {
    most: 0,
    async make() {
      const memory = new MemoryStorage()
      const storage: Storage = {
        open: () => memory.open(),
        close: () => memory.close(),
        get generation() {
          return memory.generation
        },
        run: (plan, options: RunOptions) =>
          memory.run(function* () {
            const [running, seen] = [plan(), new Set<unknown>()]
            let next = running.next()
            for (; !next.done; next = running.next()) {
              yield next.value
              for (const { found } of next.value)
                for (const record of found) for (const one of buffersOf(record)) seen.add(one)
              kit.most = Math.max(kit.most, seen.size * 2)
            }
            return next.value
          }, options),
      }
      const backend = new LocalBackend({ storage, channel: localChannel() })
      return { backend, storage: memory, repeats: false, close: () => backend.close() }
    },
  }
  return kit
}

const buffersOf = (record: unknown): unknown[] => {
  const inputs = typeof record === 'object' && record !== null && 'inputs' in record ? record.inputs : []
  return Array.isArray(inputs) ? inputs.filter((input) => input instanceof ArrayBuffer) : []
}

describe('60 tasks of 2 MB', () => {
  it('in line: an exchange claims 16 MB of them and says that there is more; all of them are claimed once', async () => {
    const kit = counting()
    const b = await start(kit)
    await b.add(large(60))
    const host = b.host()
    const counts: number[] = []
    for (let more = true; more; ) {
      const answer = await host.exchange({ claim: { limit: 1_000 } })
      counts.push(answer.claimed.length)
      more = answer.more
    }
    expect(counts).toEqual([8, 8, 8, 8, 8, 8, 8, 4])
    expect(kit.most).toBeLessThanOrEqual(32)
    expect(await b.counts()).toEqual({ running: 60 })
  })

  it.each([
    ['one mark for all of them', (): object => ({ runAt: NOW + 1_000 })],
    ['a mark each', (i: number): object => ({ runAt: NOW + 1_000 + i })],
  ])('that were delayed, %s: the same', async (_, more) => {
    const kit = counting()
    const b = await start(kit)
    await b.add(large(60).map((task, i) => ({ ...task, ...more(i) })))
    b.now += 60_000
    const host = b.host()
    let claimed = 0
    for (let rounds = 0; rounds < 20 && claimed < 60; rounds++) {
      const answer = await host.exchange({ claim: { limit: 1_000 } })
      expect(answer.claimed.length).toBeLessThanOrEqual(8)
      expect(answer.more).toBe(claimed + answer.claimed.length < 60)
      claimed += answer.claimed.length
    }
    expect(claimed).toBe(60)
    expect(await b.counts()).toEqual({ running: 60 })
    expect(kit.most).toBeLessThanOrEqual(48)
  })
})

it('are read by the portion, also where what was delayed before them was small', async () => {
  const kit = counting()
  const b = await start(kit)
  await b.add(Array.from({ length: 256 }, (_, input) => ({ input, runAt: NOW + 1 })))
  await b.add(large(60).map((task, i) => ({ ...task, runAt: NOW + 1_000 + i })))
  b.now += 10
  const host = b.host()
  expect(await host.claim(1_000)).toHaveLength(256)
  b.now += 60_000
  await host.claim(1) // what is there now is known
  kit.most = 0
  await host.claim(1_000)
  expect(kit.most).toBeLessThanOrEqual(48)
})

it('of what was delayed, so many blocks are read as tasks are asked for, however many marks are due', async () => {
  const kit = counting()
  const b = await start(kit)
  for (let i = 0; i < 20; i++) {
    const runAt = NOW + 1_000 + i
    await b.add(Array.from({ length: 256 }, () => ({ input: new ArrayBuffer(8), runAt })))
  }
  b.now += 60_000
  const host = b.host()
  await host.claim(1) // what is there now is known
  kit.most = 0
  expect(await host.claim(300)).toHaveLength(300)
  expect(kit.most / 2).toBeLessThanOrEqual(3 * 256)
})

it.each([
  ['not served here', 10, { names: ['work'] }],
  ['crashed', 30, {}],
])('are read as far as they are asked for, also behind small ones that are %s', async (what, small, served) => {
  const kit = counting()
  const b = await start(kit)
  const name = what === 'crashed' ? 'work' : 'other'
  await b.add(Array.from({ length: small }, () => ({ name, runAt: NOW + 1 })))
  await b.add(large(60).map((task) => ({ ...task, runAt: NOW + 20 })))
  b.now += 10
  const host = b.host()
  const tasks = await host.claim(small)
  const crashes = what === 'crashed' ? 1 : 0
  // What is there now is known: small.
  await host.exchange({ settle: tasks.map((task) => host.aside(task, { order: NOW + 11, crashes })) })
  b.now += 60_000
  kit.most = 0
  expect(await host.claim(small, served)).not.toEqual([])
  expect(kit.most).toBeLessThanOrEqual(48)
})

it('are parked by the portion too', async () => {
  const kit = counting()
  const b = await start(kit)
  await b.add(large(60))
  await b.add(1)
  const host = b.host()
  const names = ['other']
  for (let more = true; more; ) ({ more } = await host.exchange({ claim: { limit: 10, names } }))
  expect(await b.counts()).toEqual({ blocked: 61 })
  expect(kit.most).toBeLessThanOrEqual(48)
})

it('a host has no more waiting in hand than 16 MB, and one task for each slot', () => {
  const pool = { slots: 4, workers: 4 }
  let pace = freshPace
  for (let i = 0; i < 100; i++) pace = observe(pace, { count: 50, ms: 5 }, pool)
  expect(claimLimit(pace, 4, 0, 0)).toBeGreaterThan(1_000)
  expect(claimLimit(weigh(pace, [new ArrayBuffer(MB), new ArrayBuffer(3 * MB - 100)]), 4, 0, 0)).toBe(4 + 8)
  expect(claimLimit(weigh(pace, [new ArrayBuffer(50 * MB)]), 4, 0, 0)).toBe(4)
  const named = (data: unknown) => ({ id: 1, name: 'a', kind: 'b', size: 2, data })
  const many = Array.from({ length: 100 }, () => named(new Uint8Array(MB)))
  expect(claimLimit(weigh(pace, many), 4, 0, 0)).toBeLessThan(4 + 17)
})
