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
