const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz'

/** Random letters and digits. `crypto.randomUUID` is missing in insecure contexts; this is not. */
export function randomText(length: number): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(length)), (n) => LETTERS[n % LETTERS.length]).join('')
}
