import { describe, expect, it } from 'vitest'
import { localChannel } from '../../src/channel.js'
import { systemClock } from '../../src/clock.js'
import { Alarm } from '../../src/durable-object/alarm.js'
import type { ObjectStorage } from '../../src/durable-object/platform.js'
import { type QueueObjectSettings, Settings } from '../../src/durable-object/settings.js'
import { ObjectKVStorage } from '../../src/durable-object/storage.js'
import { Turns } from '../../src/durable-object/turns.js'
import { inline } from '../../src/inline.js'
import { LocalBackend } from '../../src/local.js'
import { TaskQueue } from '../../src/queue.js'
import { TaskWorker } from '../../src/worker.js'
import { ManualClock } from '../support/clock.js'

/** What an object keeps while its instances come and go. */
class Platform implements ObjectStorage {
  readonly #records = new Map<string, unknown>()
  alarm: number | null = null
  readonly kv = {
    get: (key: string) => structuredClone(this.#records.get(key)),
    put: (key: string, value: unknown) => void this.#records.set(key, structuredClone(value)),
    delete: (key: string) => this.#records.delete(key),
    list: ({ start, end, reverse = false, limit }: Parameters<NonNullable<ObjectStorage['kv']>['list']>[0]) => {
      const keys = [...this.#records.keys()].filter((key) => key >= start && key < end).sort()
      const found = (reverse ? keys.reverse() : keys).slice(0, limit)
      return found.map((key): [string, unknown] => [key, structuredClone(this.#records.get(key))])
    },
  }
  transactionSync<T>(work: () => T): T {
    return work()
  }
  async sync() {}
  async getAlarm() {
    return this.alarm
  }
  async setAlarm(at: number) {
    this.alarm = at
  }
  async deleteAlarm() {
    this.alarm = null
  }
}

/** An object's parts, as QueueObject puts them together. */
async function instance(platform: Platform, given: QueueObjectSettings) {
  const settings = new Settings(() => ({
    onError: (error) => {
      throw error
    },
    ...given,
  }))
  const alarm = new Alarm(platform, settings)
  const storage = new ObjectKVStorage(platform, { written: (writes, look) => alarm.written(writes, look) })
  const { clock } = settings
  const backend = new LocalBackend({ storage, channel: localChannel(), clock })
  const queue = new TaskQueue({ backend, clock })
  const turns = new Turns({ queue, backend, storage, alarm, settings })
  await alarm.load()
  await turns.look()
  return { queue, turns }
}

const DAY = 86_400_000

/** An object that lives as long as it has an alarm; each turn is a new instance's, as days lie between them. */
async function life(given: QueueObjectSettings) {
  const platform = new Platform()
  let ahead = 0
  const clock = { ...systemClock, now: () => Date.now() + ahead }
  const settings = { clock, ...given }
  let { queue, turns } = await instance(platform, settings)
  /** ms from now, by the object's clock; undefined: none. The platform's own clock stands where it stood. */
  const alarm = () => (platform.alarm === null ? undefined : platform.alarm - Date.now())
  return {
    /** Of the instance that lives now. */
    get queue() {
      return queue
    },
    alarm,
    jump: (ms: number) => {
      ahead += ms
      if (platform.alarm !== null) platform.alarm -= ms
    },
    /** Lets what is due now happen. */
    async rest() {
      for (let count = 0; (alarm() ?? 1) <= 0; count++) {
        if (count > 50) throw new Error('It never comes to rest.')
        ;({ queue, turns } = await instance(platform, settings))
        platform.alarm = null
        await turns.run()
      }
    },
    /** Goes from alarm to alarm. Resolves with how many there were. */
    async liveOn() {
      for (let alarms = 0; alarms < 10; alarms++) {
        const next = alarm()
        if (next === undefined) return alarms
        this.jump(Math.max(0, next))
        await this.rest()
      }
      throw new Error('It never ends.')
    },
  }
}

const handlers = { echo: (input: unknown) => input }
const like = { queue: 'default', name: 'echo', priority: 0 }

describe('an object sleeps', () => {
  it('no longer than what it was given allows, whenever in a turn that was', async () => {
    for (let steps = 0; steps < 400; steps++) {
      const platform = new Platform()
      const { queue, turns } = await instance(platform, { handlers })
      await queue.backend.open()
      const turn = turns.run()
      for (let i = 0; i < steps; i++) await undefined
      await queue.backend.add([{ ...like, input: 1 }], { now: Date.now() })
      await turn
      if ((await queue.counts()).available > 0)
        expect(platform.alarm ?? Number.POSITIVE_INFINITY, `after ${steps}`).toBeLessThanOrEqual(Date.now())
    }
  })

  it('not at all on tasks that the one before it had no handlers for', async () => {
    const platform = new Platform()
    const before = await instance(platform, {})
    await before.queue.backend.add([{ ...like, input: 1 }], { now: Date.now() })
    expect(platform.alarm).toBe(null)
    await instance(platform, { handlers })
    expect(platform.alarm ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(Date.now())
  })
})

describe('an object with nothing to do sets no alarm', () => {
  it('once something has ended that is never pruned: the last block tells where its lane ends', async () => {
    const object = await life({ handlers })
    await object.queue.enqueue('echo', 1)
    await object.rest()
    expect(await object.queue.counts()).toMatchObject({ completed: 1, available: 0 })
    expect(object.alarm()).toBe(undefined)
  })

  it('once all has gone that may go, when it may', async () => {
    const object = await life({ handlers })
    for (const n of [1, 2, 3]) {
      await object.queue.enqueue('echo', n)
      await object.rest()
      object.jump(DAY)
    }
    // The first one's time, then the second one's.
    expect(object.alarm()).toBeGreaterThan(3.9 * DAY)
    expect(await object.liveOn()).toBe(2)
    expect(await object.queue.counts()).toMatchObject({ completed: 1 })
  })

  it('once a batch has gone, whose tasks lie in the last block', async () => {
    const object = await life({ handlers })
    const batch = await object.queue.enqueueMany('echo', [1, 2, 3])
    await object.rest()
    expect(object.alarm()).toBeGreaterThan(6.9 * DAY)
    expect(await object.liveOn()).toBe(1)
    expect(await object.queue.batch(batch.id)).toBe(undefined)
  })

  it('once a batch has gone that had no tasks', async () => {
    const object = await life({ handlers })
    const batch = await object.queue.enqueueMany('echo', [])
    await object.rest()
    expect(object.alarm()).toBeGreaterThan(6.9 * DAY)
    expect(await object.liveOn()).toBe(1)
    expect(await object.queue.batch(batch.id)).toBe(undefined)
  })

  it('for a batch whose input never ends, with old tasks of others behind it', async () => {
    const object = await life({ handlers })
    const batch = { id: 'abandoned', queue: 'default', open: true }
    const inputs = Array.from({ length: 600 }, (_, input) => ({ ...like, input }))
    const now = Date.now()
    await object.queue.backend.add(inputs, { now, batch: { ...batch, offset: 0 } })
    await object.queue.enqueue('echo', 1)
    await object.queue.enqueue('echo', 2)
    await object.rest()
    expect(await object.queue.counts()).toMatchObject({ completed: 602 })
    expect(object.alarm()).toBeGreaterThan(6.9 * DAY)
    expect(await object.liveOn()).toBe(1)
    expect(await object.queue.counts()).toMatchObject({ completed: 601 })
    // What comes later is pruned in its time all the same, and so is the batch once it has ended.
    await object.queue.enqueue('echo', 3)
    await object.rest()
    await object.queue.backend.add([], { now: now + 8 * DAY, batch: { ...batch, offset: 600, open: false } })
    expect(object.alarm()).toBeGreaterThan(6.9 * DAY)
    expect(await object.liveOn()).toBeLessThan(4)
    expect(await object.queue.counts()).toMatchObject({ completed: 1 })
    expect(await object.queue.batch(batch.id)).toBe(undefined)
  })

  it('once no more are kept than are to be', async () => {
    const object = await life({ handlers, retention: { count: 2 } })
    for (let n = 0; n < 5; n++) {
      await object.queue.enqueue('echo', n)
      await object.rest()
    }
    // What ended just now stays for a minute.
    expect(await object.queue.counts()).toMatchObject({ completed: 5 })
    expect(object.alarm()).toBeLessThanOrEqual(60_000)
    object.jump(object.alarm() ?? 0)
    await object.rest()
    object.jump(1_000)
    await object.rest()
    expect(await object.queue.counts()).toMatchObject({ completed: 2 })
    expect(object.alarm()).toBeGreaterThan(6.9 * DAY)
  })

  it('after rounds of pruning that take several turns, by instances that have not seen how they began', async () => {
    const object = await life({ handlers })
    for (let batch = 0; batch < 3; batch++) {
      const chunk = { id: `open ${batch}`, queue: 'default', offset: 0, open: true }
      for (let offset = 0; offset < 400; offset += 100) {
        const inputs = Array.from({ length: 100 }, (_, i) => ({ ...like, input: offset + i, priority: batch }))
        await object.queue.backend.add(inputs, { now: Date.now(), batch: { ...chunk, offset } })
      }
    }
    for (let n = 0; n < 1_000; n++) await object.queue.enqueue('echo', n)
    await object.rest()
    expect(await object.queue.counts()).toMatchObject({ completed: 2_200 })
    expect(object.alarm()).toBeGreaterThan(6.9 * DAY)
    await object.liveOn()
    expect(await object.queue.counts()).toMatchObject({ completed: 1_201 })
  })

  it('where others run its tasks', async () => {
    const object = await life({})
    await object.queue.enqueue('echo', 1)
    expect(object.alarm()).toBe(undefined)
    await new TaskWorker(object.queue, { executor: inline(handlers) }).drain()
    // Once for the lease that is not given up while nobody says so.
    expect(await object.liveOn()).toBe(1)
    await object.queue.enqueue('echo', 2)
    await new TaskWorker(object.queue, { executor: inline(handlers) }).drain()
    expect(await object.liveOn()).toBe(2)
    expect(await object.queue.counts()).toMatchObject({ completed: 1 })
  })
})

describe('a turn', () => {
  it('begins nothing more when its time is over; what runs has its grace, and the next one goes on at once', async () => {
    const platform = new Platform()
    const clock = new ManualClock()
    const ran: number[] = []
    const wait = async (n: number) => {
      ran.push(n)
      await new Promise<void>((resolve) => clock.timer(30, resolve))
      return n
    }
    const given = { handlers: { wait }, clock, concurrency: 1, turn: 40, grace: 5_000 }
    const { queue, turns } = await instance(platform, given)
    const batch = await queue.enqueueMany('wait', [0, 1, 2, 3])
    let count = 0
    while (platform.alarm !== null && platform.alarm <= Date.now()) {
      let over = false
      void turns.run().finally(() => {
        over = true
      })
      await clock.until(() => over)
      count++
    }
    expect(count).toBe(2)
    expect(ran).toEqual([0, 1, 2, 3])
    expect(await batch.progress()).toMatchObject({ completed: 4, failed: 0 })
  })
})
