import type { Table, TableRecord } from './plan/records.js'
import type { Read, ReadOf } from './storage.js'

/**
 * Hands a read its records. The one place where stored data gets its type: what lies under a table's keys was put there by
 * `put` and `add` of plan/records.ts, which took only that table's records. Checking again would cost more than reading.
 */
export function fill(read: Read, records: unknown[]): void {
  hand(read, records)
}

function hand<T extends Table>(read: ReadOf<T>, records: unknown[]): void {
  read.found = records as TableRecord<T>[]
}
