/**
 * Who else listens to the hints of a database. A page that is alone need not say that tasks were stored or have ended: that costs it
 * 0.1 ms and more each time.
 */
import { randomText } from '../random.js'

/** What those who listen tell each other of themselves. `asks`: it has just come and does not know the others. */
export type Presence = { type: 'here'; from: string; asks: boolean } | { type: 'gone'; from: string }

/** Within so long, in ms, whoever is there has answered, unless its thread is busy; until then nobody is alone. */
const ANSWERED = 100
/**
 * Who comes may have looked just before something was stored, and be heard after that: so long after, in ms, it is told. Who was there
 * before and answers late, because its thread was busy, is told whenever that was.
 */
const REMEMBERED = 10_000
/** A tab that crashes says no goodbye: so long after, in ms, whoever speaks asks again who is there. */
const CALLED = 60_000

export interface NeighboursOptions {
  say(presence: Presence): void
  /** Somebody was not known to be there, and may have missed something. */
  missed(): void
  /** ms that never go back. */
  now?: () => number
}

export class Neighbours {
  readonly #say: (presence: Presence) => void
  readonly #missed: () => void
  readonly #now: () => number
  readonly #known = new Set<string>()
  #id: string | undefined
  /** When it asked last who is there; undefined: it does not listen. */
  #since: number | undefined
  #unsaidAt = Number.NEGATIVE_INFINITY

  constructor({ say, missed, now = () => performance.now() }: NeighboursOptions) {
    this.#say = say
    this.#missed = missed
    this.#now = now
  }

  /** It begins to listen, or wants to know who is there still. */
  come(): void {
    // Not before: edge runtimes give no random numbers while modules load, where backends are made.
    this.#id ??= randomText(8)
    this.#known.clear()
    this.#since = this.#now()
    this.#say({ type: 'here', from: this.#id, asks: true })
  }

  /** It stops listening. */
  go(): void {
    if (this.#since === undefined || this.#id === undefined) return
    this.#since = undefined
    this.#say({ type: 'gone', from: this.#id })
  }

  hear(presence: Presence): void {
    const { from } = presence
    if (presence.type === 'gone') {
      this.#known.delete(from)
      return
    }
    if (this.#since === undefined || this.#id === undefined) return
    if (presence.asks) this.#say({ type: 'here', from: this.#id, asks: false })
    if (this.#known.has(from)) return
    this.#known.add(from)
    if (this.#now() - this.#unsaidAt < (presence.asks ? REMEMBERED : Number.POSITIVE_INFINITY)) this.#missed()
    this.#unsaidAt = Number.NEGATIVE_INFINITY
  }

  /** Whether nobody would hear what is to be said now. Then it counts as unsaid. */
  leaveUnsaid(): boolean {
    if (this.#since === undefined) return false
    const now = this.#now()
    if (this.#known.size > 0 && now - this.#since >= CALLED) this.come()
    if (this.#known.size > 0 || now - this.#since < ANSWERED) return false
    this.#unsaidAt = now
    return true
  }
}
