/**
 * What of Cloudflare's API is used, as far as it is used. The library is built without Cloudflare's types, whose globals are
 * at odds with the browser's; theirs fit these.
 */

/** The synchronous key-value API of an object whose storage is SQLite. */
export interface SyncKV {
  get(key: string): unknown
  list(options: { start: string; end: string; reverse?: boolean; limit?: number }): Iterable<[string, unknown]>
  put(key: string, value: unknown): void
  delete(key: string): boolean
}

/** `ctx.storage` of such an object. */
export interface ObjectStorage {
  /** Absent: the class was declared without SQLite (`new_classes` instead of `new_sqlite_classes`). */
  readonly kv?: SyncKV
  transactionSync<T>(work: () => T): T
  sync(): Promise<void>
  getAlarm(): Promise<number | null>
  setAlarm(at: number): Promise<void>
  deleteAlarm(): Promise<void>
}

/** `ctx` of a Durable Object. */
export interface ObjectState {
  readonly id: { readonly name?: string | undefined }
  abort(reason?: string): void
  readonly storage: ObjectStorage
  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>
}

/** Binding of a class of Durable Objects, as in `env.JOBS`. */
export interface ObjectNamespace {
  getByName(name: string): object
}
