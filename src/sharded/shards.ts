import type { Backend } from '../backend.js'
import type { Clock } from '../clock.js'
import { StorageError } from '../errors.js'

export interface ShardsOptions {
  clock: Clock
  /** ms. */
  patience: number
  onError: (error: unknown) => void
}

/** The shards, and what it means to ask several. */
export class Shards {
  readonly all: readonly Backend[]
  readonly #options: ShardsOptions

  constructor(all: readonly Backend[], options: ShardsOptions) {
    this.all = all
    this.#options = options
  }

  get count(): number {
    return this.all.length
  }

  at(shard: number): Backend {
    const found = this.all[shard]
    if (!found) throw new RangeError(`There is no shard ${shard}.`)
    return found
  }

  /** All of them, at the same time. Rejects if one does, once all have ended. */
  async every<T>(ask: (shard: Backend, index: number) => Promise<T>): Promise<T[]> {
    const ends = await Promise.allSettled(this.all.map(ask))
    return ends.map((end) => {
      if (end.status === 'rejected') throw end.reason
      return end.value
    })
  }

  /** Those that answer in time; the others are told of. Rejects if none does. For what is asked again and again. */
  async willing<T>(ask: (shard: Backend, index: number) => Promise<T>): Promise<{ shard: number; value: T }[]> {
    const ends = await Promise.allSettled(this.all.map((shard, i) => this.within(i, ask(shard, i))))
    const answers = ends.flatMap((end, shard) => (end.status === 'fulfilled' ? { shard, value: end.value } : []))
    const failed = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
    if (answers.length === 0) throw failed[0]
    for (const error of failed) this.report(error)
    return answers
  }

  /** Rejects once patience has ended; `overdue` is called then. */
  within<T>(shard: number, answer: Promise<T>, overdue: () => void = () => answer.catch(() => {})): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = this.#options.clock.timer(this.#options.patience, () => {
        overdue()
        reject(this.silent(shard))
      })
      answer.then(resolve, reject).finally(stop)
    })
  }

  silent(shard: number): StorageError {
    const message = `Shard ${shard} has not answered within ${this.#options.patience} ms: the others go on.`
    return new StorageError('unavailable', message)
  }

  report(error: unknown): void {
    this.#options.onError(error)
  }
}
