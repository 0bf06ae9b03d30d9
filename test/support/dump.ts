/** A whole database as JSON that people can read, and back. Only what records are made of is known here. */

export interface Dump {
  version: number
  /** Keys and records of each store. */
  stores: Record<string, [key: IDBValidKey, record: unknown][]>
}

const answer = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

/** Of a database that exists. */
export async function dumpDatabase(name: string): Promise<Dump> {
  const database = await answer(indexedDB.open(name))
  try {
    const names = [...database.objectStoreNames]
    const tx = database.transaction(names, 'readonly')
    const stores: Dump['stores'] = {}
    for (const store of names) {
      const [keys, records] = await Promise.all([
        answer(tx.objectStore(store).getAllKeys()),
        answer<unknown[]>(tx.objectStore(store).getAll()),
      ])
      stores[store] = keys.map((key, i) => [key, records[i]])
    }
    return { version: database.version, stores }
  } finally {
    database.close()
  }
}

/** Makes the database, which must not exist. */
export async function restoreDatabase(name: string, { version, stores }: Dump): Promise<void> {
  const request = indexedDB.open(name, version)
  request.onupgradeneeded = () => {
    for (const [store, records] of Object.entries(stores)) {
      const made = request.result.createObjectStore(store)
      for (const [key, record] of records) made.put(record, key)
    }
  }
  const database = await answer(request)
  database.close()
}

const TYPED = { Uint8Array, Int32Array, Float32Array, Float64Array }

/** What JSON has no word for is an object with one field, `$…`. */
export function encode(value: unknown): unknown {
  if (value === undefined) return { $undefined: true }
  if (typeof value === 'bigint') return { $bigint: String(value) }
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) }
  if (value instanceof Date) return { $Date: value.getTime() }
  if (value instanceof Map) return { $Map: [...value].map(encode) }
  if (value instanceof Set) return { $Set: [...value].map(encode) }
  for (const [name, Typed] of Object.entries(TYPED)) {
    if (value instanceof Typed) return { [`$${name}`]: Array.from(value, encode) }
  }
  if (Array.isArray(value)) return Array.from(value, encode)
  if (typeof value !== 'object' || value === null) return value
  const proto: unknown = Object.getPrototypeOf(value)
  if (proto !== Object.prototype) throw new TypeError(`There is no word for a ${value.constructor.name}.`)
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, encode(field)]))
}

export function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  const [[key, content] = ['', undefined]] = entries
  if (!key.startsWith('$')) return Object.fromEntries(entries.map(([name, field]) => [name, decode(field)]))
  if (key === '$undefined') return undefined
  if (key === '$bigint') return BigInt(content)
  if (key === '$number') return Number(content)
  if (key === '$Date') return new Date(content)
  const items: unknown[] = Array.isArray(content) ? content.map(decode) : []
  if (key === '$Set') return new Set(items)
  if (key === '$Map') return new Map(items.flatMap((item) => (Array.isArray(item) ? [[item[0], item[1]]] : [])))
  for (const [name, Typed] of Object.entries(TYPED)) if (key === `$${name}`) return Typed.from(items.map(Number))
  throw new TypeError(`Nobody knows ${key}.`)
}
