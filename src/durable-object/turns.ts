import type { Retention } from '../backend.js'
import { Backoff } from '../host/backoff.js'
import { newHostId } from '../host/tenure.js'
import { inline } from '../inline.js'
import type { LocalBackend } from '../local.js'
import { stores } from '../plan/records.js'
import { type Wake, wake } from '../plan/wake.js'
import type { TaskQueue } from '../queue.js'
import type { HostId } from '../task.js'
import { TaskWorker } from '../worker.js'
import type { Alarm } from './alarm.js'
import type { Settings } from './settings.js'
import type { ObjectKVStorage } from './storage.js'

/** Slices pruned in one turn, at most: others want the object too. */
const SLICES = 16
/** Before any time. */
const NOW = Number.NEGATIVE_INFINITY
/** Should a turn end without a word, the alarm goes off again so long after it should have, in ms. */
const WATCHDOG = 30_000

export interface TurnParts {
  queue: TaskQueue
  backend: LocalBackend
  storage: ObjectKVStorage
  alarm: Alarm
  settings: Settings
}

/** What the object does when its alarm goes off. Nothing of it depends on when that is, nor on how often. */
export class Turns {
  readonly #parts: TurnParts
  /** Pauses after turns that could do nothing about what there is to do, in ms. */
  readonly #vain = new Backoff(1_000, 60_000, Math.random)
  /** When the first of what the round of pruning under way has left may go, in ms since the epoch. undefined: others began it. */
  #prunable: number | undefined
  #turn: Promise<void> | undefined
  #worker: TaskWorker | undefined

  constructor(parts: TurnParts) {
    this.#parts = parts
  }

  /** Never rejects: the platform would try again six times and then no more. */
  run(): Promise<void> {
    this.#turn ??= this.#run().finally(() => {
      this.#turn = undefined
    })
    return this.#turn
  }

  /** Takes back at once what a host held that went down with an earlier instance of the object. */
  async bury(host: HostId): Promise<void> {
    try {
      await this.#recover('left', [host])
    } catch (error) {
      this.#parts.settings.onError(error)
    }
  }

  /** Of an instance that is new: what can be run may have been nothing to the one before, which had no handlers. */
  async look(): Promise<void> {
    const { alarm, settings } = this.#parts
    try {
      await this.#wake((found, now) => alarm.atLatest(alarm.next(found, now)))
    } catch (error) {
      settings.onError(error)
    }
  }

  async #run(): Promise<void> {
    const { alarm, settings } = this.#parts
    const { clock, onError } = settings
    alarm.inTurn = true
    alarm.appended = false
    try {
      alarm.fired()
      alarm.atLatest(clock.now() + settings.turn + settings.grace + WATCHDOG)
      const recovered = await this.#recover('expired', [])
      const ran = await this.#drain()
      const pruneAt = await this.#prune()
      await this.#sleep({ pruneAt, done: recovered || ran > 0 || pruneAt === NOW })
    } catch (error) {
      onError(error)
      alarm.set(clock.now() + this.#vain.next())
    } finally {
      alarm.inTurn = false
    }
  }

  /** Resolves to true if there was something. */
  async #recover(dead: 'expired' | 'left', gone: readonly HostId[]): Promise<boolean> {
    const { backend, settings } = this.#parts
    const { clock, maxCrashes } = settings
    const options = { me: newHostId(), dead, left: [], gone, now: clock.now(), maxCrashes }
    const recovered = await backend.recover(options)
    if (recovered) backend.channel.post({ type: 'changed', change: 'recover' })
    return recovered !== undefined && recovered > 0
  }

  /** Runs what can be run. Resolves to the number of attempts. */
  async #drain(): Promise<number> {
    const { settings } = this.#parts
    if (!settings.runs) return 0
    const { clock, turn, grace } = settings
    this.#worker ??= this.#makeWorker()
    const worker = this.#worker
    const endTurn = clock.timer(turn, () => void worker.stop({ grace }))
    try {
      return (await worker.drain({ deadline: clock.now() + turn + grace })).ran
    } finally {
      endTurn()
    }
  }

  #makeWorker(): TaskWorker {
    const { queue, settings } = this.#parts
    const { concurrency, queues, maxCrashes, retention, clock, onError, handlers = {} } = settings
    const executor = inline(handlers, { concurrency, clock })
    return new TaskWorker(queue, { executor, queues, maxCrashes, retention, onError })
  }

  /** Until there is nothing to prune. Resolves with when there will be, in ms since the epoch: NOW if there is more. */
  async #prune(): Promise<number> {
    const { backend, alarm, settings } = this.#parts
    const retention: Retention = { ...settings.retention, now: settings.clock.now() }
    for (let i = 0; i < SLICES; i++) {
      const { more, first, next } = await backend.pruneSlice(retention)
      if (first) {
        this.#prunable = Number.POSITIVE_INFINITY
        // What ended before is met by this round.
        alarm.endedAt = Number.POSITIVE_INFINITY
      }
      if (this.#prunable !== undefined) this.#prunable = Math.min(this.#prunable, next)
      if (!more && this.#prunable !== undefined) return this.#prunable
    }
    return NOW
  }

  /** Looks what there is to do; what it leads to is decided before anything else can be stored. */
  async #wake(decide: (found: Wake, now: number) => void): Promise<void> {
    const { storage, settings } = this.#parts
    const now = settings.clock.now()
    function* plan() {
      const end = yield* wake(now)
      decide(end.value, now)
      return end
    }
    await storage.run(plan, { stores, write: false })
  }

  /**
   * Sets the alarm to when there is something to do. If there is something now and this turn could do nothing about it (it waits
   * for what a worker elsewhere holds), there is a pause first.
   */
  async #sleep({ pruneAt, done }: { pruneAt: number; done: boolean }): Promise<void> {
    const { alarm } = this.#parts
    await this.#wake((found, now) => {
      const next = alarm.next(found, now, pruneAt)
      if (done || alarm.appended || next > now) {
        this.#vain.reset()
        alarm.set(next)
      } else alarm.set(now + this.#vain.next())
      // Over before the next transaction, which sees to the alarm itself.
      alarm.inTurn = false
    })
  }
}
