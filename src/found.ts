import { compareKeys, type Key } from './keys.js'
import { DamagedError } from './plan/damage.js'
import type { Table, TableRecord } from './plan/records.js'
import { fits } from './plan/shapes.js'
import { keyOf } from './plan/tables.js'
import type { Read, ReadOf } from './storage.js'

/**
 * Hands a read its records. The one place where stored data gets its type, and where it is looked at: a record that does
 * not have the shape of its table, or that lies under another's key as far as their order tells, is a DamagedError.
 */
export function fill(read: Read, records: unknown[]): void {
  if (read.table === 'raw') read.found = records
  else hand(read, records)
}

function hand<T extends Table>(read: ReadOf<T>, records: unknown[]): void {
  const { table } = read
  const found: TableRecord<T>[] = []
  for (const record of records) {
    if (!fits(table, record)) throw new DamagedError(table, `one of ${where(read)} cannot be read`)
    found.push(record)
  }
  if (!inOrder(read, found)) throw new DamagedError(table, `one of ${where(read)} belongs elsewhere`)
  read.found = found
}

/** Records say themselves where they belong. */
function inOrder<T extends Table>({ table, key, to, reverse }: ReadOf<T>, found: readonly TableRecord<T>[]): boolean {
  let last: Key | undefined
  for (let i = 0; i < found.length; i++) {
    const record = found[reverse ? found.length - 1 - i : i]
    if (record === undefined) return false
    const own = keyOf(table, record)
    // The first may be the bound itself, each next one comes after the one before.
    if (last === undefined ? compareKeys(key, own) > 0 : compareKeys(last, own) >= 0) return false
    last = own
  }
  return last === undefined || compareKeys(last, to ?? key) <= 0
}

const where = ({ key, to }: { key: Key; to?: Key }): string =>
  to === undefined ? JSON.stringify(key) : `${JSON.stringify(key)} to ${JSON.stringify(to)}`
