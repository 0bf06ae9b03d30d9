/** How a stored database of an older layout becomes one of this: pure plans, run in the transaction that raises its version. */
import type { Key } from '../keys.js'
import type { Plan } from '../storage.js'
import { LAYOUT } from './records.js'
import { one, ROOT, store } from './tables.js'

/**
 * A part of a migration. It begins with `undefined`, and goes on from the key it ends with until it ends with `undefined`,
 * so that a million marks need not be in memory at once.
 */
export type MigrationStep = (from: Key | undefined) => Plan<Key | undefined>

export interface Migration {
  /** The layout it leads to, from the one before. */
  readonly to: number
  /** In order. They rewrite ledgers and marks, never blocks. */
  readonly steps: readonly MigrationStep[]
}

/** A layout, and the way to it from every one before. */
export interface Layout {
  readonly version: number
  readonly migrations: readonly Migration[]
}

export const currentLayout: Layout = { version: LAYOUT, migrations: [] }

/** What has to be run, in order, to come from one layout to another. Throws if there is no way. */
export function* migrationSteps(layout: Layout, from: number): Generator<MigrationStep, void, undefined> {
  for (let to = from + 1; to <= layout.version; to++) {
    const migration = layout.migrations.find((one) => one.to === to)
    if (!migration) throw new Error(`There is no migration from layout ${to - 1} to ${to}.`)
    yield* migration.steps
  }
  yield () => seal(layout.version)
}

/** Says of which layout the database is. One that was never used has no root, and gets one later. */
function* seal(layout: number): Plan<undefined> {
  const root = one('root', ROOT)
  yield [root]
  return { writes: root.found.map((found) => store('root', { ...found, layout })), value: undefined }
}
