import type { Entry } from './member.js'

/**
 * Runs that one crash leaves under suspicion. Each runs alone and announced, so that a second crash convicts it; once
 * somebody is convicted the others are cleared.
 */
export class Suspects {
  #waiting: Entry[] = []

  get size(): number {
    return this.#waiting.length
  }

  /** One that was suspected before stays with its first inquiry. */
  add(entries: readonly Entry[]): void {
    const inquiry = Symbol()
    for (const entry of entries) entry.inquiry ??= inquiry
    this.#waiting.unshift(...entries)
  }

  next(): Entry | undefined {
    return this.#waiting.shift()
  }

  remove(entry: Entry): void {
    this.#waiting = this.#waiting.filter((other) => other !== entry)
  }

  /** This one did it. Returns those it clears. */
  convict(entry: Entry): Entry[] {
    const { inquiry } = entry
    if (!inquiry) return []
    const cleared = this.#waiting.filter((other) => other.inquiry === inquiry)
    this.#waiting = this.#waiting.filter((other) => other.inquiry !== inquiry)
    for (const other of cleared) other.inquiry = undefined
    return cleared
  }
}
