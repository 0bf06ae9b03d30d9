import { localChannel } from '../src/channel.js'
import { IndexedDBBackend } from '../src/indexeddb/index.js'
import { IndexedDBStorage } from '../src/indexeddb/storage.js'
import { LocalBackend } from '../src/local.js'
import { MemoryStorage } from '../src/memory/storage.js'
import { backendConformance } from './backend.conformance.js'
import { repeating } from './support/repeating.js'

const local = (storage: MemoryStorage, driven = storage) => {
  const backend = new LocalBackend({ storage: driven, channel: localChannel() })
  return { backend, storage, repeats: driven !== storage, close: () => backend.close() }
}

backendConformance('memory', async () => local(new MemoryStorage()))

backendConformance('memory that loses its answers', async () => {
  const storage = new MemoryStorage()
  return local(storage, repeating(storage))
})

backendConformance('IndexedDB', async () => {
  const name = crypto.randomUUID()
  const backend = new IndexedDBBackend({ name })
  const storage = new IndexedDBStorage({ name })
  const close = async () => {
    await storage.close()
    await backend.destroy()
  }
  return { backend, storage, repeats: false, close }
})
