/** IndexedDB as it comes, without a promise for each request: what the baselines are made of. */

export async function freshDatabase(name: string, upgrade: (db: IDBDatabase) => void): Promise<IDBDatabase> {
  await new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = () => resolve()
    request.onerror = () => reject(request.error)
  })
  return openDatabase(name, upgrade)
}

export function openDatabase(name: string, upgrade: (db: IDBDatabase) => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => upgrade(request.result)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** What `sitq` gives by default too. */
export const writing = (db: IDBDatabase, store: string) => db.transaction(store, 'readwrite', { durability: 'relaxed' })

/** Resolves once it is committed. */
export function committed(tx: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve()
    tx.onabort = () => reject(tx.error)
  })
}

export function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Opens a database that was closed, and looks at 100 random ones of `count` in its only store. */
export async function checkSome(
  { name, upgrade, count }: { name: string; upgrade(db: IDBDatabase): void; count: number },
  check: (store: IDBObjectStore, id: number) => Promise<void>,
): Promise<void> {
  const db = await openDatabase(name, upgrade)
  const [only = ''] = db.objectStoreNames
  const store = db.transaction(only).objectStore(only)
  for (let i = 0; i < 100; i++) await check(store, Math.floor(Math.random() * count))
  db.close()
}
