import { describe, expect, test } from 'vitest'
import { afterIdle, claimLimit, freshPace, isTooMuch, measure, observe, type Pace } from '../src/host/pacing.js'

const pool = { slots: 2, workers: 2 }

/** The pace once many attempts of this duration have ended. */
function settled(ms: number, { slots, workers } = pool): Pace {
  let pace = freshPace
  for (let i = 0; i < 100; i++) pace = observe(pace, { count: 50, ms: 50 * ms }, { slots, workers })
  return pace
}
const capacity = (pace: Pace, slots = pool.slots) => claimLimit(pace, slots, 0, 0)

describe('how much is claimed', () => {
  test('one for each slot as long as nothing is known', () => {
    expect(capacity(freshPace)).toBe(2)
    expect(claimLimit(freshPace, 2, 1, 0)).toBe(1)
    expect(claimLimit(freshPace, 2, 2, 0)).toBe(0)
  })

  test.each([
    [10_000, 2], // slow: only what runs
    [101, 2],
    [100, 4], // one more for each slot
    [50, 6],
    [10, 22],
    [1, 202],
    [0.1, 2_002],
    [0, 2_048], // at most 1,024 for each Web Worker
  ])('attempts of %d ms: %d in hand for two slots', (ms, inHand) => {
    expect(capacity(settled(ms))).toBe(inHand)
  })

  test('the limit is for each Web Worker, however many slots it has', () => {
    expect(capacity(settled(0, { slots: 8, workers: 2 }), 8)).toBe(2_048)
  })

  test('nothing while more than half of what waits is left', () => {
    const pace = settled(10)
    expect(claimLimit(pace, 2, 22, 20)).toBe(0)
    expect(claimLimit(pace, 2, 13, 11)).toBe(0)
    expect(claimLimit(pace, 2, 12, 10)).toBe(10)
    expect(claimLimit(pace, 2, 0, 0)).toBe(22)
  })

  test('what waits in hand waits 50 to 100 ms', () => {
    for (const ms of [0.5, 1, 3, 7, 20, 40, 90, 150, 1_000]) {
      const pace = settled(ms)
      const ahead = capacity(pace) - 2
      const waits = (ahead / 2) * ms
      expect(waits).toBeLessThanOrEqual(100)
      if (ms < 20) expect(waits).toBeGreaterThan(80)
    }
  })
})

describe('how it changes', () => {
  test('it doubles with each round at the start', () => {
    let pace = freshPace
    const rounds: number[] = []
    for (let i = 0; i < 12; i++) {
      const inHand = capacity(pace)
      rounds.push(inHand)
      pace = observe(pace, { count: inHand, ms: 0 }, pool)
    }
    expect(rounds).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 2_048])
  })

  test('it falls at once when attempts become slow, and rises again', () => {
    let pace = observe(settled(0.1), { count: 1, ms: 5_000 }, pool)
    expect(capacity(pace)).toBe(2)
    for (let i = 0; i < 100; i++) pace = observe(pace, { count: 10, ms: 1 }, pool)
    expect(capacity(pace)).toBeGreaterThan(500)
  })

  test('a rare slow one among fast ones weighs what it takes', () => {
    let pace = settled(0.1)
    for (let i = 0; i < 50; i++) pace = observe(pace, { count: 512, ms: 51 + 1_000 }, pool)
    expect(capacity(pace)).toBeLessThan(120)
    expect(capacity(pace)).toBeGreaterThan(20)
  })

  test('a report of nothing changes nothing; a clock that went back is no duration', () => {
    expect(observe(freshPace, { count: 0, ms: 0 }, pool)).toBe(freshPace)
    expect(observe(freshPace, { count: 1, ms: -50 }, pool).mean).toBe(0)
  })

  test('slots that share a thread do less than they promise: the rate tells', () => {
    const ten = { slots: 10, workers: 10 }
    let pace = settled(50, ten)
    expect(capacity(pace, 10)).toBe(30)
    for (let i = 0; i < 50; i++) pace = measure(pace, { count: 1, ms: 50 })
    expect(capacity(pace, 10)).toBe(12)
  })

  test('a low rate at the start does not keep it small', () => {
    // 2 in 5 ms because no more was in hand: 40 are allowed.
    const pace = measure(settled(0.1), { count: 2, ms: 5 })
    expect(capacity(pace)).toBe(42)
  })

  test('after a time without work it starts small, and is back soon', () => {
    expect(afterIdle(settled(1), 999)).toEqual(settled(1))
    let pace = afterIdle(settled(1), 1_000)
    expect(capacity(pace)).toBe(2)
    for (let i = 0; i < 8; i++) pace = observe(pace, { count: capacity(pace), ms: capacity(pace) }, pool)
    expect(capacity(pace)).toBe(202)
  })

  test('too much is what would wait for more than 2 s', () => {
    const fast = measure(settled(0.1), { count: 1_000, ms: 100 })
    expect(isTooMuch(fast, 2, 1_000, 5)).toBe(false)
    // A pause of the page says nothing; a second of silence does.
    expect(isTooMuch(fast, 2, 1_000, 900)).toBe(false)
    expect(isTooMuch(fast, 2, 1_000, 1_000)).toBe(true)
    expect(isTooMuch(fast, 2, 2, 60_000)).toBe(false)
    const slow = measure(fast, { count: 2, ms: 2_000 })
    expect(isTooMuch(slow, 2, 100, 5)).toBe(true)
  })
})

test('work that ran out says that more could have been done, at once', () => {
  // 27 tasks in 1 ms, and then nothing: the next claim must be larger, however slow the start was.
  const slow = measure({ ...freshPace, perSlot: 512 }, { count: 5, ms: 50 })
  expect(claimLimit(slow, 2, 0, 0)).toBe(12)
  expect(claimLimit(measure(slow, { count: 27, ms: 1, dry: true }), 2, 0, 0)).toBeGreaterThan(1_000)
  expect(measure(slow, { count: 1, ms: 1_000, dry: true }).rate).toBeLessThan(0.1)
  expect(measure(slow, { count: 27, ms: 1 }).rate).toBeLessThan(0.3)
})
