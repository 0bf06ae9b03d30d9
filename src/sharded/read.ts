/** What can be read in pages, of several shards. */
import type { BatchView, Cursor, GateView, Page, Reads } from '../backend.js'
import type { Lanes } from './lanes.js'
import { mergedPage } from './pages.js'
import type { Places } from './places.js'
import type { Shards } from './shards.js'

interface Parts {
  shards: Shards
  places: Places
  lanes: Lanes
}
type Read<K extends keyof Reads> = (query: Reads[K]['query'], cursor?: Cursor) => Promise<Page<Reads[K]['item']>>

export function readShards<K extends keyof Reads>(
  parts: Parts,
  kind: K,
  query: Reads[K]['query'],
  cursor: Cursor | undefined,
): Promise<Page<Reads[K]['item']>> {
  const readers: { [P in keyof Reads]: Read<P> } = readersOf(parts)
  return readers[kind](query, cursor)
}

function readersOf({ shards, places, lanes }: Parts): { [P in keyof Reads]: Read<P> } {
  const { count } = shards
  return {
    tasks: (query, cursor) =>
      mergedPage({ count, cursor, limit: query.limit }, (shard, limit, from) =>
        shards.at(shard).read('tasks', { ...query, limit }, from),
      ),
    batches: (query, cursor) =>
      mergedPage<BatchView>(
        { count, cursor, limit: query.limit },
        (shard, limit, from) => shards.at(shard).read('batches', { ...query, limit }, from),
        (a, b) => b.createdAt - a.createdAt,
      ),
    // Hosts look at gates again and again: they need not wait for a shard that does not answer.
    gates: (query, cursor) =>
      mergedPage<GateView>({ count, cursor, limit: query.limit }, async (shard, limit, from) => {
        try {
          return await shards.within(shard, shards.at(shard).read('gates', { ...query, limit }, from))
        } catch (error) {
          if (count === 1) throw error
          shards.report(error)
          return { items: [] }
        }
      }),
    async parts(query, cursor) {
      const shard = places.ofBatch(query.batch)
      const page = await shards.at(shard).read('parts', query, cursor)
      return { ...page, items: page.items.map((part) => ({ ...part, lane: lanes.together(shard, part.lane) })) }
    },
    ended(query, cursor) {
      const { shard, lane } = lanes.apart(query.lane)
      return shards.at(shard).read('ended', { ...query, lane }, cursor)
    },
  }
}
