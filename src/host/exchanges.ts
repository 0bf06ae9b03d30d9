import type { Exchange, Exchanged, Settlement } from '../backend.js'
import type { HostId } from '../task.js'
import type { HostParts } from './settings.js'
import { endedIntervals } from './settle.js'

type Content = Pick<Exchange, 'seq' | 'settle' | 'claim' | 'leave'>

/**
 * A host's exchanges, numbered 1, 2, 3 … One that was rejected may have been committed all the same: it is sent again with
 * the same number and the same settlements until it is answered, and the backend sees to it that it happens once.
 */
export class Exchanges {
  readonly #parts: HostParts
  readonly #host: HostId
  readonly #names: readonly string[]
  #seq = 0
  #open: Content | undefined

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

  /** Sends what was begun. Rejects if the storage does; it is still open then. */
  async send(): Promise<{ sent: Content; answer: Exchanged }> {
    const sent = this.#open
    if (!sent) throw new Error('No exchange was begun.')
    const { backend, clock, settings } = this.#parts
    const now = clock.now()
    const answer = await backend.exchange({ ...sent, host: this.#host, now, until: now + settings.lease })
    this.#open = undefined
    if (!answer.fenced) this.#tell(sent, answer)
    return { sent, answer }
  }

  #tell({ settle }: Content, { dropped, batches }: Exchanged): void {
    if (settle.length === 0) return
    const { backend } = this.#parts
    const intervals = endedIntervals(settle, dropped)
    if (intervals.length > 0 || batches.length > 0) backend.channel.post({ type: 'ended', intervals, batches })
    if (backend.locks) return
    // There may be other hosts to run what this one has just stored or given back.
    const queues = settle.flatMap(({ followUps }) => followUps?.map(({ queue }) => queue) ?? [])
    if (queues.length > 0) backend.channel.post({ type: 'added', queues: [...new Set(queues)] })
  }
}
