import type { Change } from '../backend.js'
import { type Hint, intervalsIn } from '../channel.js'
import { checkKnown, checkTimeout } from '../checks.js'
import { TaskNotFoundError } from '../errors.js'
import { type Lane, type Position, parseId, type Result, type TaskId } from '../task.js'
import type { Client } from './client.js'
import { FIRST_POLL, LAST_POLL, POLL_GROWTH } from './doorbell.js'

/** How long to wait for something, and what calls it off. */
export interface WaitOptions {
  /** In ms. Default: as long as it takes; 0: look once. */
  timeout?: number
  /** Aborting it ends the wait, which rejects with its reason. What is waited for goes on: `cancel()` ends that. */
  signal?: AbortSignal
}

/** Somebody who waits for one task's end. */
interface Waiter {
  /** The next look is the last: its time has passed. */
  last: boolean
  settle(result: Result | undefined): void
  fail(reason: unknown): void
}

/** Changes that may end any number of tasks, without naming them; and hints that were lost. */
const unnamed = { clear: true, 'cancel-batch': true, missed: true, repair: true } satisfies Partial<
  Record<Change['type'] | 'missed' | 'repair', true>
>

/**
 * What was stored less than this ago, in ms, has hardly ended: a look at once would be in the way of whoever runs it. A hint
 * tells when it ends; without one it is looked at after so long.
 */
const FRESH = 5

/** In one poll, so many of those waited for are looked at, and of so many it is asked whether they still exist. */
const POLLED = 512
const QUESTIONED = 64

/**
 * Everyone who waits for the end of a single task, in one table: a hint reads only what it names, together; a poll that
 * runs while anyone waits finds what hints did not tell.
 */
export class Waiting {
  readonly #client: Client
  readonly #waiters = new Map<TaskId, Set<Waiter>>()
  readonly #places = new Map<Lane, Map<Position, TaskId>>()
  /** To be looked at in the next microtask; true: and asked whether they exist. */
  #asked = new Map<TaskId, boolean>()
  /** To be looked at soon, unless a hint or another waiter has them looked at before. */
  readonly #fresh = new Set<TaskId>()
  #stopFresh: (() => void) | undefined
  #deaf: (() => void) | undefined
  #stopPoll: (() => void) | undefined
  #poll = FIRST_POLL

  constructor(client: Client) {
    this.#client = client
  }

