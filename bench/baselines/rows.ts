/** One record per task without an index: the least that storing tasks one by one can cost. */
import { WrongOutcomeError } from '../contract.js'
import { type Item, isItem, item } from '../rows/items.js'
import { answer, checkSome, committed, freshDatabase, writing } from './idb.js'

const NAME = 'bench-rows'
const upgrade = (db: IDBDatabase) => void db.createObjectStore('tasks', { keyPath: 'id' })

/** Open and warm. */
export async function freshRows(): Promise<IDBDatabase> {
  const db = await freshDatabase(NAME, upgrade)
  await putRow(db, { ...item(0), id: -1 })
  return db
}

/** All in one transaction, no wait in between. */
export async function putRows(db: IDBDatabase, items: readonly Item[]): Promise<void> {
  const tx = writing(db, 'tasks')
  const store = tx.objectStore('tasks')
  for (const one of items) store.put(one)
  tx.commit()
  await committed(tx)
}

/** In a transaction of its own. */
export function putRow(db: IDBDatabase, one: Item): Promise<void> {
  const tx = writing(db, 'tasks')
  tx.objectStore('tasks').put(one)
  tx.commit()
  return committed(tx)
}

/** Closes it, opens it again and looks at 100 of them. */
export async function checkRows(db: IDBDatabase, count: number): Promise<void> {
  db.close()
  await checkSome({ name: NAME, upgrade, count }, async (store, id) => {
    const found: unknown = await answer(store.get(id))
    if (!isItem(found, id)) throw new WrongOutcomeError(`Record ${id} is ${JSON.stringify(found)}.`)
  })
}
