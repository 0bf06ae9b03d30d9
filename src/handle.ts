import type { Client } from './client/client.js'
import { type CancelOptions, reasonOf } from './client/options.js'
import { typed } from './client/typed.js'
import type { Waiting, WaitOptions } from './client/waiting.js'
import { TaskCancelledError, TaskFailedError, TimeoutError } from './errors.js'
import type { TaskId, TaskView } from './task.js'

/** One task, wherever it is by now. Made by `queue.enqueue()` and, after a reload, by `queue.task(id)`. */
export class Task<Output = unknown> {
  readonly id: TaskId
  readonly #client: Client
  readonly #waiting: Waiting
  readonly #storedAt: number | undefined

  /** @internal Applications get tasks from a queue. `storedAt`: when it was, by the monotonic clock, if that is known. */
  constructor(id: TaskId, client: Client, waiting: Waiting, storedAt?: number) {
    this.id = id
    this.#storedAt = storedAt
    this.#client = client
    this.#waiting = waiting
  }

  /**
   * What the handler returned, as soon as it has. `timeout` in ms; default: as long as it takes.
   * Throws TaskFailedError, TaskCancelledError, TimeoutError, TaskNotFoundError, ClosedError, or the signal's reason.
   */
  async result(options: WaitOptions = {}): Promise<Output> {
    const found = await this.#waiting.result(this.id, options, this.#storedAt)
    if (!found) {
      throw new TimeoutError(`Task ${this.id} has not ended within ${options.timeout} ms. It goes on; ask again later.`)
    }
    const result = typed<Output>(found)
    if (result.status === 'failed') throw new TaskFailedError(this.id, result.name, result.error)
    if (result.status === 'cancelled') throw new TaskCancelledError(this.id, result.name, result.reason)
    return result.value
  }

  /** Everything there is to know of it now; undefined if it is unknown or pruned. */
  async get(): Promise<TaskView | undefined> {
    this.#client.check()
    const [view] = await this.#client.backend.get([this.id])
    return view
  }

  /** Ends it unless it has ended: a waiting one never starts, a running one is aborted. Resolves with whether it did. */
  async cancel(options: CancelOptions = {}): Promise<boolean> {
    const now = this.#client.clock.now()
    return (await this.#client.change({ type: 'cancel', ids: [this.id], now, ...reasonOf(options) })) > 0
  }

  /**
   * Makes it available again, its attempts at the beginning, if it failed or was cancelled, or if its input did not fit its
   * handler. Resolves with whether it did.
   */
  async retry(): Promise<boolean> {
    return (await this.#client.change({ type: 'retry', ids: [this.id], now: this.#client.clock.now() })) > 0
  }
}
