/** Numbers about numbers. Pure. */

/** What rounds came to. */
export interface Spread {
  median: number
  min: number
  max: number
}

/** Of an even count, the mean of the two in the middle. NaN of none. */
export function median(numbers: readonly number[]): number {
  const sorted = ascending(numbers)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? Number.NaN
  if (sorted.length % 2 === 1) return upper
  return (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/**
 * The least of the numbers that a share of them do not exceed (nearest rank).
 * @param share of 100
 */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = ascending(numbers)
  return sorted[Math.max(0, Math.ceil((share / 100) * sorted.length) - 1)] ?? Number.NaN
}

export function spread(numbers: readonly number[]): Spread {
  return { median: median(numbers), min: Math.min(...numbers), max: Math.max(...numbers) }
}

/** Round by round: machines drift, and what two sides did next to each other can be compared. */
export function ratios(above: readonly number[], below: readonly number[]): number[] {
  if (above.length !== below.length)
    throw new RangeError(`${above.length} rounds can't be set against ${below.length}.`)
  return above.map((number, round) => number / (below[round] ?? Number.NaN))
}

const ascending = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)
