import { describe, expect, it } from 'vitest'
import type { Settlement } from '../src/backend.js'
import { localChannel } from '../src/channel.js'
import { LocalBackend } from '../src/local.js'
import { MemoryStorage } from '../src/memory/storage.js'
import { BlockCache } from '../src/plan/cache.js'
import type { Plan, Read, RunOptions, Storage } from '../src/storage.js'
import { audit } from './support/audit.js'
import type { Block } from './support/records.js'

const MB = 1_000_000
const LANE = 3

const block = (from: number, inputs: unknown[]): Block => ({
  lane: LANE,
  from,
  to: from + inputs.length,
  at: 0,
  nonce: 'n',
  name: 'echo',
  inputs,
})
/** So many of one task each. */
const single = (count: number, input: unknown) => Array.from({ length: count }, (_, i) => block(i, [input]))
const keptOf = (cache: BlockCache, blocks: readonly Block[]) =>
  blocks.filter(({ from }) => cache.find(LANE, from)).map(({ from }) => from)

describe('blocks are kept', () => {
  it('until they take 8 MB, the latest', () => {
    const cache = new BlockCache()
    const blocks = single(40, 'x'.repeat(MB))
    for (const each of blocks) cache.keep([each])
    expect(keptOf(cache, blocks)).toEqual([32, 33, 34, 35, 36, 37, 38, 39])
  })

  it('by the thousand where they are small', () => {
    const cache = new BlockCache()
    const blocks = single(5_000, { user: 1 })
    cache.keep(blocks)
    expect(keptOf(cache, blocks)).toHaveLength(5_000)
  })

  it('not if one alone is larger than all may be; what is there goes, and comes again', () => {
    const cache = new BlockCache()
    const small = block(0, ['small'])
    cache.keep([small])
    const large = block(1, [new Uint8Array(20 * MB)])
    cache.keep([large])
    expect(keptOf(cache, [small, large])).toEqual([])
    cache.keep([small])
    expect(cache.find(LANE, 0)).toBe(small)
  })

  it('as if they took what a full one takes at most, whatever the inputs that were looked at', () => {
    const cache = new BlockCache()
    const blocks = Array.from({ length: 60 }, (_, i) =>
      block(i * 256, ['x'.repeat(60_000), ...Array<string>(255).fill('')]),
    )
    cache.keep(blocks)
    expect(keptOf(cache, blocks)).toHaveLength(60)
  })
})

describe('blocks are read', () => {
  it('some 8 MB at a time', () => {
    const cache = new BlockCache()
    const blocks = single(2, 'x'.repeat(MB))
    cache.keep(blocks)
    cache.measure(LANE, blocks)
    expect(cache.estimate(LANE, 500)).toBe(8)
    expect(cache.estimate(LANE, 3)).toBe(3)
    cache.keep(single(2, 'x'.repeat(40 * MB)))
    expect(cache.estimate(LANE, 500)).toBe(1)
    const small = single(500, 'x')
    cache.keep(small)
    cache.measure(LANE, small)
    expect(cache.estimate(LANE, 500)).toBe(500)
  })

  it('as often as a claim needs, and again when it is settled', async () => {
    const storage = new CountingStorage()
    const backend = new LocalBackend({ storage, channel: localChannel() })
    const tasks = 40
    const like = { queue: 'default', name: 'echo', priority: 0 }
    for (let i = 0; i < tasks; i++) {
      await backend.add([{ ...like, input: { i, text: 'x'.repeat(MB) } }], { now: 0 })
    }
    const host = { host: 'host', now: 1, until: 60_000 }
    let settle: Settlement[] = []
    let next = 0
    for (let seq = 1; next < tasks || settle.length > 0; seq++) {
      const { claimed, dropped } = await backend.exchange({ ...host, seq, settle, claim: { limit: 16 } })
      expect(dropped).toEqual([])
      for (const { input } of claimed) expect(input).toMatchObject({ i: next++ })
      settle = claimed.map(({ lane, position, attempt }) => {
        return { lane, position, seq, to: 'completed', value: position, startedAt: 1, finishedAt: 1, attempt }
      })
    }
    expect(await backend.counts()).toMatchObject({ completed: tasks })
    expect(storage.most).toBeLessThanOrEqual(9)
    await audit(storage)
  })
})

/** How many blocks one read gave, at most. */
class CountingStorage extends MemoryStorage implements Storage {
  most = 0

  override run<T>(plan: () => Plan<T>, options: RunOptions): Promise<T> {
    return super.run(() => this.#counted(plan()), options)
  }

  *#counted<T>(plan: Plan<T>): Plan<T> {
    let step = plan.next()
    while (!step.done) {
      const reads: readonly Read[] = step.value
      yield reads
      for (const { table, found } of reads) if (table === 'block') this.most = Math.max(this.most, found.length)
      step = plan.next()
    }
    return step.value
  }
}
