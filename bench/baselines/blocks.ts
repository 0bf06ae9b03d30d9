/** The blocks that `enqueueMany` stores, put as they are: what is left to win by making the rest of it free. */
import { WrongOutcomeError } from '../contract.js'
import { type Item, isItem } from '../rows/items.js'
import { answer, checkSome, committed, freshDatabase, writing } from './idb.js'

const NAME = 'bench-blocks'
const SIZE = 256
const LANE = 1
const upgrade = (db: IDBDatabase) => void db.createObjectStore('blocks')

/** Open and warm. */
export async function freshBlocks(): Promise<IDBDatabase> {
  const db = await freshDatabase(NAME, upgrade)
  const tx = writing(db, 'blocks')
  tx.objectStore('blocks').put({ inputs: [] }, [0, 0])
  tx.commit()
  await committed(tx)
  return db
}

/** All in one transaction. */
export async function putBlocks(db: IDBDatabase, items: readonly Item[]): Promise<void> {
  const tx = writing(db, 'blocks')
  const store = tx.objectStore('blocks')
  const shared = {
    lane: LANE,
    at: Date.now(),
    nonce: crypto.randomUUID(),
    name: 'noop',
    batch: 'bench',
    born: Date.now(),
  }
  for (let from = 0; from < items.length; from += SIZE) {
    const inputs = items.slice(from, from + SIZE)
    store.add({ ...shared, from, to: from + inputs.length, inputs }, [LANE, from])
  }
  tx.commit()
  await committed(tx)
}

/** Closes it, opens it again and looks at 100 of them. */
export async function checkBlocks(db: IDBDatabase, count: number): Promise<void> {
  db.close()
  await checkSome({ name: NAME, upgrade, count }, async (store, id) => {
    const { inputs } = await answer<{ inputs: unknown[] }>(store.get([LANE, id - (id % SIZE)]))
    const found = inputs[id % SIZE]
    if (!isItem(found, id)) throw new WrongOutcomeError(`Input ${id} is ${JSON.stringify(found)}.`)
  })
}
