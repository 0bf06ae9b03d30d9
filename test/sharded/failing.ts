import type { Backend, NewTask } from '../../src/backend.js'
import { localChannel } from '../../src/channel.js'
import { StorageError } from '../../src/errors.js'
import { LocalBackend } from '../../src/local.js'
import { MemoryStorage } from '../../src/memory/storage.js'
import { ShardedBackend, type ShardedBackendOptions } from '../../src/sharded/backend.js'

/** What becomes of a call: it is done; it never arrives; its answer is lost; it is not answered before it is let go. */
export type Fate = 'done' | 'refused' | 'lost' | 'silent'

/** A shard that can fail, and be restarted: what it has stored stays. */
export class FailingShard {
  readonly storage = new MemoryStorage()
  readonly backend: Backend
  fate: (method: string) => Fate = () => 'done'
  /** Of the calls that are not answered. */
  #release: (() => void)[] = []
  #local = this.#open()

  constructor() {
    const { channel } = this.#local
    this.backend = new Proxy(this.#local, {
      get: (_, key) => {
        if (key === 'channel') return channel
        const value: unknown = Reflect.get(this.#local, key, this.#local)
        if (typeof value !== 'function' || typeof key !== 'string') return value
        return (...args: unknown[]) => this.#call(key, () => Reflect.apply(value, this.#local, args))
      },
    })
  }

  #open(): LocalBackend {
    return new LocalBackend({ storage: this.storage, channel: localChannel() })
  }

  /** Another life: what was in memory alone is gone. */
  restart(): void {
    this.#local = this.#open()
  }

  answer(): void {
    for (const go of this.#release.splice(0)) go()
  }

  async #call(method: string, call: () => Promise<unknown>): Promise<unknown> {
    const fate = this.fate(method)
    if (fate === 'refused') throw new StorageError('unavailable', 'refused')
    const value = await call()
    if (fate === 'lost') throw new StorageError('lost', 'its answer is lost')
    if (fate === 'silent') await new Promise<void>((resolve) => this.#release.push(resolve))
    return value
  }
}

export function failing(count: number, options: Partial<ShardedBackendOptions> = {}) {
  const shards = Array.from({ length: count }, () => new FailingShard())
  const errors: unknown[] = []
  const connect = () =>
    new ShardedBackend({
      shards: shards.map(({ backend }) => backend),
      key: ({ input }) => String(input),
      onError: (error) => errors.push(error),
      ...options,
    })
  return { shards, errors, connect, backend: connect() }
}

export const task = (input: unknown): NewTask => ({ queue: 'default', name: 'work', input, priority: 0 })
