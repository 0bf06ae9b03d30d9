import type { Backend, Change } from './backend.js'
import type { Hint } from './channel.js'
import type { Clock } from './clock.js'
import { ClosedError } from './errors.js'
import { parseId } from './task.js'

/**
 * What a queue shares with its handles, batches and waiters: the backend, the time, whether it is closed, and one ear on
 * the channel, which listens only while somebody wants to hear.
 */
export class Client {
  readonly backend: Backend
  readonly clock: Clock
  readonly #closing = new AbortController()
  readonly #listeners = new Set<(hint: Hint) => void>()
  #deaf: (() => void) | undefined

  constructor(backend: Backend, clock: Clock) {
    this.backend = backend
    this.clock = clock
  }

  /** Aborts, with a ClosedError as its reason, when the queue is closed. */
  get closed(): AbortSignal {
    return this.#closing.signal
  }

  /** Throws ClosedError once the queue is closed. */
  check(): void {
    this.#closing.signal.throwIfAborted()
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
    this.backend.channel.post({ type: 'added', queues: [...new Set(queues)] })
  }

  #stopListening(): void {
    this.#deaf?.()
    this.#deaf = undefined
  }

  close(): void {
    this.#closing.abort(new ClosedError('queue'))
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
