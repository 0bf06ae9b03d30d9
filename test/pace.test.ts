import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Pace, paceAdd, paceRate } from '../src/plan/pace.js'

/** The pace after `count` events every `every` ms for `ms`. */
function steady(count: number, every: number, ms: number, start = 0): Pace | undefined {
  let pace: Pace | undefined
  for (let at = start; at <= start + ms; at += every) pace = paceAdd(pace, count, at)
  return pace
}

describe('pace', () => {
  it('is nothing before anything is known', () => {
    expect(paceRate(undefined, 5)).toBe(0)
    expect(paceRate(paceAdd(undefined, 512, 100), 100)).toBe(0)
  })

  it('is right from the first second on', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 10, max: 100 }),
        fc.integer({ min: 1_000, max: 60_000 }),
        (count, every, ms) => {
          const at = Math.floor(ms / every) * every
          const rate = paceRate(steady(count, every, ms), at)
          expect(rate / ((count / every) * 1_000)).toBeGreaterThan(0.98)
          expect(rate / ((count / every) * 1_000)).toBeLessThan(1.02)
        },
      ),
    )
  })

  it('follows a change within seconds', () => {
    let pace = steady(100, 100, 20_000)
    for (let at = 20_100; at <= 35_000; at += 100) pace = paceAdd(pace, 10, at)
    expect(paceRate(pace, 35_000)).toBeGreaterThan(95)
    expect(paceRate(pace, 35_000)).toBeLessThan(150)
  })

  it('dies down when nothing happens', () => {
    const pace = steady(100, 100, 20_000)
    expect(paceRate(pace, 25_000)).toBeLessThan(paceRate(pace, 20_000) / 2)
    expect(paceRate(pace, 120_000)).toBeLessThan(0.001)
  })

  it('stands still while the clock goes back', () => {
    const pace = steady(100, 100, 10_000)
    expect(paceRate(pace, 0)).toBe(paceRate(pace, 10_000))
    const later = paceAdd(pace, 100, 0)
    expect(later.at).toBe(10_000)
    expect(Number.isFinite(paceRate(later, 0))).toBe(true)
  })

  it('is never negative or no number', () => {
    const event = fc.record({ count: fc.integer({ min: 0, max: 1e6 }), at: fc.integer({ min: 0, max: 1e12 }) })
    fc.assert(
      fc.property(fc.array(event), fc.integer({ min: 0, max: 1e12 }), (events, now) => {
        let pace: Pace | undefined
        for (const { count, at } of events) pace = paceAdd(pace, count, at)
        expect(paceRate(pace, now)).toBeGreaterThanOrEqual(0)
        expect(Number.isFinite(paceRate(pace, now))).toBe(true)
      }),
    )
  })
})
