import { type Channel, type Hint, localChannel } from '../channel.js'
import { type Clock, sleep } from '../clock.js'
import { randomText } from '../random.js'
import type { HostId } from '../task.js'

/** So many hints are kept for those that ask what they have missed. */
const KEPT = 256

/** Where a listener has got to. Another instance of the object counts anew. */
export interface HintCursor {
  life: string
  seq: number
}

export interface Hints {
  cursor: HintCursor
  hints: Hint[]
  /** Some were lost: they are too old, or another instance of the object heard them. */
  missed: boolean
}

/**
 * The channel of an object: its own queue and worker listen to it, and others ask it what is new. They are answered as soon
 * as there is something: a request that waits costs less than one for each look, and a socket for each queue, with its upgrade
 * and its end, is more than a hint is worth. Nothing is stored: hints may be lost.
 */
export class HintRing implements Channel {
  readonly #life = randomText(8)
  readonly #local = localChannel()
  readonly #clock: Clock
  readonly #inside: { began(host: HostId): void; ended(): void }
  readonly #waiting = new Set<AbortController>()
  #hints: Hint[] = []
  /** Of the first one that is kept. */
  #first = 0

  /** The two are told of hosts in the object at once, before these store anything. */
  constructor(clock: Clock, inside: { began(host: HostId): void; ended(): void }) {
    this.#clock = clock
    this.#inside = inside
  }

  post(hint: Hint): void {
    if (hint.type === 'role') {
      if (hint.role === 'host') this.#inside.began(hint.from)
      else this.#inside.ended()
    }
    this.#local.post(hint)
    this.#hints.push(hint)
    if (this.#hints.length > 2 * KEPT) {
      this.#first += this.#hints.length - KEPT
      this.#hints = this.#hints.slice(-KEPT)
    }
    // Those that one operation posts go together.
    for (const waiting of [...this.#waiting]) queueMicrotask(() => waiting.abort())
  }

  listen(hear: (hint: Hint) => void): () => void {
    return this.#local.listen(hear)
  }

  close(): void {
    this.#local.close()
    for (const waiting of this.#waiting) waiting.abort()
  }

  /** What is new since then, or from now on; waits for it for `timeout` ms at most. */
  async since(cursor: HintCursor | undefined, timeout: number): Promise<Hints> {
    const end = this.#first + this.#hints.length
    if (cursor && cursor.life !== this.#life) return this.#from(end, true)
    const from = cursor?.seq ?? end
    if (from < this.#first) return this.#from(end, true)
    if (from >= end) await this.#wait(timeout)
    return this.#from(from, false)
  }

  async #wait(timeout: number): Promise<void> {
    const woken = new AbortController()
    this.#waiting.add(woken)
    await sleep(this.#clock, timeout, woken.signal)
    this.#waiting.delete(woken)
  }

  #from(from: number, missed: boolean): Hints {
    const hints = this.#hints.slice(Math.max(0, from - this.#first))
    return { cursor: { life: this.#life, seq: this.#first + this.#hints.length }, hints, missed }
  }
}
