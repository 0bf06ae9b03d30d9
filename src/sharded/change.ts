/** What someone who is not the host asks to be changed, on the shards that it concerns. */
import type { Change } from '../backend.js'
import { parseId } from '../task.js'
import type { Places } from './places.js'
import type { Shards } from './shards.js'

export function changeShards(shards: Shards, places: Places, change: Change): Promise<number> {
  switch (change.type) {
    case 'cancel':
    case 'retry':
      return changeTasks(shards, places, change)
    case 'cancel-batch':
    case 'end-batch':
      return changeBatch(shards, places, change)
    case 'open-gate':
      return openGates(shards, change)
    default:
      return changeAll(shards, change)
  }
}

async function changeAll(shards: Shards, change: Change): Promise<number> {
  const counts = await shards.every((shard) => shard.change(change))
  return counts.reduce((sum, count) => sum + count, 0)
}

async function changeTasks(
  shards: Shards,
  places: Places,
  change: Extract<Change, { type: 'cancel' | 'retry' }>,
): Promise<number> {
  let changed = 0
  const ends = await Promise.allSettled(
    [...(await places.find(change.ids))].map(async ([at, indexes]) => {
      const ids = indexes.flatMap((i) => change.ids[i] ?? [])
      const shard = shards.at(at)
      const count = await shard.change({ ...change, ids })
      changed += count
      // Whoever works on this shard alone knows it by other lanes than those here.
      const intervals = ids.flatMap((id) => {
        const { lane = 0, position = 0 } = parseId(id) ?? {}
        return [lane, position, position + 1]
      })
      if (count > 0) shard.channel.post({ type: 'ended', intervals, batches: [] })
    }),
  )
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return changed
}

async function changeBatch(
  shards: Shards,
  places: Places,
  change: Extract<Change, { type: 'cancel-batch' | 'end-batch' }>,
): Promise<number> {
  const { shard, view } = await places.batch(change.batch)
  return view ? shards.at(shard).change(change) : 0
}

/** One shard after the other, so that no more is opened than was asked for. A shard that does not answer is looked at again. */
async function openGates(shards: Shards, change: Extract<Change, { type: 'open-gate' }>): Promise<number> {
  const { limit } = change
  if (limit === undefined) {
    const counts = await shards.willing((shard) => shard.change(change))
    return counts.reduce((sum, { value }) => sum + value, 0)
  }
  let opened = 0
  let failed = 0
  for (const [i, shard] of shards.all.entries()) {
    if (opened >= limit) break
    try {
      opened += await shards.within(i, shard.change({ ...change, limit: limit - opened }))
    } catch (error) {
      if (++failed === shards.count) throw error
      shards.report(error)
    }
  }
  return opened
}
