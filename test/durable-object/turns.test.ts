import { describe, expect, it } from 'vitest'
import { localChannel } from '../../src/channel.js'
import { Alarm } from '../../src/durable-object/alarm.js'
import type { ObjectStorage } from '../../src/durable-object/platform.js'
import { type QueueObjectSettings, Settings } from '../../src/durable-object/settings.js'
import { ObjectKVStorage } from '../../src/durable-object/storage.js'
import { Turns } from '../../src/durable-object/turns.js'
import { LocalBackend } from '../../src/local.js'
import { TaskQueue } from '../../src/queue.js'

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
  const backend = new LocalBackend({ storage, channel: localChannel() })
  const queue = new TaskQueue({ backend })
  const turns = new Turns({ queue, backend, storage, alarm, settings })
  await alarm.load()
  await turns.look()
  return { queue, turns }
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

describe('a turn', () => {
  it('begins nothing more when its time is over; what runs has its grace, and the next one goes on at once', async () => {
    const platform = new Platform()
    const ran: number[] = []
    const wait = async (n: number) => {
      ran.push(n)
      await new Promise((resolve) => setTimeout(resolve, 30))
      return n
    }
    const { queue, turns } = await instance(platform, { handlers: { wait }, concurrency: 1, turn: 40, grace: 5_000 })
    const batch = await queue.enqueueMany('wait', [0, 1, 2, 3])
    let count = 0
    while (platform.alarm !== null && platform.alarm <= Date.now()) {
      await turns.run()
      count++
    }
    expect(count).toBeGreaterThan(1)
    expect(ran).toEqual([0, 1, 2, 3])
    expect(await batch.progress()).toMatchObject({ completed: 4, failed: 0 })
    expect(platform.alarm ?? 0).toBeGreaterThan(Date.now())
  })
})
