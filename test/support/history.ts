import fc from 'fast-check'
import { expect } from 'vitest'
import type { Claimed, NewTask, Settlement } from '../../src/backend.js'
import { localChannel } from '../../src/channel.js'
import { LocalBackend } from '../../src/local.js'
import { MemoryStorage } from '../../src/memory/storage.js'
import type { Storage } from '../../src/storage.js'

/** Random histories over the plans. */

const NOW = 1_000_000
export const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      count: fc.integer({ min: 1, max: 300 }),
      priority: fc.integer({ min: -1, max: 1 }),
      delay: fc.constantFrom(0, 0, 0, 50, 100),
      batch: fc.constantFrom(undefined, undefined, 'a', 'b'),
      queue: fc.constantFrom('default', 'other'),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('exchange' as const),
      host: fc.nat(1),
      limit: fc.integer({ min: 0, max: 400 }),
      settle: fc.array(fc.constantFrom('ok', 'fail', 'retry', 'back', 'crash', 'keep', 'follow'), {
        minLength: 1,
        maxLength: 6,
      }),
      names: fc.constantFrom(undefined, ['a'], ['a', 'b', 'c']),
      leave: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('cancel' as const),
      picks: fc.array(fc.nat(2000), { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('retry' as const),
      picks: fc.array(fc.nat(2000), { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel-batch' as const), batch: fc.constantFrom('a', 'b') }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('clear' as const), queue: fc.constantFrom(undefined, 'default') }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('recover' as const), host: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('gate' as const), name: fc.constantFrom('a', 'b', 'c') }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('prune' as const), count: fc.constantFrom(100_000, 100_000, 0, 300) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(10, 60, 100_000, 10 ** 9) }),
  },
)

export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

export class History {
  readonly storage: Storage
  now = NOW
  readonly clock = { now: () => this.now, monotonic: () => this.now, timer: () => () => {} }
  readonly channel = localChannel()
  backend: LocalBackend
  readonly ids: string[] = []
  lives = 0
  readonly hosts = [this.host(0), this.host(1)]

  constructor(storage: Storage = new MemoryStorage()) {
    this.storage = storage
    this.backend = this.open()
  }

  /** Another page's view of the same database. */
  open(): LocalBackend {
    const { storage, channel, clock } = this
    return new LocalBackend({ storage, channel, clock })
  }

  host(n: number) {
    return { id: `host${n}.${this.lives++}`, seq: 0, held: [] as Claimed[] }
  }

  async run(s: Step): Promise<void> {
    const { now } = this
    const pick = (picks: number[]) => picks.map((n) => this.ids[n % Math.max(1, this.ids.length)] ?? '')
    if (s.do === 'add') {
      const tasks = Array.from({ length: s.count }, (_, i): NewTask => {
        const name = ['a', 'a', 'a', 'b', 'c'][(i >> 4) % 5] ?? 'a'
        return {
          queue: s.queue,
          name,
          input: { n: i },
          priority: s.priority,
          ...(s.delay ? { runAt: now + s.delay } : {}),
        }
      })
      const offset = s.batch ? ((await this.backend.batch(s.batch))?.total ?? 0) : 0
      const open = s.count % 2 === 0
      const ids = await this.backend.add(tasks, {
        now,
        ...(s.batch ? { batch: { id: s.batch, queue: s.queue, offset, open } } : {}),
      })
      this.ids.push(...ids.flatMap((id) => id ?? []))
    } else if (s.do === 'exchange') await this.exchange(s)
    else if (s.do === 'cancel') await this.backend.change({ type: 'cancel', ids: pick(s.picks), now, reason: 'test' })
    else if (s.do === 'retry') await this.backend.change({ type: 'retry', ids: pick(s.picks), now })
    else if (s.do === 'cancel-batch') await this.backend.change({ type: 'cancel-batch', batch: s.batch, now })
    else if (s.do === 'clear') await this.backend.change({ type: 'clear', now, ...(s.queue ? { queue: s.queue } : {}) })
    else if (s.do === 'gate') await this.backend.change({ type: 'open-gate', gate: `handler:${s.name}`, now })
    else if (s.do === 'prune') await this.backend.prune({ now, age: 1000, count: s.count })
    else if (s.do === 'time') this.now += s.ms
    else {
      const me = this.hosts[s.host]?.id ?? ''
      await this.backend.recover({ me, dead: 'others', left: [], now, maxCrashes: 3 })
    }
  }

  async exchange(s: Extract<Step, { do: 'exchange' }>): Promise<void> {
    const host = this.hosts[s.host]
    if (!host) return
    const { now } = this
    const kept: Claimed[] = []
    const settle = host.held.flatMap((task, i): Settlement[] => {
      const { lane, position, seq, attempt, crashes } = task
      const at = { lane, position, seq }
      const kind = s.settle[i % s.settle.length]
      const times = { startedAt: now - 5, finishedAt: now, attempt }
      if (kind === 'ok') return [{ ...at, to: 'completed', value: { ok: task.input }, ...times }]
      if (kind === 'fail') return [{ ...at, to: 'failed', error: { name: 'E', message: 'x' }, ...times }]
      if (kind === 'retry') return [{ ...at, to: 'aside', order: now + 40, attempt: attempt + 1, crashes }]
      if (kind === 'back') return [{ ...at, to: 'aside', order: 0, attempt, crashes }]
      if (kind === 'crash') return [{ ...at, to: 'aside', order: 0, attempt, crashes: crashes + 1 }]
      if (kind === 'follow') {
        const followUp = { queue: 'other', name: 'a', input: 'f', priority: 1, ...(i % 2 ? { batch: 'a' } : {}) }
        return [{ ...at, to: 'completed', value: 1, ...times, followUps: [followUp] }]
      }
      kept.push(task)
      return []
    })
    host.seq++
    const x = {
      host: host.id,
      seq: host.seq,
      now,
      until: now + 30_000,
      settle,
      claim: { limit: s.limit, ...(s.names ? { names: s.names } : {}) },
      ...(s.leave ? { leave: true } : {}),
    }
    const reply = await this.backend.exchange(x)
    if (reply.fenced || s.leave) {
      this.hosts[s.host] = this.host(s.host)
      return
    }
    expect(reply.claimed.length).toBeLessThanOrEqual(s.limit)
    if (s.limit % 3 === 0) {
      const again = await this.backend.exchange(x)
      expect(again.claimed.map((c) => c.id).sort()).toEqual(reply.claimed.map((c) => c.id).sort())
    }
    const dropped = new Set(reply.dropped.map(({ lane, position }) => `${lane}:${position}`))
    const lost = (c: Claimed) => dropped.has(`${c.lane}:${c.position}`)
    host.held = [...kept.filter((c) => !lost(c)), ...reply.claimed]
  }

  /** Runs everything that is left, by a fresh host. */
  async finish(): Promise<void> {
    const host = this.host(9)
    await this.backend.recover({ me: host.id, dead: 'others', left: [], now: this.now, maxCrashes: 3 })
    for (const name of ['a', 'b', 'c'])
      await this.backend.change({ type: 'open-gate', gate: `handler:${name}`, now: this.now })
    let settle: Settlement[] = []
    for (let i = 0; i < 5000; i++) {
      this.now += 200
      const x = {
        host: host.id,
        seq: ++host.seq,
        now: this.now,
        until: this.now + 30_000,
        settle,
        claim: { limit: 100 },
      }
      const { claimed } = await this.backend.exchange(x)
      settle = claimed.map(({ lane, position, seq, attempt }) => {
        return { lane, position, seq, to: 'completed', value: 1, startedAt: this.now, finishedAt: this.now, attempt }
      })
      if (claimed.length === 0) return
    }
    throw new Error('never came to an end')
  }
}