  /**
   * How a task ended, as soon as it has; undefined if the timeout passed first. Rejects with TaskNotFoundError for an
   * unknown or pruned id, with InvalidOptionError, with ClosedError, with StorageError, and with the signal's reason.
   * `storedAt`: when it was, by the monotonic clock, as far as that is known: then nobody has to ask whether it exists, which costs
   * more than its result, until the last look.
   */
  async result(id: TaskId, options: WaitOptions = {}, storedAt?: number): Promise<Result | undefined> {
    this.#client.check()
    checkKnown('options', options, ['timeout', 'signal'])
    const { timeout, signal } = options
    const ms = checkTimeout(timeout)
    signal?.throwIfAborted()
    const place = parseId(id)
    if (!place) throw new TaskNotFoundError(id)
    return new Promise((resolve, reject) => {
      let stopTimer = () => {}
      let stopAborts = () => {}
      const end = () => {
        stopTimer()
        stopAborts()
        this.#remove(id, place, waiter)
      }
      const waiter: Waiter = {
        last: ms === 0,
        settle(result) {
          end()
          resolve(result)
        },
        fail(reason) {
          end()
          reject(reason)
        },
      }
      this.#add(id, place, waiter)
      if (ms !== 0 && this.#isFresh(storedAt)) this.#askSoon(id)
      else this.#ask(id, storedAt === undefined || ms === 0)
      stopAborts = this.#client.onEnd([signal], (reason) => waiter.fail(reason))
      if (!ms) return
      stopTimer = this.#client.clock.timer(ms, () => {
        waiter.last = true
        // It may have ended and been pruned since it was stored: then it is not that its time has not come.
        this.#ask(id, true)
      })
    })
  }

  #add(id: TaskId, { lane, position }: { lane: Lane; position: Position }, waiter: Waiter): void {
    const waiters = this.#waiters.get(id) ?? new Set()
    this.#waiters.set(id, waiters.add(waiter))
    const places = this.#places.get(lane) ?? new Map<Position, TaskId>()
    this.#places.set(lane, places.set(position, id))
    this.#deaf ??= this.#client.listen((hint) => this.#hear(hint))
    this.#pollSoon()
  }

  #remove(id: TaskId, { lane, position }: { lane: Lane; position: Position }, waiter: Waiter): void {
    const waiters = this.#waiters.get(id)
    waiters?.delete(waiter)
    if (waiters?.size !== 0) return
    this.#waiters.delete(id)
    this.#fresh.delete(id)
    if (this.#fresh.size === 0) {
      this.#stopFresh?.()
      this.#stopFresh = undefined
    }
    const places = this.#places.get(lane)
    places?.delete(position)
    if (places?.size === 0) this.#places.delete(lane)
    if (this.#waiters.size > 0) return
    this.#deaf?.()
    this.#deaf = undefined
    this.#stopPoll?.()
    this.#stopPoll = undefined
    this.#poll = FIRST_POLL
  }

  #hear(hint: Hint): void {
    if (hint.type === 'changed' && hint.change in unnamed) void this.#pollNow()
    if (hint.type !== 'ended') return
    for (const { lane, from, to } of intervalsIn(hint.intervals)) {
      const places = this.#places.get(lane)
      if (!places) continue
      // Whichever is less: the stretch, or those waited for in its lane.
      if (to - from <= places.size) {
        for (let p = from; p < to; p++) this.#askAbout(places.get(p))
      } else {
        for (const [p, id] of places) if (p >= from && p < to) this.#askAbout(id)
      }
    }
  }

  #askAbout(id: TaskId | undefined): void {
    if (id !== undefined) this.#ask(id, false)
  }

  #isFresh(storedAt = Number.NEGATIVE_INFINITY): boolean {
    return this.#client.clock.monotonic() - storedAt < FRESH
  }

  #askSoon(id: TaskId): void {
    this.#fresh.add(id)
    this.#stopFresh ??= this.#client.clock.timer(FRESH, () => {
      this.#stopFresh = undefined
      for (const fresh of this.#fresh) this.#ask(fresh, false)
      this.#fresh.clear()
    })
  }

  #ask(id: TaskId, existence: boolean): void {
    this.#fresh.delete(id)
    if (this.#asked.size === 0) queueMicrotask(() => void this.#look())
    this.#asked.set(id, existence || (this.#asked.get(id) ?? false))
  }

  /** Looks at all that were asked about. Resolves with the number of those that had ended. */
  async #look(): Promise<number> {
    const asked = this.#asked
    this.#asked = new Map()
    if (asked.size === 0) return 0
    // Whoever's time passes while we look gets a look of their own.
    const last = new Set(
      [...asked.keys()].flatMap((id) => [...(this.#waiters.get(id) ?? [])].filter((one) => one.last)),
    )
    try {
      const ids = [...asked.keys()]
      const results = await this.#client.backend.results(ids)
      results.forEach((result, i) => {
        if (result) this.#settle(ids[i] ?? result.id, result)
      })
      const doubtful = ids.filter((id) => asked.get(id) && this.#waiters.has(id))
      const views = doubtful.length > 0 ? await this.#client.backend.get(doubtful) : []
      doubtful.forEach((id, i) => {
        const view = views[i]
        if (!view) for (const waiter of this.#of(id)) waiter.fail(new TaskNotFoundError(id))
        else if (view.result) this.#settle(id, view.result)
      })
      for (const waiter of last) waiter.settle(undefined)
      return results.filter(Boolean).length
    } catch (error) {
      for (const id of asked.keys()) for (const waiter of this.#of(id)) waiter.fail(error)
      return 0
    }
  }

  #settle(id: TaskId, result: Result): void {
    for (const waiter of this.#of(id)) waiter.settle(result)
  }

  #of(id: TaskId): Waiter[] {
    return [...(this.#waiters.get(id) ?? [])]
  }

  #pollSoon(): void {
    this.#stopPoll ??= this.#client.clock.timer(this.#poll, () => {
      this.#stopPoll = undefined
      this.#poll = Math.min(LAST_POLL, this.#poll * POLL_GROWTH)
      void this.#pollNow()
    })
  }

  /** Goes on at once while it finds what hints should have told; then they are being lost, and polls come close together. */
  async #pollNow(): Promise<void> {
    let left = this.#waiters.size
    let found = 0
    do {
      let count = 0
      for (const [id, waiters] of this.#waiters) {
        if (count === POLLED) break
        this.#asked.set(id, (this.#asked.get(id) ?? false) || count < QUESTIONED)
        // To the end of the line, so that the next poll looks at others.
        this.#waiters.delete(id)
        this.#waiters.set(id, waiters)
        count++
        if (count >= this.#waiters.size) break
      }
      left -= count
      found = count > 0 ? await this.#look() : 0
      if (found > 0) this.#poll = FIRST_POLL
    } while (found > 0 && left > 0)
    if (this.#waiters.size > 0) this.#pollSoon()
  }
}
