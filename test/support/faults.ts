import { onTestFinished, vi } from 'vitest'

/** The platform's handles that are used while something runs, to take them away. */
export async function handlesUsedBy(run: () => Promise<unknown>): Promise<IDBDatabase[]> {
  const spy = vi.spyOn(IDBDatabase.prototype, 'transaction')
  try {
    await run()
    return [...new Set(spy.mock.contexts.flatMap((handle) => (handle instanceof IDBDatabase ? [handle] : [])))]
  } finally {
    spy.mockRestore()
  }
}

/** No database can be opened, as if its files were damaged, until the returned function is called. */
export function refuseToOpen(name = 'UnknownError'): () => void {
  const spy = vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => {
    throw new DOMException('Internal error opening backing store for indexedDB.open.', name)
  })
  const restore = () => spy.mockRestore()
  onTestFinished(restore)
  return restore
}

/** As if nobody asked for it: unlike another tab's deletion, connections that are open do not hear of it before. */
export async function loseDatabase(name: string, handles: readonly IDBDatabase[]): Promise<void> {
  for (const handle of handles) handle.close()
  await new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = resolve
    request.onerror = () => reject(request.error)
  })
}

/**
 * The next transaction is committed, and told to be aborted; `more` ones are answered after it, then nothing is, and no
 * database can be opened. Until the returned function is called.
 */
export function breakInCommit(more: number): () => void {
  let count = 0
  let broken = false
  const { transaction } = IDBDatabase.prototype
  const { open } = IDBFactory.prototype
  const lost = () => new DOMException('Connection to Indexed Database server lost', 'UnknownError')
  const opening = vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(function (this: IDBFactory, ...args) {
    if (broken) throw lost()
    return open.apply(this, args)
  })
  const beginning = vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (
    this: IDBDatabase,
    ...args
  ) {
    broken = ++count > 1 + more
    if (broken) throw lost()
    const tx = transaction.apply(this, args)
    if (count === 1) {
      const listen = tx.addEventListener.bind(tx)
      // Whoever listens for an abort hears it when it is complete; nobody hears that.
      tx.addEventListener = (type: string, ...rest: [EventListenerOrEventListenerObject, ...unknown[]]) => {
        if (type === 'abort') listen('complete', rest[0])
      }
    }
    return tx
  })
  const restore = () => {
    opening.mockRestore()
    beginning.mockRestore()
  }
  onTestFinished(restore)
  return restore
}
