/**
 * The best queue with one record per task: an index on the state, `getAll` to claim, one `put` per task; what settles one batch and
 * claims the next is one transaction with `commit()`. Inline: it pays for no messages.
 */
import { WrongOutcomeError } from '../contract.js'
import { type Item, items } from '../rows/items.js'
import { answer, checkSome, committed, freshDatabase, openDatabase, writing } from './idb.js'

const NAME = 'bench-records'
const BATCH = 128
const upgrade = (db: IDBDatabase) => void db.createObjectStore('tasks', { keyPath: 'id' }).createIndex('state', 'state')

const WAITING = 0
const RUNNING = 1
const DONE = 2
interface Row {
  id: number
  state: typeof WAITING | typeof RUNNING | typeof DONE
  input: Item
  output?: number
}

const rowOf = (input: Item): Row => ({ id: input.id, state: WAITING, input })

/** Open and warm: a batch has been through. */
export async function freshRecords(): Promise<IDBDatabase> {
  const db = await freshDatabase(NAME, upgrade)
  await putRecords(
    db,
    items(BATCH).map(({ id, text }) => ({ id: -1 - id, text })),
  )
  await drainRecords(db)
  return db
}

export const openRecords = () => openDatabase(NAME, upgrade)

export async function putRecords(db: IDBDatabase, given: readonly Item[]): Promise<void> {
  const tx = writing(db, 'tasks')
  const store = tx.objectStore('tasks')
  for (const one of given) store.put(rowOf(one))
  tx.commit()
  await committed(tx)
}

/** In a transaction of its own. */
export function putRecord(db: IDBDatabase, input: Item): Promise<void> {
  const tx = writing(db, 'tasks')
  tx.objectStore('tasks').put(rowOf(input))
  tx.commit()
  return committed(tx)
}

/** Claims and settles until nothing is left. Resolves with how many. */
export async function drainRecords(db: IDBDatabase): Promise<number> {
  let done: Row[] = []
  let total = 0
  for (;;) {
    done = await exchange(db, done)
    if (done.length === 0) return total
    total += done.length
    // The work: none.
    for (const row of done) row.output = row.input.id
  }
}

/** Settles these and claims others, in one transaction. */
export async function exchange(db: IDBDatabase, done: readonly Row[], limit = BATCH): Promise<Row[]> {
  const tx = writing(db, 'tasks')
  const store = tx.objectStore('tasks')
  for (const row of done) store.put({ ...row, state: DONE })
  const over = committed(tx)
  const claimed = await answer<Row[]>(store.index('state').getAll(WAITING, limit))
  for (const row of claimed) store.put({ ...row, state: RUNNING })
  tx.commit()
  await over
  return claimed
}

/** Closes it, opens it again and looks at 100 of them. */
export async function checkRecords(db: IDBDatabase, count: number): Promise<void> {
  db.close()
  await checkSome({ name: NAME, upgrade, count }, async (store, id) => {
    const found = await answer<Row | undefined>(store.get(id))
    if (found?.state !== DONE || found.output !== id)
      throw new WrongOutcomeError(`Record ${id}: ${JSON.stringify(found)}.`)
  })
}
