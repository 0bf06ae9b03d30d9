import { type Channel, type Hint, localChannel } from '../channel.js'
import { type Clock, sleep } from '../clock.js'
import type { HintCursor, Hints } from './hints.js'

/** Pauses after requests that failed, in ms: hints are no reason to hammer an object that is in trouble. */
const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 30_000

/**
 * Hears what an object has to say, by requests that wait there, one at a time and only while somebody listens. What is posted
 * stays in this isolate: the object says by itself what its calls have changed.
 */
export class AskingChannel implements Channel {
  readonly #local = localChannel()
  readonly #ask: (since: HintCursor | undefined) => Promise<Hints>
  readonly #clock: Clock
  #listeners = 0
  #asking = false
  #closed = new AbortController()

  constructor(ask: (since: HintCursor | undefined) => Promise<Hints>, clock: Clock) {
    this.#ask = ask
    this.#clock = clock
  }

  post(hint: Hint): void {
    this.#local.post(hint)
  }

  listen(hear: (hint: Hint) => void): () => void {
    const stop = this.#local.listen(hear)
    let listens = true
    this.#listeners++
    void this.#listen()
    return () => {
      if (listens) this.#listeners--
      listens = false
      stop()
    }
  }

  close(): void {
    this.#closed.abort()
    this.#local.close()
  }

  get #wanted(): boolean {
    return this.#listeners > 0 && !this.#closed.signal.aborted
  }

  /** The first request is under way before this returns: what happens from now on is heard. */
  async #listen(): Promise<void> {
    if (this.#asking) return
    this.#asking = true
    let since: HintCursor | undefined
    let pause = FIRST_PAUSE
    while (this.#wanted) {
      try {
        const { cursor, hints, missed } = await this.#ask(since)
        since = cursor
        pause = FIRST_PAUSE
        if (missed) this.#local.post({ type: 'changed', change: 'missed' })
        for (const hint of hints) this.#local.post(hint)
      } catch {
        // Whoever waits looks by itself now and then.
        await sleep(this.#clock, pause, this.#closed.signal)
        pause = Math.min(2 * pause, LONGEST_PAUSE)
      }
    }
    this.#asking = false
  }
}
