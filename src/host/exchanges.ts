import type { Exchange, Exchanged, Settlement } from '../backend.js'
import { StorageError } from '../errors.js'
import type { HostId } from '../task.js'
import { leaseEnd } from './lease.js'
import type { HostParts } from './settings.js'
import { uncloneable } from './settle.js'
import { tellExchange } from './tell.js'

type Content = Pick<Exchange, 'seq' | 'settle' | 'claim' | 'leave'>

/**
 * A host's exchanges, numbered 1, 2, 3 … One that was rejected may have been committed all the same: it is sent again with
 * the same number and the same settlements until it is answered, and the backend sees to it that it happens once.
 *
 * One that the storage refuses because of what a settlement holds would be refused for ever. Nothing of it was committed,
 * so that its number may be used again: it is halved until the culprit is alone, and that task fails.
 */
export class Exchanges {
  readonly #parts: HostParts
  readonly #host: HostId
  readonly #names: readonly string[]
  #seq = 0
  #open: Content | undefined
  /** The open one may have been committed. */
  #inDoubt = false
  /** Parts of one that was refused which have yet to be sent, the next one last. */
  readonly #parted: Settlement[][] = []
  /** The culprit, while the open exchange says in its stead that the task has failed. */
  #culprit: Settlement | undefined

  constructor(parts: HostParts, host: HostId, names: readonly string[]) {
    this.#parts = parts
    this.#host = host
    this.#names = names
  }

  /** One was begun and not answered yet. */
  get open(): boolean {
    return this.#open !== undefined
  }

  /** None was ever begun: the storage does not know this host. */
  get none(): boolean {
    return this.#seq === 0
  }

  begin(settle: Settlement[], { limit, leave }: { limit: number; leave: boolean }): void {
    this.#open = { seq: ++this.#seq, settle }
    const { queues } = this.#parts.settings
    if (limit > 0) this.#open.claim = { limit, names: this.#names, queues }
    if (leave) this.#open.leave = true
  }

  /** When it is sent again it claims nothing. If it had claimed something, that is still answered. */
  dropClaim(): void {
    delete this.#open?.claim
  }

  /**
   * The open one was refused for want of space. One that records nothing need not be sent again: there is no room for what it
   * would claim. But its number goes to the next one: if an earlier try of it may be stored, it stays what it is until it is
   * answered. (A disk that is full can break the connection first, and refuse to open the database after that.)
   */
  withdraw(): void {
    if (!this.#open || this.#inDoubt || this.#open.settle.length > 0) return
    this.#open = undefined
    this.#seq--
  }

  /** Sends what was begun, or a part of it: another is open then. Rejects if the storage does; it is still open then. */
  async send(): Promise<{ sent: Content; answer: Exchanged }> {
    const { backend, clock, settings } = this.#parts
    for (;;) {
      const sent = this.#open
      if (!sent) throw new Error('No exchange was begun.')
      const now = clock.now()
      try {
        const answer = await backend.exchange({ ...sent, host: this.#host, now, until: leaseEnd(settings, now) })
        this.#answered()
        if (!answer.fenced) tellExchange(backend, sent.settle, answer)
        return { sent, answer }
      } catch (error) {
        if (error instanceof StorageError && error.code === 'uncloneable' && this.#part(sent, error)) continue
        this.#inDoubt ||= !(error instanceof StorageError) || error.code === 'lost'
        throw error
      }
    }
  }

  #answered(): void {
    this.#open = this.#culprit = undefined
    this.#inDoubt = false
    const next = this.#parted.pop()
    if (next) this.#open = { seq: ++this.#seq, settle: next }
  }

  /** Makes the open exchange a smaller one that may not be refused. False: it is not for its settlements that it was. */
  #part({ seq, settle }: Content, error: StorageError): boolean {
    const [first] = settle
    if (!first) return false
    if (this.#culprit) {
      // It would be refused without it too: what the task came to is kept, and sent again when others would be.
      this.#open = { seq, settle: [this.#culprit] }
      this.#culprit = undefined
      return false
    }
    if (settle.length === 1) {
      this.#culprit = first
      this.#open = { seq, settle: [uncloneable(first, error, this.#parts.clock.now())] }
      return true
    }
    const half = Math.ceil(settle.length / 2)
    this.#parted.push(settle.slice(half))
    // Nothing is claimed, and the role is not left, before all of it is recorded.
    this.#open = { seq, settle: settle.slice(0, half) }
    return true
  }
}
