import { isList, type Key } from '../../src/keys.js'
import { currentLayout, type Layout, type Migration, type MigrationStep } from '../../src/plan/migrations.js'
import { allLedgers, LAST, put, range } from '../../src/plan/tables.js'
import type { Write } from '../../src/storage.js'

// What newer versions of the app may look like. Today's code works on what they leave behind, so that tests can go on there.

/** Adds a field to every ledger. */
const ledgers: MigrationStep = function* () {
  const all = allLedgers()
  yield [all]
  const writes: Write[] = all.found.map((ledger) => put('ledger', ledger.queue, { ...ledger, ...{ since: 2 } }))
  return { writes, value: undefined }
}

/** Adds a field to every batch, two at a time. */
const batches: MigrationStep = function* (from: Key = ['batch']) {
  const some = range('batch', isList(from) ? from.slice(1) : from, [LAST], { limit: 2 })
  yield [some]
  const writes = some.found.map((batch) => put('batch', batch.id, { ...batch, ...{ since: 2 } }))
  const last = some.found.at(-1)
  return { writes, value: some.found.length < 2 || !last ? undefined : ['batch', `${last.id}\u0000`] }
}

/** Doubles what the first added: that it ran twice, or alone, would show. */
const again: MigrationStep = function* () {
  const all = allLedgers()
  yield [all]
  const since = (ledger: object) => ('since' in ledger && typeof ledger.since === 'number' ? ledger.since : Number.NaN)
  const writes = all.found.map((ledger) => put('ledger', ledger.queue, { ...ledger, ...{ since: since(ledger) + 1 } }))
  return { writes, value: undefined }
}

const two: Migration = { to: 2, steps: [ledgers, batches] }
const three: Migration = { to: 3, steps: [again] }

/** Never ends. */
const endless: MigrationStep = function* () {
  yield [allLedgers()]
  return { writes: [], value: 'again' }
}

export const layouts = {
  1: currentLayout,
  2: { version: 2, migrations: [two] },
  3: { version: 3, migrations: [two, three] },
  slow: { version: 2, migrations: [{ to: 2, steps: [ledgers, endless] }] },
} as const satisfies Record<string, Layout>

/** To layout 2 as well, but something goes wrong in the middle. */
export const failing = (error: unknown): Layout => {
  const fail: MigrationStep = () => {
    throw error
  }
  return { version: 2, migrations: [{ to: 2, steps: [ledgers, fail, batches] }] }
}
