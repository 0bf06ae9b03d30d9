import { describe, expect, test } from 'vitest'
import { median, percentile, ratios, spread } from '../bench/statistics.js'

describe('what rounds came to', () => {
  test('the median is the one in the middle, whatever the order, and between two the mean', () => {
    expect(median([30, 10, 20])).toBe(20)
    expect(median([40, 10, 20, 30])).toBe(25)
    expect(median([7])).toBe(7)
    expect(median([])).toBeNaN()
  })

  test('numbers are compared as numbers', () => {
    expect(median([9, 10, 100])).toBe(10)
    expect(spread([9, 100, 10])).toEqual({ median: 10, min: 9, max: 100 })
  })

  test('a percentile is a number that was measured', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect(percentile(hundred, 50)).toBe(50)
    expect(percentile(hundred, 99)).toBe(99)
    expect(percentile(hundred, 100)).toBe(100)
    expect(percentile([5, 1], 1)).toBe(1)
    expect(percentile([3, 1, 2], 50)).toBe(2)
    expect(percentile([], 50)).toBeNaN()
  })

  test('a ratio is taken in each round, not between medians', () => {
    const slowDrift = ratios([10, 200, 3_000], [1, 10, 100])
    expect(slowDrift).toEqual([10, 20, 30])
    expect(median(slowDrift)).toBe(20)
    expect(() => ratios([1, 2], [1])).toThrow(RangeError)
  })
})
