import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defaultRetry, mergeRetry, retryDecision } from '../src/retry.js'

const least = () => 0
const most = () => 1

describe('retry', () => {
  it('waits 1 s, then 2 s, less up to half, and gives up after three attempts', () => {
    expect(retryDecision(undefined, 1, {}, most)).toEqual({ again: true, delay: 1_000 })
    expect(retryDecision(undefined, 1, {}, least)).toEqual({ again: true, delay: 500 })
    expect(retryDecision(undefined, 2, {}, most)).toEqual({ again: true, delay: 2_000 })
    expect(retryDecision(undefined, 3, {}, most)).toEqual({ again: false })
  })

  it('never waits longer than an hour, or what the policy says', () => {
    expect(retryDecision({ attempts: 100 }, 60, {}, most)).toEqual({ again: true, delay: 3_600_000 })
    expect(retryDecision({ attempts: 100, maxDelay: 5_000 }, 60, {}, most)).toEqual({ again: true, delay: 5_000 })
  })

  it('does not try again what cannot be helped', () => {
    expect(retryDecision({ attempts: 9 }, 1, { retryable: false }, most)).toEqual({ again: false })
  })

  it('gives a delay that can be stored, whatever the policy', () => {
    const number = fc.double({ min: 0, max: 1e12, noNaN: true })
    fc.assert(
      fc.property(
        fc.record({
          delay: number,
          factor: number,
          maxDelay: number,
          jitter: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (policy, attempt, random) => {
          const decision = retryDecision({ ...policy, attempts: 1e9 }, attempt, {}, () => random)
          expect(decision.again).toBe(true)
          if (!decision.again) return
          expect(decision.delay).toBeGreaterThanOrEqual(0)
          expect(decision.delay).toBeLessThanOrEqual(Math.ceil(policy.maxDelay))
        },
      ),
    )
  })

  it('lets the task override its handler field by field', () => {
    expect(mergeRetry({ attempts: 5, delay: 10 }, { delay: 20 })).toEqual({ ...defaultRetry, attempts: 5, delay: 20 })
    expect(mergeRetry(undefined, undefined)).toEqual(defaultRetry)
  })
})
