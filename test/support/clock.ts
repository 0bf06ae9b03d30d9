import type { Clock } from '../../src/clock.js'
import { messagesTakeTurns } from '../../src/turn.js'

interface Timer {
  at: number
  order: number
  fire: () => void
}

/**
 * Time that moves only when told to. A test that advances it sees everything that time would have caused: timers fire in
 * order, and what they started has come to rest before the next one fires.
 *
 * ```ts
 * const clock = new ManualClock()
 * await clock.advance(1_000)                    // runs what is due within the next second
 * await clock.until(() => worker.role === 'host')  // as far as needed, and fails if that does not help
 * expect(clock.timers).toBe(0)                  // nothing leaked
 * ```
 */
export class ManualClock implements Clock {
  #wall: number
  #elapsed = 0
  #order = 0
  readonly #timers = new Set<Timer>()

  /** @param start ms since the epoch. Default: a fixed date, so that tests see the same times each run. */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#wall = start
  }

  now(): number {
    return this.#wall
  }

  monotonic(): number {
    return this.#elapsed
  }

  timer(ms: number, fire: () => void): () => void {
    const timer: Timer = { at: this.#elapsed + Math.max(0, Number.isNaN(ms) ? 0 : ms), order: this.#order++, fire }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Timers that wait to fire. */
  get timers(): number {
    return this.#timers.size
  }

  /** When the next timer fires, in ms from now; undefined if there is none. */
  get next(): number | undefined {
    const first = this.#first()
    return first && first.at - this.#elapsed
  }

  /** Moves wall time alone, as a person or a time server would: no timer fires, and it may go back. */
  setWall(now: number): void {
    this.#wall = now
  }

  /** Lets `ms` pass. Timers fire in order, each at its time, and come to rest before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms
    await settle()
    for (let timer = this.#first(); timer && timer.at <= end; timer = this.#first()) {
      this.#pass(timer.at)
      this.#timers.delete(timer)
      timer.fire()
      await settle()
    }
    this.#pass(end)
  }

  /** Lets `ms` pass while nothing can run, as in a page that is frozen: what became due meanwhile fires afterwards, late. */
  async freeze(ms: number): Promise<void> {
    this.#pass(this.#elapsed + ms)
    for (const timer of [...this.#timers].sort((a, b) => a.at - b.at || a.order - b.order)) {
      if (timer.at > this.#elapsed || !this.#timers.delete(timer)) continue
      timer.fire()
      await settle()
    }
  }

  /**
   * Lets time pass from timer to timer until the condition holds; throws once `within` ms have passed in vain. Work that
   * takes real time (a real database, a thread) gets `patience` ms of it before each timer, default 0, and 10 s where there is none:
   * without it, a second. The condition may be asynchronous.
   */
  async until(
    condition: () => unknown,
    { within = 60_000, patience = 0 }: { within?: number; patience?: number } = {},
  ): Promise<void> {
    const end = this.#elapsed + within
    await settle()
    while (!(await condition())) {
      if (patience > 0 && (await eventually(condition, patience))) return
      const due = () => (this.#first()?.at ?? Number.POSITIVE_INFINITY) <= end
      if (due()) await this.advance((this.#first()?.at ?? 0) - this.#elapsed)
      else if (!(await eventually(async () => due() || (await condition()), patience > 0 ? 10_000 : 1_000)))
        throw new Error(`Still not so after ${within} ms: ${condition}`)
    }
  }

  #first(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) {
      if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer
    }
    return first
  }

  #pass(to: number): void {
    this.#wall += to - this.#elapsed
    this.#elapsed = to
  }
}

/** Polls for up to `ms` of real time. */
async function eventually(condition: () => unknown, ms: number): Promise<boolean> {
  const end = performance.now() + ms
  while (!(await condition())) {
    if (performance.now() > end) return false
    await turn()
  }
  return true
}

/**
 * Lets everything run that waits for nothing but its turn: promises, and the macrotasks that fake-indexeddb takes. A real
 * database needs more: `until` waits for it.
 */
export async function settle(turns = 12): Promise<void> {
  for (let i = 0; i < turns; i++) await turn()
}

/** One channel for all turns: in WebKitGTK each new one costs a round trip to another process. */
let channel: MessageChannel | undefined
const turns: (() => void)[] = []

/** One turn of the event loop; unlike a timeout it is not slowed down to 4 ms. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve)
      return
    }
    if (!messagesTakeTurns()) {
      setTimeout(resolve, 0)
      return
    }
    if (!channel) {
      channel = new MessageChannel()
      channel.port1.onmessage = () => turns.shift()?.()
    }
    turns.push(resolve)
    channel.port2.postMessage(null)
  })
}
