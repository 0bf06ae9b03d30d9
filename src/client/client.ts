import { onAbort } from '../abort.js'
import type { Backend, Change } from '../backend.js'
import type { Hint } from '../channel.js'
import type { Clock } from '../clock.js'
import { ClosedError } from '../errors.js'
import { parseId } from '../task.js'

/**
 * What a queue shares with its handles, batches and waiters: the backend, the time, whether it is closed, and one ear on
 * the channel, which listens only while somebody wants to hear.
 */
export class Client {
  readonly backend: Backend
  readonly clock: Clock
  #closed: ClosedError | undefined
  readonly #closers = new Set<(reason: ClosedError) => void>()
  readonly #listeners = new Set<(hint: Hint) => void>()
  #deaf: (() => void) | undefined

  constructor(backend: Backend, clock: Clock) {
    this.backend = backend
    this.clock = clock
  }

  /** Throws ClosedError once the queue is closed. */
  check(): void {
    if (this.#closed) throw this.#closed
  }

  /**
   * Calls `fire` with the reason, once, when one of the signals aborts or the queue is closed; at once if that has happened.
   * Returns the way to call it off.
   */
  onEnd(signals: readonly (AbortSignal | undefined)[], fire: (reason: unknown) => void): () => void {
    let ended = false
    const end = (reason: unknown) => {
      ended = true
      stop()
      fire(reason)
    }
    const stop = () => {
      this.#closers.delete(end)
      stopSignals()
    }
    let stopSignals = () => {}
    if (this.#closed) {
      fire(this.#closed)
      return stop
    }
    // A set of our own: thousands may wait, and Node warns of a signal with more than ten listeners.
    this.#closers.add(end)
    stopSignals = onAbort(signals, end)
    if (ended) stop()
    return stop
  }

  /** Returns the way to stop listening. */
  listen(hear: (hint: Hint) => void): () => void {
    this.#listeners.add(hear)
    this.#deaf ??= this.backend.channel.listen((hint) => {
      for (const listener of [...this.#listeners]) call(listener, hint)
    })
    return () => {
      this.#listeners.delete(hear)
      if (this.#listeners.size === 0) this.#stopListening()
    }
  }

  /** Makes a change and tells everyone. Resolves with the number of tasks changed. */
  async change(change: Change): Promise<number> {
    this.check()
    const { backend } = this
    const changed = await backend.change(change)
    const ids = change.type === 'cancel' ? change.ids : []
    const places = ids.flatMap((id) => parseId(id) ?? [])
    const intervals = places.flatMap(({ lane, position }) => [lane, position, position + 1])
    if (changed > 0 && intervals.length > 0) backend.channel.post({ type: 'ended', intervals, batches: [] })
    backend.channel.post({ type: 'changed', change: change.type })
    return changed
  }

  /** Tells everyone that tasks were stored. */
  added(queues: Iterable<string>): void {
    const { appends, channel } = this.backend
    channel.post({ type: 'added', queues: [...new Set(queues)], ...(appends ? { by: appends.id } : {}) })
  }

  #stopListening(): void {
    this.#deaf?.()
    this.#deaf = undefined
  }

  close(): void {
    const reason = new ClosedError('queue')
    this.#closed = reason
    for (const fire of [...this.#closers]) fire(reason)
    this.#closers.clear()
    this.#listeners.clear()
    this.#stopListening()
  }
}

/** What a subscriber throws is reported as uncaught, and does not keep the others from hearing. */
function call(listener: (hint: Hint) => void, hint: Hint): void {
  try {
    listener(hint)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

const clients = new WeakMap<object, Client>()

/** For what works on a queue without being part of its interface. */
export function clientOf(queue: object): Client {
  const client = clients.get(queue)
  if (!client) throw new TypeError('This is not a TaskQueue of this copy of sitq: is the package installed twice?')
  return client
}

export function register(queue: object, client: Client): void {
  clients.set(queue, client)
}
