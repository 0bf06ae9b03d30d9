import type { Backend, Cursor } from '../backend.js'

/** Blocked tasks read at a time. */
const PAGE = 500

/**
 * Handlers that tasks wait for and the host does not have: standbys that do are offered the role. The names come from the
 * tasks themselves, page by page and on from where the last look ended, since there may be any number of them.
 */
export class Parked {
  /** What is known now; the host adds what it parks itself. */
  readonly names = new Set<string>()
  readonly #backend: Backend
  #cursor: Cursor | undefined
  /** Found since the first page, and what was known then: a name that no page has any more is gone. */
  #found = new Set<string>()
  #before = new Set<string>()

  constructor(backend: Backend) {
    this.#backend = backend
  }

  /** Reads the next page. Resolves with the names in it, and whether there are more pages. */
  async look(): Promise<{ found: Set<string>; more: boolean }> {
    if (this.#cursor === undefined) {
      this.#found = new Set()
      this.#before = new Set(this.names)
      // Counting costs the same however many tasks there are, and mostly none is blocked.
      if ((await this.#backend.counts()).blocked === 0) return this.#end(new Set())
    }
    const { items, next } = await this.#backend.read('tasks', { state: 'blocked', limit: PAGE }, this.#cursor)
    const found = new Set(items.map(({ name }) => name))
    for (const name of found) {
      this.#found.add(name)
      this.names.add(name)
    }
    this.#cursor = next
    return next === undefined ? this.#end(found) : { found, more: true }
  }

  #end(found: Set<string>): { found: Set<string>; more: boolean } {
    for (const name of this.#before) if (!this.#found.has(name)) this.names.delete(name)
    return { found, more: false }
  }
}
