import type { Backend, Cursor } from '../backend.js'
import { readGate } from '../gates.js'

/** Gates read at a time. */
const PAGE = 500
/** Most names, and about how many characters, that go into one hint. */
const TOLD = 200
const TOLD_TEXT = 50_000

/**
 * The gates that hold tasks back, read page by page and on from where the last look ended: there may be any number of
 * them. Handlers that tasks wait for and the host does not have are told to the standbys: those that do are offered the role.
 */
export class Parked {
  /** Names of handlers that are missing, as known now; the host adds what it parks itself. */
  readonly names = new Set<string>()
  readonly #backend: Backend
  #cursor: Cursor | undefined
  /** Found since the first page, and what was known then: a name that no page has any more is gone. */
  #found = new Set<string>()
  #before = new Set<string>()
  #told = 0

  constructor(backend: Backend) {
    this.#backend = backend
  }

  /** Reads the next page. Resolves with the gates in it, and whether there are more pages. */
  async look(): Promise<{ gates: string[]; more: boolean }> {
    if (this.#cursor === undefined) {
      this.#found = new Set()
      this.#before = new Set(this.names)
    }
    const { items, next } = await this.#backend.read('gates', { limit: PAGE }, this.#cursor)
    const gates = [...new Set(items.map(({ gate }) => gate))]
    for (const gate of gates) {
      const held = readGate(gate)
      // Whose input does not fit has a handler: nobody who has it too could do more.
      if (held?.kind !== 'handler') continue
      this.#found.add(held.name)
      this.names.add(held.name)
    }
    this.#cursor = next
    if (next !== undefined) return { gates, more: true }
    for (const name of this.#before) if (!this.#found.has(name)) this.names.delete(name)
    return { gates, more: false }
  }

  /** Some of the names, the next ones each time: in the end all are told, and no hint is large. */
  some(): string[] {
    const all = [...this.names]
    const some: string[] = []
    let size = 0
    for (let i = 0; i < Math.min(TOLD, all.length) && (some.length === 0 || size < TOLD_TEXT); i++) {
      const name = all[this.#told++ % all.length] ?? ''
      size += name.length
      some.push(name)
    }
    return some
  }
}
