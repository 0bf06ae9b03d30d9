/** Pages of what is stored. Where one goes on is a key, so that each costs the same, however far it is from the beginning. */
import type { Cursor, Page } from '../backend.js'
import type { Key } from '../keys.js'
import type { ReadOf } from '../storage.js'
import type { Table, TableRecord } from './records.js'
import { keyWithin } from './tables.js'

export const cursorOf = (...place: readonly (Key | undefined)[]): Cursor =>
  JSON.stringify(place.filter((key) => key !== undefined))

/** What a cursor was made of. Absent, where a listing begins: nothing. */
export function placeIn(cursor: Cursor = '[]'): Key[] {
  const place: unknown = JSON.parse(cursor)
  return Array.isArray(place) ? place : []
}

/** What a plan that only reads ends with. */
export const answer = <T>(value: T): { writes: []; value: T } => ({ writes: [], value })

export const page = <Item>(items: Item[], next?: Cursor | undefined) =>
  answer<Page<Item>>(next === undefined ? { items } : { items, next })

/** What a read of one record more than a page has tells: the page, and the key of the record that follows. */
export function cut<T extends Table>(
  { table, found }: ReadOf<T>,
  limit: number,
): { found: TableRecord<T>[]; next?: Key } {
  const over = found[limit]
  return { found: found.slice(0, limit), ...(over && { next: keyWithin(table, over) }) }
}
