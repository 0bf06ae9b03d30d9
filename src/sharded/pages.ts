/** One listing of what several shards list. */
import type { Page } from '../backend.js'
import { InvalidOptionError } from '../errors.js'

/** Where each shard's listing has got to: a cursor, '' where it has yet to begin, null where it has ended. */
type Places = (string | null)[]

/**
 * A page has the next of each shard, one after the other, or in an order. With fewer items than shards asked for, some shards
 * have their turn on the next page.
 */
export async function mergedPage<Item>(
  { count, cursor, limit }: { count: number; cursor: string | undefined; limit: number },
  read: (shard: number, limit: number, cursor: string | undefined) => Promise<Page<Item>>,
  order?: (a: Item, b: Item) => number,
): Promise<Page<Item>> {
  const { turn, places } =
    cursor === undefined ? { turn: 0, places: Array<string>(count).fill('') } : parsed(cursor, count)
  const open = places.flatMap((place, shard) => (place === null ? [] : shard))
  const start = turn % Math.max(1, open.length)
  const asked = [...open.slice(start), ...open.slice(0, start)].slice(0, limit)
  const pages = await Promise.all(
    asked.map((shard, i) => {
      const share = Math.floor(limit / asked.length) + (i < limit % asked.length ? 1 : 0)
      return read(shard, share, places[shard] || undefined)
    }),
  )
  asked.forEach((shard, i) => {
    places[shard] = pages[i]?.next ?? null
  })
  const items = pages.flatMap((page) => page.items)
  if (order) items.sort(order)
  if (places.every((place) => place === null)) return { items }
  return { items, next: JSON.stringify([start + asked.length, places]) }
}

function parsed(cursor: string, count: number): { turn: number; places: Places } {
  try {
    const [turn, given]: unknown[] = JSON.parse(cursor)
    const places: unknown[] = Array.isArray(given) ? given : []
    if (typeof turn === 'number' && places.length === count && places.every(isPlace)) return { turn, places }
  } catch {
    // Told below.
  }
  throw new InvalidOptionError('cursor', 'This is no cursor of a listing of these shards.')
}

const isPlace = (place: unknown): place is string | null => place === null || typeof place === 'string'
