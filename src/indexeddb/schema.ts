import type { IDBPDatabase, IDBPTransaction } from 'idb'
import type { Store } from '../plan/records.js'

export type Schema = { [S in Store]: { key: IDBValidKey; value: unknown } }
export type Database = IDBPDatabase<Schema>
export type Mode = 'readonly' | 'readwrite' | 'versionchange'
export type Transaction<M extends Mode> = IDBPTransaction<Schema, Store[], M>
export type Writing = 'readwrite' | 'versionchange'
/** The transaction in which a database comes to its version. */
export type Upgrade = Transaction<'versionchange'>
