import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import type { Fields } from './fields.js'
import type { Format } from './inspect.js'

/** A file as it was taken in: the import reads it from here, in slices, however often the page is reloaded. */
export interface StoredFile {
  id: string
  name: string
  content: Blob
  format: Format
  fields: Fields
}

interface Schema extends DBSchema {
  files: { key: string; value: StoredFile }
}

const NAME = 'sitq-demo-files'
let opening: Promise<IDBPDatabase<Schema>> | undefined

function open(): Promise<IDBPDatabase<Schema>> {
  opening ??= openDB<Schema>(NAME, 1, {
    upgrade: (database) => database.createObjectStore('files', { keyPath: 'id' }),
    blocking: close, // another tab clears everything
    terminated: () => {
      opening = undefined
    },
  }).catch((error: unknown) => {
    opening = undefined
    throw error
  })
  return opening
}

async function close(): Promise<void> {
  const open = opening
  opening = undefined
  ;(await open)?.close()
}

/** Files live outside the queue: a task carries a file's id and where to read, not its bytes. */
export const files = {
  async save(file: StoredFile): Promise<void> {
    await (await open()).put('files', file)
  },
  async find(id: string): Promise<StoredFile | undefined> {
    return (await open()).get('files', id)
  },
  async remove(id: string): Promise<void> {
    await (await open()).delete('files', id)
  },
  async clear(): Promise<void> {
    await (await open()).clear('files')
  },
}
