import type { Backend, Claimed, Exchange, Exchanged, Settlement } from '../backend.js'
import { StorageError } from '../errors.js'
import { Backoff } from '../host/backoff.js'
import type { HostId } from '../task.js'

type Asked = Pick<Exchange, 'now' | 'until'> & Pick<Partial<Exchange>, 'claim' | 'leave'>
type Content = Pick<Exchange, 'seq' | 'settle'> & Pick<Partial<Exchange>, 'claim' | 'leave'>

/** Pauses before a shard that failed is asked again, in ms. */
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 30_000

/** What a shard has answered and the host has yet to be told. */
export interface Told {
  claimed: Claimed[]
  dropped: Exchanged['dropped']
  parked: string[]
  batches: string[]
}
const nothing = (): Told => ({ claimed: [], dropped: [], parked: [], batches: [] })

/**
 * A host in one shard, where it numbers its exchanges by itself. One that was not answered is sent again, as it was, before
 * anything else; what is to be settled meanwhile waits here. Lanes are the shard's own.
 */
export class Member {
  readonly #shard: Backend
  readonly #host: HostId
  readonly #late: () => void
  readonly #backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE, Math.random)
  /** A name is used for one life: what was sent under an older one counts for nothing, however late it arrives. */
  #life = 0
  #seq = 0
  #entered = false
  /** Sent, not answered: it may have happened. */
  #open: Content | undefined
  #waiting: Settlement[] = []
  #told = nothing()
  /** By the wall clock of the exchanges. */
  #retryAt = 0
  /** End of its lease there. */
  #until = 0
  /** On its way. */
  busy = false
  left = false
  held = new Float64Array()
  more = true
  wakeAt: number | undefined

  /** `late`: an answer has come that nobody waits for any more. */
  constructor(shard: Backend, host: HostId, late: () => void) {
    this.#shard = shard
    this.#host = host
    this.#late = late
  }

  /** The host's name there. */
  get id(): HostId {
    return this.#life === 0 ? this.#host : `${this.#host}.${this.#life}`
  }

  /** It has an entry there, as far as is known. */
  get entered(): boolean {
    return this.#entered
  }

  /** There is something that the shard has to hear. */
  get owes(): boolean {
    return this.#open !== undefined || this.#waiting.length > 0 || this.held.length > 0
  }

  canBeAsked(now: number): boolean {
    return !this.busy && now >= this.#retryAt
  }

  /** To be settled with the next exchange. What waits already is the same. */
  take(settle: readonly Settlement[]): void {
    const known = new Set(this.#waiting.map(({ lane, position }) => `${lane}:${position}`))
    this.#waiting.push(...settle.filter(({ lane, position }) => !known.has(`${lane}:${position}`)))
  }

  /** What is new for the host. */
  tell(): Told {
    const told = this.#told
    this.#told = nothing()
    return told
  }

  /** Rejects if the shard does; resolves to how many tasks it claimed, or that the host was voided there. */
  async exchange({ now, until, claim, leave }: Asked): Promise<number | 'fenced'> {
    const again = this.#open
    // What is sent again claims nothing new: what it had claimed is answered.
    const sent: Content = again ? { seq: again.seq, settle: again.settle } : { seq: ++this.#seq, settle: this.#waiting }
    if (again?.leave) sent.leave = true
    if (!again) {
      this.#waiting = []
      if (claim) sent.claim = claim
      if (leave) sent.leave = true
    }
    this.#open = sent
    this.busy = true
    try {
      const answer = await this.#shard.exchange({ ...sent, host: this.id, now, until })
      const end = this.#answered(sent, answer)
      if (sent.settle.length > 0 || answer.claimed.length > 0) this.#until = until
      // One that changes nothing there does not extend the lease; the host believes that any has.
      else if (this.held.length > 0 && until - this.#until >= (until - now) / 3) await this.renew(until)
      return end
    } catch (error) {
      this.#failed(error, now)
      throw error
    } finally {
      this.busy = false
    }
  }

  /** As `exchange`, but whoever asked may have gone on: then its answer waits here. */
  async overdue(exchange: Promise<number | 'fenced'>): Promise<void> {
    await exchange.then(this.#late, () => {})
  }

  #answered(sent: Content, answer: Exchanged): number | 'fenced' {
    this.#open = undefined
    this.#retryAt = 0
    this.#backoff.reset()
    if (sent.leave) this.left = true
    if (answer.fenced) {
      this.#told.dropped.push(...sent.settle.map(({ lane, position }) => ({ lane, position })))
      this.fence()
      return 'fenced'
    }
    this.#entered = true
    this.held = new Float64Array(answer.held)
    if (sent.claim) {
      this.more = answer.more
      this.wakeAt = answer.wakeAt
    } else this.more ||= answer.more
    this.#told.claimed.push(...answer.claimed)
    this.#told.dropped.push(...answer.dropped)
    this.#told.parked.push(...answer.parked)
    this.#told.batches.push(...answer.batches)
    return answer.claimed.length
  }

  #failed(error: unknown, now: number): void {
    if (error instanceof StorageError && error.code === 'uncloneable') {
      // Nothing of it happened, and it would be refused for ever: the host makes another one of it.
      this.#open = undefined
      this.#seq--
    } else this.#retryAt = now + this.#backoff.next()
  }

  /** It was voided: it holds nothing there, and begins anew. */
  fence(): void {
    this.#told.dropped.push(...this.#waiting.map(({ lane, position }) => ({ lane, position })))
    this.#told.claimed = []
    this.#waiting = []
    this.#open = undefined
    this.#life++
    this.#seq = 0
    this.#entered = false
    this.held = new Float64Array()
    this.more = true
    this.wakeAt = undefined
  }

  async renew(until: number): Promise<void> {
    const held = await this.#shard.renew(this.id, until)
    if (!held) return this.fence()
    this.#until = until
    this.held = new Float64Array(held)
  }
}
