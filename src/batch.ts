import type { BatchView, Change } from './backend.js'
import type { Hint } from './channel.js'
import { checkKnown, checkTimeout } from './checks.js'
import { BatchReader, type Found } from './client/batch-reader.js'
import type { Client } from './client/client.js'
import { Doorbell } from './client/doorbell.js'
import { inInputOrder } from './client/input-order.js'
import { type CancelOptions, reasonOf } from './client/options.js'
import { type BatchProgress, progressOf } from './client/progress.js'
import { typed } from './client/typed.js'
import type { WaitOptions } from './client/waiting.js'
import { BatchNotFoundError, InvalidOptionError, TimeoutError } from './errors.js'
import type { Result } from './task.js'

/** How a task of a batch ended, and the index of its input. */
export type BatchResult<Output = unknown> = Result<Output> & { index: number }

export interface ResultsOptions {
  /** `'ended'` (default): as they end. `'input'`: in input order. */
  order?: 'ended' | 'input'
  /** Aborting it ends the iteration, which throws its reason. The batch goes on: `batch.cancel()` ends that. */
  signal?: AbortSignal
}

export interface WatchOptions {
  /** Aborting it ends the iteration, which throws its reason. The batch goes on: `batch.cancel()` ends that. */
  signal?: AbortSignal
}

export interface CollectOptions extends WaitOptions {
  /** Told whenever the batch has moved on. What it throws ends the wait like an abort: the batch goes on. */
  onProgress?: (progress: BatchProgress) => void
}

/** Tasks enqueued together and followed together. Stored: `queue.batch(id)` finds it again after a reload. */
export class Batch<Output = unknown> {
  readonly id: string
  readonly #client: Client

  /** @internal Applications get batches from a queue. */
  constructor(id: string, client: Client) {
    this.id = id
    this.#client = client
  }

