import type { Key } from '../keys.js'
import { type Layout, migrationSteps } from '../plan/migrations.js'
import type { Upgrade } from './schema.js'
import { runIn } from './transaction.js'

/**
 * Brings a database to a layout, in the transaction that changes its version: all of it or nothing, whatever dies meanwhile.
 * Rejects with what a step threw, or the platform's error; the caller aborts the transaction then.
 */
export async function migrate(tx: Upgrade, layout: Layout, from: number): Promise<void> {
  for (const step of migrationSteps(layout, from)) {
    let at: Key | undefined
    do at = await runIn(tx, step(at))
    while (at !== undefined)
  }
}
