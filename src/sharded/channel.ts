import { type Channel, type Hint, intervalsIn } from '../channel.js'
import type { Lanes } from './lanes.js'

/** The channels of all shards as one. */
export class ShardedChannel implements Channel {
  readonly #channels: readonly Channel[]
  readonly #lanes: Lanes

  constructor(channels: readonly Channel[], lanes: Lanes) {
    this.#channels = channels
    this.#lanes = lanes
  }

  /** What names places goes to their shards; the rest to the first one, where everyone hears it once. */
  post(hint: Hint): void {
    if (hint.type !== 'ended') {
      this.#channels[0]?.post(hint)
      return
    }
    const { intervals, batches } = hint
    const parts = new Map<number, number[]>()
    for (const { lane: mixed, from, to } of intervalsIn(intervals)) {
      const { shard, lane } = this.#lanes.apart(mixed)
      parts.set(shard, [...(parts.get(shard) ?? []), lane, from, to])
    }
    if (parts.size === 0) parts.set(0, [])
    for (const [shard, of] of parts) this.#channels[shard]?.post({ type: 'ended', intervals: of, batches })
  }

  /**
   * What has ended is said twice: with the lanes that batches are read by, and with those in the tasks' ids, by which single
   * tasks are waited for. Where one looks like another's, somebody looks in vain once.
   */
  listen(hear: (hint: Hint) => void): () => void {
    const ways = this.#channels.map((channel, shard) =>
      channel.listen((hint) => {
        if (hint.type !== 'ended') return hear(hint)
        const { intervals } = hint
        hear({ ...hint, intervals: [...this.#lanes.intervals(shard, intervals), ...intervals] })
      }),
    )
    return () => {
      for (const stop of ways) stop()
    }
  }

  close(): void {
    for (const channel of this.#channels) channel.close()
  }
}
