import { expect, onTestFinished } from 'vitest'
import type { Backend, Claimed, Settlement } from '../../src/backend.js'
import type { Clock } from '../../src/clock.js'
import { errorRecord } from '../../src/errors.js'
import type { HandlerMap } from '../../src/handlers.js'
import { TaskQueue } from '../../src/queue.js'
import type { HostId } from '../../src/task.js'
import { ManualClock } from './clock.js'

/**
 * A host that does what the test says and when, by direct exchanges: no loop, no executor. It tells what ended, as a
 * TaskWorker does, unless it is `mute`.
 */
export class Host {
  mute = false
  readonly #backend: Backend
  readonly #clock: Clock
  readonly #id: HostId
  #seq = 0

  constructor(backend: Backend, clock: Clock, id: HostId = 'test-host') {
    this.#backend = backend
    this.#clock = clock
    this.#id = id
  }

  async #exchange(settle: Settlement[], limit: number): Promise<Claimed[]> {
    const now = this.#clock.now()
    const claim = limit > 0 ? { claim: { limit } } : {}
    const { claimed, batches, dropped } = await this.#backend.exchange({
      host: this.#id,
      seq: ++this.#seq,
      now,
      until: now + 30_000,
      settle,
      ...claim,
    })
    const lost = new Set(dropped.map(({ lane, position }) => `${lane}:${position}`))
    const intervals = settle
      .filter(({ to, lane, position }) => to !== 'aside' && !lost.has(`${lane}:${position}`))
      .flatMap(({ lane, position }) => [lane, position, position + 1])
    if (!this.mute && (intervals.length > 0 || batches.length > 0)) {
      this.#backend.channel.post({ type: 'ended', intervals, batches })
    }
    return claimed
  }

  claim(limit = 512): Promise<Claimed[]> {
    return this.#exchange([], limit)
  }

  /** Gives each task to `handle` and settles them together; what it throws fails the task for good. */
  async settle(tasks: readonly Claimed[], handle: (input: unknown, task: Claimed) => unknown): Promise<void> {
    const now = this.#clock.now()
    const settlements: Settlement[] = []
    for (const task of tasks) {
      const { lane, position, seq, attempt } = task
      const base = { lane, position, seq, attempt, startedAt: now, finishedAt: now }
      try {
        settlements.push({ ...base, to: 'completed', value: await handle(task.input, task) })
      } catch (thrown) {
        settlements.push({ ...base, to: 'failed', error: errorRecord(thrown) })
      }
    }
    await this.#exchange(settlements, 0)
  }

  /** Claims and settles until nothing is left, or `rounds` times. Returns the number of tasks settled. */
  async run(
    handle: (input: unknown, task: Claimed) => unknown,
    { limit = 512, rounds = Number.POSITIVE_INFINITY } = {},
  ): Promise<number> {
    let count = 0
    for (let i = 0; i < rounds; i++) {
      const tasks = await this.claim(limit)
      if (tasks.length === 0) break
      await this.settle(tasks, handle)
      count += tasks.length
    }
    return count
  }
}

/** A handler that returns what it is given. */
export const echo = (input: unknown): unknown => input

/** A queue, and a host beside it that does what the test says. After the test the queue is closed, and leaves no timer. */
export function withHost<Handlers extends HandlerMap, Kind extends Backend>(open: (options: { clock: Clock }) => Kind) {
  const clock = new ManualClock()
  const backend = open({ clock })
  const queue = new TaskQueue<Handlers>({ backend, clock })
  onTestFinished(async () => {
    await queue.close()
    expect(clock.timers).toBe(0)
  })
  return { clock, backend, queue, host: new Host(backend, clock) }
}
