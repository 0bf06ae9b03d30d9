import fc from 'fast-check'
import type { Key } from '../../src/keys.js'
import { type Store, stores } from '../../src/plan/records.js'
import { rawRange } from '../../src/plan/tables.js'
import type { Plan, Storage, Write } from '../../src/storage.js'

/** Damages records directly in a storage, as a broken disk or somebody with developer tools would. */

export interface Stored {
  store: Store
  key: Key
  record: unknown
}

export function everything(storage: Storage): Promise<Stored[]> {
  const plan = function* (): Plan<Stored[]> {
    const reads = stores.map((store) => rawRange(store, Number.NEGATIVE_INFINITY, [[]], 100_000))
    yield reads
    const value = reads.flatMap(({ store, keys, found }) => keys.map((key, i) => ({ store, key, record: found[i] })))
    return { writes: [], value }
  }
  return storage.run(plan, { stores, write: false })
}

export function write(storage: Storage, ...writes: Write[]): Promise<void> {
  const plan = function* (): Plan<void> {
    yield []
    return { writes, value: undefined }
  }
  return storage.run(plan, { stores, write: true })
}

/** Things that no record, and mostly no field, may be. */
export const junk = fc.constantFrom<readonly unknown[]>(
  [null],
  [undefined],
  [0],
  [-1],
  [Number.NaN],
  [1e15],
  [0.5],
  ['x'],
  [''],
  [true],
  [[]],
  [{}],
  [new Date(0)],
  [new Uint8Array(3)],
  [new Float64Array(7)],
  [[1, 2, 3]],
  [{ lane: 0, from: 0, to: 5 }],
  [5],
  [100],
)

export type Damage =
  | { how: 'delete'; pick: number }
  | { how: 'replace'; pick: number; by: readonly unknown[] }
  | { how: 'change'; pick: number; field: number; by: readonly unknown[] }
  | { how: 'drop'; pick: number; field: number }
  | { how: 'swap'; pick: number; other: number }

export const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ how: fc.constant('delete' as const), pick: fc.nat() }),
  fc.record({ how: fc.constant('replace' as const), pick: fc.nat(), by: junk }),
  fc.record({ how: fc.constant('change' as const), pick: fc.nat(), field: fc.nat(20), by: junk }),
  fc.record({ how: fc.constant('drop' as const), pick: fc.nat(), field: fc.nat(20) }),
  fc.record({ how: fc.constant('swap' as const), pick: fc.nat(), other: fc.nat() }),
)

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)

/** Does it. Returns the records it touched, as they were. */
export async function inflict(storage: Storage, of: Damage): Promise<Stored[]> {
  const all = await everything(storage)
  const at = (pick: number) => all[pick % all.length]
  const hit = at(of.pick)
  if (!hit) return []
  const { store, key, record } = hit
  if (of.how === 'delete') {
    await write(storage, { kind: 'delete', store, key })
    return [hit]
  }
  if (of.how === 'replace') {
    await write(storage, { kind: 'put', store, key, record: of.by[0] })
    return [hit]
  }
  if (of.how === 'swap') {
    const other = at(of.other)
    if (!other) return []
    await write(
      storage,
      { kind: 'put', store, key, record: other.record },
      { kind: 'put', store: other.store, key: other.key, record },
    )
    return [hit, other]
  }
  if (!isFields(record)) return []
  const before = structuredClone(hit)
  const field = Object.keys(record)[of.field % Object.keys(record).length]
  if (field === undefined) return []
  if (of.how === 'drop') delete record[field]
  else record[field] = of.by[0]
  await write(storage, { kind: 'put', store, key, record })
  return [before]
}
