/// <reference lib="esnext.disposable" preserve="true" />
import type { Backend, Cursor, Page, Repaired } from './backend.js'
import { Batch } from './batch.js'
import type { Hint } from './channel.js'
import { checkAtLeast0, checkKnown, checkLimit, checkState, checkText, checkTime } from './checks.js'
import type { Inputs } from './client/chunks.js'
import { Client, register } from './client/client.js'
import { cursorIn, pageOf } from './client/cursor.js'
import { Enqueuer } from './client/enqueue.js'
import { type EnqueueManyOptions, enqueueMany } from './client/enqueue-many.js'
import { eventOf, type QueueEvent } from './client/events.js'
import {
  type CancelOptions,
  type EnqueueOptions,
  enqueueOptions,
  type ListOptions,
  type PruneOptions,
  queueOf,
  reasonOf,
  taskTemplate,
} from './client/options.js'
import { type BatchInfo, infoOf } from './client/progress.js'
import { type EnqueueArguments, type TaskInput, typed } from './client/typed.js'
import { Waiting, type WaitOptions } from './client/waiting.js'
import { type Clock, systemClock } from './clock.js'
import { cloneOf } from './cloneable.js'
import { InvalidOptionError } from './errors.js'
import { Task } from './handle.js'
import type { HandlerMap, NameOf, OutputOf } from './handlers.js'
import type { Counts, Result, TaskId, TaskView } from './task.js'

export interface TaskQueueOptions {
  /** Where the tasks live. Several queues, and a TaskWorker, may share one. */
  backend: Backend
  /** Default: the system's. */
  clock?: Clock
  /** Gives numbers from 0 to 1, for jitter. Default Math.random. */
  random?: () => number
}

/**
 * Stores tasks and follows them. Making one touches nothing: the backend opens with the first operation. Every method
 * throws ClosedError once the queue is closed, and StorageError when the storage refuses.
 */
