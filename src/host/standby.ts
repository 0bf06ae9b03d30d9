import type { Hint } from '../channel.js'
import { ClosedError, StorageError } from '../errors.js'
import type { HostId } from '../task.js'
import type { HostParts } from './settings.js'
import { livesHere } from './tenure.js'

/** A visible standby pings the host this often, in ms. */
const PING_EVERY = 1_000
/** A host that answered before and does not for this long, in ms, is taken for frozen. */
const SILENT = 10_000
/** So many pings must have gone unanswered by then: fewer mean that it was the standby that stood still. */
const PINGS = 8

export interface WatchEvents {
  /** The host is frozen: its lock should be stolen. */
  silent(): void
  /** The backend of this page was closed, or a newer version of the app has the database: nothing can be done here. */
  closed(error: ClosedError | StorageError): void
  /** The host had to park tasks of these handlers. */
  parked(names: readonly string[]): void
  /** Another standby asks for the role because it has these handlers. */
  wanted(names: readonly string[]): void
  /** The host lives in the same page. */
  samePage(): void
}

/** A standby's eye on the host. Hidden pages do not ask: their timers are slow, and they are not the ones to take over. */
export class HostWatch {
  readonly #parts: HostParts
  readonly #me: HostId
  readonly #on: WatchEvents
  /** The host answered a ping: its silence means something. */
  #answered = false
  #unanswered = 0
  /** When the first unanswered ping was sent, and the last one; by the monotonic clock. */
  #since = 0
  #sentAt = Number.NEGATIVE_INFINITY
  #stopTimer: (() => void) | undefined
  #ended = false

  constructor(parts: HostParts, me: HostId, on: WatchEvents) {
    this.#parts = parts
    this.#me = me
    this.#on = on
    this.look()
  }

  /** Asks now if it is time: timers may have stood still. */
  look(): void {
    if (this.#ended) return
    this.#stopTimer?.()
    const { clock, settings } = this.#parts
    const now = clock.monotonic()
    if (now - this.#sentAt >= PING_EVERY && settings.visible()) this.#ping(now)
    if (!this.#ended) this.#stopTimer = clock.timer(PING_EVERY, () => this.look())
  }

  #ping(now: number): void {
    const { backend, settings } = this.#parts
    const patience = this.#answered ? SILENT : Math.max(SILENT, settings.lease)
    // This page stood still, or was hidden: what it did not hear says nothing of the host.
    if (now - this.#sentAt > 2 * PING_EVERY) this.#unanswered = 0
    if (this.#unanswered >= PINGS && now - this.#since >= patience) {
      this.end()
      void this.#silent()
      return
    }
    if (this.#unanswered++ === 0) this.#since = now
    this.#sentAt = now
    backend.channel.post({ type: 'ping', from: this.#me })
  }

  async #silent(): Promise<void> {
    if (await this.#usable()) this.#on.silent()
  }

  /** False, and said so, if this page's backend is of no use any more. */
  async #usable(): Promise<boolean> {
    try {
      await this.#parts.backend.open()
    } catch (error) {
      if (error instanceof ClosedError || (error instanceof StorageError && error.code === 'newer-version')) {
        this.#on.closed(error)
        return false
      }
    }
    return true
  }

  hear(hint: Hint): void {
    if (this.#ended) return
    if (hint.type === 'storage' && hint.event === 'closed-by-upgrade') void this.#usable()
    if (hint.type === 'role' && hint.role === 'host') {
      this.#answered = false
      this.#unanswered = 0
    } else if (hint.type === 'pong') {
      // Meant for another standby: a sign of life all the same.
      this.#answered = true
      this.#unanswered = 0
      if (hint.to !== this.#me) return
      if (livesHere(hint.from)) this.#on.samePage()
      if (hint.parked.length > 0) this.#on.parked(hint.parked)
    } else if (hint.type === 'wanted' && hint.from !== this.#me) this.#on.wanted(hint.names)
  }

  end(): void {
    this.#ended = true
    this.#stopTimer?.()
  }
}
