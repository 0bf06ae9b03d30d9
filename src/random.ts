const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz'

/** Texts that come from no other source: random ones cost as much as all the rest of storing a task. */
export function distinctTexts(): () => string {
  let start: string | undefined
  let count = 0
  return () => {
    // Not before it is asked for: edge runtimes give no random numbers while modules load.
    start ??= randomText(8)
    return `${start}${(count++).toString(36)}`
  }
}

/** Random letters and digits. `crypto.randomUUID` is missing in insecure contexts; this is not. */
export function randomText(length: number): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(length)), (n) => LETTERS[n % LETTERS.length]).join('')
}