export class TaskQueue<Handlers extends HandlerMap = HandlerMap> {
  readonly backend: Backend
  readonly clock: Clock
  readonly random: () => number
  readonly #client: Client
  readonly #waiting: Waiting
  readonly #enqueuer: Enqueuer
  /** The handle of a task that was stored just now. */
  readonly #handle = <Output>(id: TaskId, at: number) => new Task<Output>(id, this.#client, this.#waiting, at)
  #closing: Promise<void> | undefined
  /** Types only: a queue does not pass for one with other handlers. */
  declare protected readonly handlers?: Handlers
  /** `await using` closes the queue, where the runtime knows how. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>

  /** Throws InvalidOptionError. */
  constructor(options: TaskQueueOptions) {
    checkKnown('options', options, ['backend', 'clock', 'random'])
    const { backend, clock = systemClock, random = Math.random } = options
    checkBackend(backend)
    this.backend = backend
    this.clock = clock
    this.random = random
    this.#client = new Client(backend, clock)
    this.#waiting = new Waiting(this.#client)
    this.#enqueuer = new Enqueuer(this.#client)
    register(this, this.#client)
    // WebKit does not know this symbol yet.
    const dispose: symbol | undefined = Symbol.asyncDispose
    if (dispose) Object.defineProperty(this, dispose, { value: () => this.close() })
  }

  /**
   * Stores a task; resolves with its handle once that is committed. What is stored is the input as it is now: changing it
   * afterwards changes nothing, and of reactive Proxies it is the plain data they show. Calls made in one go, without awaiting each, are stored together and cost little more than
   * one; then the most demanding `durability` among them counts for all.
   *
   * Throws InvalidInputError (with the path of what cannot be cloned) and InvalidOptionError before anything is stored.
   */
  enqueue<Name extends NameOf<Handlers>>(
    name: Name,
    ...given: EnqueueArguments<Handlers[Name]>
  ): Promise<Task<OutputOf<Handlers[Name]>>>
  enqueue<Output>(name: string, input?: unknown, asked?: EnqueueOptions): Promise<Task<Output>> {
    try {
      this.#client.check()
      const options = asked === undefined ? undefined : readOnce(asked)
      const task = taskTemplate(name, options, this.clock)
      task.input = cloneOf(input, 'input')
      return this.#enqueuer.add(task, options?.durability, this.#handle<Output>)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Stores many tasks as a batch, in chunks, each whole or not at all; resolves once the last one is committed. Takes
   * arrays, iterables and async iterables, and keeps no more than two chunks in memory. What an async iterable has given
   * is stored within about a second, be the chunk full or not, so that an interruption loses little. The inputs must not be
   * changed until then. With an `id` of your own, calling it again after an interruption goes on where it stopped; a batch whose
   * input has ended is left as it is.
   *
   * Throws InvalidInputError, naming the input (`input[17].user`), before its chunk is stored, and whatever `inputs`
   * throws; chunks before that stay stored and the batch stays open.
   */
  async enqueueMany<Name extends NameOf<Handlers>>(
    name: Name,
    inputs: Inputs<TaskInput<Handlers[Name]>>,
    options: EnqueueManyOptions = {},
  ): Promise<Batch<OutputOf<Handlers[Name]>>> {
    return new Batch(await enqueueMany(this.#client, name, inputs, options), this.#client)
  }

  /** The handle of a task, from its id. Whether there is such a task shows when the handle is used. */
  task<Name extends NameOf<Handlers> = NameOf<Handlers>>(id: TaskId): Task<OutputOf<Handlers[Name]>> {
    this.#client.check()
    return new Task(id, this.#client, this.#waiting)
  }

  /**
   * How a task ended; failures and cancellations are results, not errors. Waits until it has. `timeout` in ms (0: looks
   * once): resolves with undefined when it passes. Throws TaskNotFoundError for an unknown or pruned id.
   */
  async getResult<Name extends NameOf<Handlers> = NameOf<Handlers>>(
    id: TaskId,
    options: WaitOptions = {},
  ): Promise<Result<OutputOf<Handlers[Name]>> | undefined> {
    const result = await this.#waiting.result(id, options)
    return result && typed(result)
  }

  /**
   * A page of the tasks in a state: ended ones newest first, waiting ones in the order they would run. Throws
   * InvalidOptionError, also for a `cursor` that is not `next` of a page of the same state and queue.
   */
  async list(options: ListOptions): Promise<Page<TaskView>> {
    this.#client.check()
    checkKnown('options', options, ['state', 'queue', 'limit', 'cursor'])
    const { state, queue, limit = 50, cursor } = options
    checkState(state)
    const query = { state, limit: checkLimit(limit), ...queueOf(queue) }
    const listing = ['tasks', state, queue]
    return pageOf(listing, await this.backend.read('tasks', query, cursorIn(listing, cursor)))
  }

  /** All tasks in a state, page by page. What changes state in the meantime may be missed or met. */
  async *tasks(options: Omit<ListOptions, 'cursor'>): AsyncGenerator<TaskView, void, undefined> {
    let cursor: Cursor | undefined
    do {
      const page: Page<TaskView> = await this.list({ ...options, ...(cursor === undefined ? {} : { cursor }) })
      yield* page.items
      cursor = page.next
    } while (cursor !== undefined)
  }

  /** How many tasks are in each state; of one queue, or of all. Costs the same however many there are. */
  async counts(queue?: string): Promise<Counts> {
    this.#client.check()
    return this.backend.counts(queueOf(queue).queue)
  }

  /** Starts no more tasks of a queue, or of any; those that run go on. `until` (a Date or ms since the epoch): not for ever. */
  async pause(queue?: string, options: { until?: Date | number } = {}): Promise<void> {
    checkKnown('options', options, ['until'])
    const until = options.until === undefined ? Number.POSITIVE_INFINITY : checkTime('until', options.until)
    await this.#client.change({ type: 'pause', until, ...queueOf(queue) })
  }

  /** Ends a pause. */
  async resume(queue?: string): Promise<void> {
    await this.#client.change({ type: 'resume', ...queueOf(queue) })
  }

  /** Cancels everything that waits or runs, in one queue or in all. Resolves with the number of tasks cancelled. */
  async clear(options: CancelOptions & { queue?: string } = {}): Promise<number> {
    checkKnown('options', options, ['queue', 'reason'])
    const { queue, ...rest } = options
    return this.#client.change({ type: 'clear', now: this.clock.now(), ...queueOf(queue), ...reasonOf(rest) })
  }

  /** Removes ended tasks that are older, or more, than is to be kept, slice by slice. A TaskWorker does so by itself. */
  async prune(options: PruneOptions = {}): Promise<void> {
    checkKnown('options', options, ['age', 'count'])
    checkAtLeast0('age', options.age)
    checkAtLeast0('count', options.count)
    do this.#client.check()
    while (await this.backend.prune({ ...options, now: this.clock.now() }))
  }

  /**
   * Checks every stored record, and mends what is damaged: tasks whose input or result is lost have failed then, with the
   * code `'damaged'`, everything else goes on. Damage that is met by the way is mended without being asked for; this finds
   * what nobody has met yet. Reads the whole database in one go (a few seconds for 1,000,000 tasks), in which nothing else can
   * be written. Resolves with what was found.
   */
  async repair(): Promise<Repaired> {
    this.#client.check()
    return (await this.backend.repair?.()) ?? { damaged: {}, failed: 0, returned: 0 }
  }

  /** The batch with this id, also after a reload; undefined if there is none. */
  async batch<Name extends NameOf<Handlers> = NameOf<Handlers>>(
    id: string,
  ): Promise<Batch<OutputOf<Handlers[Name]>> | undefined> {
    this.#client.check()
    return (await this.backend.batch(checkText('id', id))) && new Batch(id, this.#client)
  }

  /** A page of the batches, newest first. `cursor`: `next` of the page before. Throws InvalidOptionError. */
  async batches(options: { limit?: number; cursor?: Cursor } = {}): Promise<Page<BatchInfo>> {
    this.#client.check()
    checkKnown('options', options, ['limit', 'cursor'])
    const { limit = 50, cursor } = options
    const listing = ['batches']
    const page = await this.backend.read('batches', { limit: checkLimit(limit) }, cursorIn(listing, cursor))
    const now = this.clock.now()
    return pageOf(listing, { ...page, items: page.items.map((view) => infoOf(view, now)) })
  }

  /**
   * Hears of what happens in the database, here and in other tabs, as hints. That the browser has deleted the database, or
   * that tasks are in memory, is told to those who subscribe afterwards too. Returns the way to stop.
   */
  subscribe(hear: (event: QueueEvent) => void): () => void {
    this.#client.check()
    const tell = (hint: Hint) => {
      const event = eventOf(hint)
      if (event) hear(event)
    }
    const stop = this.#client.listen(tell)
    let stopped = false
    for (const notice of this.backend.notices ?? []) queueMicrotask(() => stopped || tell(notice))
    return () => {
      stopped = true
      stop()
    }
  }

  /**
   * Stores what was enqueued, then closes the backend. Everything that waits rejects with ClosedError. Stop a TaskWorker
   * that shares the backend first.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#client.close()
    await this.#enqueuer.idle()
    await this.backend.close()
  }
}

/** What was checked is what is stored. */
function readOnce(options: EnqueueOptions): EnqueueOptions {
  checkKnown('options', options, enqueueOptions)
  return { ...options }
}

/** Looks without touching: a backend opens with the first operation. */
function checkBackend(backend: unknown): void {
  if (typeof backend === 'object' && backend !== null && 'exchange' in backend) return
  throw new InvalidOptionError(
    'backend',
    "backend must be one, for example new IndexedDBBackend({ name: 'app' }) from 'sitq/indexeddb', or new MemoryBackend().",
  )
}
