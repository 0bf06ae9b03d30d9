import { IndexedDBStorage } from '../../src/indexeddb/storage.js'
import { MemoryStorage } from '../../src/memory/storage.js'
import type { Database } from './world.js'

/** What models run over: each a database of its own. */

export const inMemory = async (): Promise<Database> => {
  const storage = new MemoryStorage()
  return { connect: () => storage, raw: storage, close: () => storage.close() }
}

export const inIndexedDB = async (): Promise<Database> => {
  const name = `model-${crypto.randomUUID()}`
  const open: IndexedDBStorage[] = []
  const connect = () => {
    const storage = new IndexedDBStorage({ name })
    open.push(storage)
    return storage
  }
  const raw = connect()
  const close = async () => {
    for (const storage of open) if (storage !== raw) await storage.close()
    await raw.destroy()
  }
  return { connect, raw, close }
}
