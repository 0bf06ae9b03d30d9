import { IndexedDBStorage } from '../src/indexeddb/storage.js'
import { MemoryStorage } from '../src/memory/storage.js'
import { storageConformance } from './storage.conformance.js'

storageConformance('memory', async () => new MemoryStorage())
storageConformance('IndexedDB', async () => new IndexedDBStorage({ name: crypto.randomUUID() }))
