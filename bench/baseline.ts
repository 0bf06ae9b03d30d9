/**
 * What a queue with one record per task costs at its best: an index on the state, `getAll` to claim, one `put` per task,
 * everything of a batch in one transaction with `commit()`, no work done at all. Ours is measured against it.
 */
import { type DBSchema, deleteDB, type IDBPDatabase, openDB } from 'idb'

interface Row {
  id: number
  state: 0 | 1 | 2
  input: unknown
  output?: unknown
}
interface Rows extends DBSchema {
  tasks: { key: number; value: Row; indexes: { state: number } }
}
const NAME = 'bench-baseline'
const BATCH = 128

export async function openBaseline(): Promise<IDBPDatabase<Rows>> {
  await deleteDB(NAME)
  return openDB<Rows>(NAME, 1, {
    upgrade: (db) => db.createObjectStore('tasks', { keyPath: 'id' }).createIndex('state', 'state'),
  })
}

/** One transaction for all of them, no await per put. */
export async function storeRows(db: IDBPDatabase<Rows>, inputs: readonly unknown[]): Promise<void> {
  const tx = db.transaction('tasks', 'readwrite', { durability: 'relaxed' })
  const puts = inputs.map((input, id) => tx.store.put({ id, state: 0, input }))
  tx.commit()
  await Promise.all([...puts, tx.done])
}

/** Claims and settles until nothing is left; settling one batch and claiming the next share a transaction. Returns how many. */
export async function drainRows(db: IDBPDatabase<Rows>): Promise<number> {
  let done: Row[] = []
  let total = 0
  for (;;) {
    const tx = db.transaction('tasks', 'readwrite', { durability: 'relaxed' })
    const settled = done.map((row) => tx.store.put({ ...row, state: 2, output: row.id }))
    const claimed = await tx.store.index('state').getAll(0, BATCH)
    const puts = claimed.map((row) => tx.store.put({ ...row, state: 1 }))
    tx.commit()
    await Promise.all([...settled, ...puts, tx.done])
    total += done.length
    if (claimed.length === 0) return total
    done = claimed
  }
}