  /** One read, whatever the batch's size. Throws BatchNotFoundError once it is pruned. */
  async progress(): Promise<BatchProgress> {
    return progressOf(await this.#view(), this.#client.clock.now())
  }

  /** The progress now and whenever it moves, until the batch has ended. Throws like `results`. */
  async *watch(options: WatchOptions = {}): AsyncGenerator<BatchProgress, void, undefined> {
    checkKnown('options', options, ['signal'])
    yield* this.#watch(options.signal)
  }

  /**
   * Each result once, as its task ends or in input order; those that ended before come first. Ends when every task has
   * ended and the batch gets no more inputs. Failures are results, not errors.
   * Throws InvalidOptionError, BatchNotFoundError, ClosedError, StorageError, or the signal's reason.
   */
  async *results(options: ResultsOptions = {}): AsyncGenerator<BatchResult<Output>, void, undefined> {
    checkKnown('options', options, ['order', 'signal'])
    const { order = 'ended', signal } = options
    if (order !== 'ended' && order !== 'input') {
      throw new InvalidOptionError('order', `order must be 'ended' or 'input', not ${JSON.stringify(order)}.`)
    }
    const reader = new BatchReader(this.#client, await this.#view())
    const bell = new Doorbell(this.#client, (hint) => reader.hear(hint))
    try {
      const found = this.#found(reader, bell, signal)
      for await (const page of order === 'input' ? inInputOrder(reader, found) : found) {
        for (const { index, result } of page) {
          signal?.throwIfAborted()
          if (result) yield { ...typed<Output>(result), index }
        }
      }
    } finally {
      bell.close()
    }
  }

  /**
   * All results in input order, once the batch has ended. `timeout` in ms; default: as long as it takes. Past it, throws
   * TimeoutError with the `results` so far; else like `results`.
   */
  async collect(options: CollectOptions = {}): Promise<BatchResult<Output>[]> {
    checkKnown('options', options, ['timeout', 'signal', 'onProgress'])
    const { signal, onProgress } = options
    signal?.throwIfAborted()
    const timeout = checkTimeout(options.timeout)
    const late = new AbortController()
    const stop = timeout ? this.#client.clock.timer(timeout, () => late.abort()) : () => {}
    if (timeout === 0) late.abort()
    try {
      for await (const progress of this.#watch(signal, late.signal)) onProgress?.(progress)
      return await this.#all(signal)
    } catch (error) {
      if (!late.signal.aborted || error !== late.signal.reason) throw error
      const results = await this.#all(signal)
      throw new TimeoutError(
        `Batch ${this.id} has not ended within ${timeout} ms. It goes on; collect it later.`,
        results,
      )
    } finally {
      stop()
    }
  }

  /**
   * Cancels what waits or runs of it, and ends its input. Resolves with the number of tasks cancelled: 0 if it had ended.
   * Throws BatchNotFoundError once it is pruned.
   */
  async cancel(options: CancelOptions = {}): Promise<number> {
    return this.#change({ type: 'cancel-batch', batch: this.id, now: this.#client.clock.now(), ...reasonOf(options) })
  }

  /** It gets no more inputs: for batches made with `open: true`. Throws BatchNotFoundError once it is pruned. */
  async end(): Promise<void> {
    await this.#change({ type: 'end-batch', batch: this.id, now: this.#client.clock.now() })
  }

  /** A change of nothing may be one of nobody: only then it takes a read to tell. */
  async #change(change: Change): Promise<number> {
    const changed = await this.#client.change(change)
    if (changed === 0) await this.#view()
    return changed
  }

  async #view(): Promise<BatchView> {
    this.#client.check()
    const view = await this.#client.backend.batch(this.id)
    if (!view) throw new BatchNotFoundError(this.id)
    return view
  }

  async *#watch(...signals: (AbortSignal | undefined)[]): AsyncGenerator<BatchProgress, void, undefined> {
    let queue: string | undefined
    const bell = new Doorbell(this.#client, (hint) => concerns(hint, this.id, queue))
    try {
      for (let before = '', polled = false; ; ) {
        const view = await this.#view()
        queue = view.queue
        const after = JSON.stringify([view.total, view.done, view.open, view.endedAt])
        if (after !== before) bell.hurry()
        // Without a change the rate and what follows from it still do.
        if (after !== before || polled) yield progressOf(view, this.#client.clock.now())
        if (view.endedAt !== undefined) return
        before = after
        polled = !(await bell.wait(...signals))
      }
    } finally {
      bell.close()
    }
  }

  /** Everything that ends, until all has. */
  async *#found(
    reader: BatchReader,
    bell: Doorbell,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly Found[], void, undefined> {
    for (let polled = false; ; ) {
      signal?.throwIfAborted()
      const view = await this.#view()
      if (polled && view.done !== reader.count) reader.lookEverywhere()
      const [before, everywhere] = [reader.count, reader.looksEverywhere]
      yield* reader.fresh(view)
      if (reader.count > before) bell.hurry()
      if (!view.open && reader.count >= view.total) return
      if (view.endedAt !== undefined) {
        // What is missing after a look at everything was pruned, unless a retry has changed the batch since.
        if (everywhere && (await this.#view()).endedAt !== undefined) return
        reader.lookEverywhere()
        continue
      }
      polled = !(await bell.wait(signal))
    }
  }

  async #all(signal?: AbortSignal): Promise<BatchResult<Output>[]> {
    const view = await this.#view()
    const all: BatchResult<Output>[] = []
    for await (const page of new BatchReader(this.#client, view).fresh(view)) {
      signal?.throwIfAborted()
      for (const { index, result } of page) if (result) all.push({ ...typed<Output>(result), index })
    }
    return all.sort((a, b) => a.index - b.index)
  }
}

/** Whether a hint may be about a batch's counts. */
function concerns(hint: Hint, id: string, queue: string | undefined): boolean {
  if (hint.type === 'ended') return hint.batches.includes(id)
  return hint.type === 'changed' || (hint.type === 'added' && (queue === undefined || hint.queues.includes(queue)))
}
