/**
 * Asks the browser to keep what is stored: without it, it may be deleted when space runs short, in Safari also after 7 days
 * without a visit. Resolves to whether it will be kept. Firefox asks the person, and the answer can take as long as they do.
 */
export async function persist(): Promise<boolean> {
  const storage = manager()
  if (!storage?.persist) return false
  return (await storage.persisted()) || (await storage.persist())
}

/** Whether the browser has granted that. */
export async function persisted(): Promise<boolean> {
  return (await manager()?.persisted?.()) ?? false
}

/** Bytes used and granted, of the whole origin and roughly; undefined where the browser doesn't tell. */
export async function estimate(): Promise<{ usage: number; quota: number } | undefined> {
  const { usage, quota } = (await manager()?.estimate?.()) ?? {}
  return usage === undefined || quota === undefined ? undefined : { usage, quota }
}

/** undefined outside of browsers and in pages that are not secure (plain http). In a Web Worker it cannot `persist`. */
function manager(): StorageManager | undefined {
  return typeof navigator === 'undefined' ? undefined : navigator.storage
}
