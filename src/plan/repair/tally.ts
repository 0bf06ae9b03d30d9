import type { Repaired } from '../../backend.js'
import type { Key } from '../../keys.js'
import type { Table, TableRecord } from '../records.js'
import { keyOf } from '../tables.js'

export class Tally {
  readonly repaired: Repaired = { damaged: {}, failed: 0, returned: 0 }
  readonly #unreadable = new Set<string>()

  note(table: Table, count = 1): void {
    if (count === 0) return
    const { damaged } = this.repaired
    damaged[table] = (damaged[table] ?? 0) + count
  }

  /** What lies under this key can't be read. */
  unreadable(table: Table, key: Key): void {
    this.note(table)
    this.#unreadable.add(JSON.stringify([table, key]))
  }

  /** Whether a record is no more than the successor of one that could not be read, which was counted. */
  succeeds<T extends Table>(table: T, record: TableRecord<T>): boolean {
    return this.#unreadable.has(JSON.stringify([table, keyOf(table, record)]))
  }
}

export const foundAny = ({ damaged, failed, returned }: Repaired): boolean =>
  Object.keys(damaged).length > 0 || failed > 0 || returned > 0

/** For people: what was found, without a word of what the tasks are about. */
export function describe({ damaged, failed, returned }: Repaired): string {
  const kinds = Object.entries(damaged).map(([table, count]) => `${count} × ${table}`)
  const came = [
    failed > 0 ? `${failed} tasks have failed because of it` : '',
    returned > 0 ? `${returned} go back to their queues` : '',
  ].filter(Boolean)
  return `Stored records were damaged (${kinds.join(', ')}). They are mended${came.length > 0 ? `: ${came.join(', ')}` : ''}.`
}
