import { PermanentError } from 'sitq'

export interface Metrics {
  count: number
  sum: number
  average: number
  /** Absent if there are no numbers. */
  min?: number
  max?: number
}

export function metrics(numbers: readonly number[]): Metrics {
  const wrong = numbers.findIndex((number) => typeof number !== 'number' || !Number.isFinite(number))
  if (wrong >= 0) throw new PermanentError(`Number ${wrong + 1} of ${numbers.length} is not one: ${numbers[wrong]}`)
  const [head] = numbers
  if (head === undefined) return { count: 0, sum: 0, average: 0 }
  let min = head
  let max = head
  for (const number of numbers) {
    if (number < min) min = number
    if (number > max) max = number
  }
  const sum = exactSum(numbers)
  return { count: numbers.length, sum, average: sum / numbers.length, min, max }
}

/** Neumaier's sum: carries what rounding loses, so that 0.1 + 0.2 + 0.3 is 0.6 and a million numbers don't drift. */
function exactSum(numbers: readonly number[]): number {
  let sum = 0
  let lost = 0
  for (const number of numbers) {
    const next = sum + number
    lost += Math.abs(sum) >= Math.abs(number) ? sum - next + number : number - next + sum
    sum = next
  }
  return sum + lost
}
