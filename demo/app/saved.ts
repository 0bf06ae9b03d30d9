/**
 * What this page must know again after a reload: which job each tab shows. The jobs themselves are in the queue's storage;
 * here are only their ids and how they were asked for.
 */
const PREFIX = 'sitq-demo-'

export const saved = {
  read(key: string): unknown {
    try {
      return JSON.parse(localStorage.getItem(PREFIX + key) ?? 'null')
    } catch {
      return null
    }
  },
  write(key: string, value: unknown): void {
    localStorage.setItem(PREFIX + key, JSON.stringify(value))
  },
  remove(key: string): void {
    localStorage.removeItem(PREFIX + key)
  },
  clear(): void {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key)
  },
  /** Another tab changed it. */
  onChange(key: string, changed: () => void): void {
    addEventListener('storage', (event) => event.key === PREFIX + key && changed())
  },
}

/** Short, different each time, sorting by time. */
export const newId = (kind: string) => `${kind}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 6)}`
