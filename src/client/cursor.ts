import type { Cursor, Page } from '../backend.js'
import { InvalidOptionError } from '../errors.js'

/** What a page is of: the kind of listing and all that tells what is in it and in which order. */
type Listing = readonly (string | undefined)[]

/**
 * The backend's cursor in one of the queue's. Those say which listing they are of: a backend trusts its cursors, and given
 * another listing's would look in places that don't exist. Throws InvalidOptionError.
 */
export function cursorIn(listing: Listing, cursor: unknown): Cursor | undefined {
  if (cursor === undefined) return undefined
  const prefix = prefixOf(listing)
  if (typeof cursor === 'string' && cursor.startsWith(prefix)) return cursor.slice(prefix.length)
  throw new InvalidOptionError(
    'cursor',
    "cursor must be 'next' of a page of the same listing. Leave it out to start over.",
  )
}

/** The backend's page as the queue gives it. */
export function pageOf<Item>(listing: Listing, { items, next }: Page<Item>): Page<Item> {
  return { items, ...(next === undefined ? {} : { next: prefixOf(listing) + next }) }
}

const prefixOf = (listing: Listing) => `${JSON.stringify(listing)}:`
