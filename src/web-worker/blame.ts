/** What is known of the attempts that a Web Worker had when it died. */
export interface Evidence {
  /** All it had been given and not ended, in order. */
  given: readonly number[]
  /** Those of them that were announced to begin. */
  marked: readonly number[]
  /** One at a time: after a mark nothing else begins without a word. */
  sequential: boolean
  /** A message from or to it could not be read: what was in it is not known, nor when it was sent. */
  unreadable?: boolean
  /** The attempts under way, in the Web Worker's own last words. */
  running?: readonly number[] | undefined
}

export interface Verdict {
  /** This one did it, for sure. */
  culprit?: number
  /** One of these did it, or none. They run again one by one. */
  suspects: number[]
  /** The rest certainly did not: it just runs again. */
}

/** Only who is guilty for sure is charged. Pure. */
export function blame({ given, marked, sequential, running, unreadable = false }: Evidence): Verdict {
  if (unreadable) return verdict(given)
  const under = running?.filter((key) => given.includes(key)) ?? []
  if (running) return verdict(under)
  if (marked.length > 0 && sequential) return verdict(marked)
  // What was not announced may have begun all the same.
  return given.length === 1 && marked.length === 1 ? verdict(marked) : { suspects: [...given] }
}

function verdict(keys: readonly number[]): Verdict {
  const [only] = keys
  return keys.length === 1 && only !== undefined ? { culprit: only, suspects: [] } : { suspects: [...keys] }
}
