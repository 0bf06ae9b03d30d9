/**
 * What is remembered outside of IndexedDB: in localStorage, which pages have and Web Workers have not. undefined also where
 * site data is blocked: there the getter throws.
 */
export function marksHere(): globalThis.Storage | undefined {
  try {
    return typeof window === 'undefined' ? undefined : window.localStorage
  } catch {
    return undefined
  }
}

/** A full localStorage, or one that was taken away: what could not be marked is not known, no more. */
export function attempt(write: () => void): void {
  try {
    write()
  } catch {}
}

/**
 * Which database there was when it was last opened. A browser that deletes IndexedDB's data by itself (for space, or because
 * its files are damaged; see google/leveldb#1287) mostly leaves localStorage alone, so the difference shows.
 */
export class OriginMark {
  readonly #key: string
  /** Without marks, as long as this page or worker lives. */
  #own: string | undefined

  constructor(name: string) {
    this.#key = `sitq:${name}:origin`
  }

  get origin(): string | undefined {
    const marks = marksHere()
    return marks ? (marks.getItem(this.#key) ?? undefined) : this.#own
  }

  set(origin: string): void {
    this.#own = origin
    attempt(() => marksHere()?.setItem(this.#key, origin))
  }

  /** It is deleted on purpose: that one is gone is no news. */
  forget(): void {
    this.#own = undefined
    attempt(() => marksHere()?.removeItem(this.#key))
  }
}

/** Of which layout the database was when it was last opened, for where nobody can be asked (connect.ts). */
export class LayoutMark {
  readonly #key: string

  constructor(name: string) {
    this.#key = `sitq:${name}:layout`
  }

  /** undefined: not known. */
  get layout(): number | undefined {
    return Number(marksHere()?.getItem(this.#key)) || undefined
  }

  set(layout: number): void {
    if (this.layout !== layout) attempt(() => marksHere()?.setItem(this.#key, String(layout)))
  }

  forget(): void {
    attempt(() => marksHere()?.removeItem(this.#key))
  }
}
