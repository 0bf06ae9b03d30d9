/** What a plan throws when it finds that stored records cannot be right. */
import type { Table } from './records.js'

/**
 * A record is missing, unreadable or contradicts another one. Nothing was written. Whoever drives plans runs the repair
 * (plan/repair/) and the plan again.
 */
export class DamagedError extends Error {
  override readonly name = 'DamagedError'
  readonly table: Table

  constructor(table: Table, what: string) {
    super(`A stored record of kind '${table}' is damaged: ${what}.`)
    this.table = table
  }
}
