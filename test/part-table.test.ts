import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IndexSet, PartTable } from '../src/client/part-table.js'
import type { PartMark } from '../src/plan/records.js'

const part = (start: number, from: number, count: number, more: Partial<PartMark> = {}): PartMark => ({
  batch: 'b',
  stage: 0,
  lane: 1,
  start,
  from,
  to: from + count,
  ...more,
})

describe('IndexSet', () => {
  it('is a set of numbers', () => {
    const steps = fc.array(fc.record({ index: fc.integer({ min: 0, max: 5_000 }), add: fc.boolean() }))
    fc.assert(
      fc.property(steps, (list) => {
        const set = new IndexSet()
        const model = new Set<number>()
        for (const { index, add } of list) {
          if (add) expect(set.add(index)).toBe(!model.has(index))
          else set.delete(index)
          if (add) model.add(index)
          else model.delete(index)
        }
        expect(set.size).toBe(model.size)
        for (const { index } of list) expect(set.has(index)).toBe(model.has(index))
      }),
    )
  })
})

describe('PartTable', () => {
  it('finds the item at a position, and nothing between the parts', () => {
    const table = new PartTable(1)
    table.add(part(0, 10, 5))
    table.add(part(5, 20, 2, { lane: 2 }))
    table.add(part(7, 30, 3, { indexes: [9, 7, 8] }))
    expect(table.locate(1, 10)).toEqual({ stage: 0, index: 0 })
    expect(table.locate(1, 14)).toEqual({ stage: 0, index: 4 })
    expect(table.locate(1, 15)).toBeUndefined()
    expect(table.locate(2, 21)).toEqual({ stage: 0, index: 6 })
    expect(table.locate(1, 30)).toEqual({ stage: 0, index: 9 })
    expect(table.locate(3, 0)).toBeUndefined()
    expect(table.known(0)).toBe(10)
  })

  it('takes in a part that has grown', () => {
    const table = new PartTable(1)
    expect(table.add(part(0, 0, 5))).toBe(true)
    expect(table.add(part(0, 0, 5))).toBe(false)
    expect(table.add(part(0, 0, 8))).toBe(true)
    expect(table.known(0)).toBe(8)
    expect(table.locate(1, 7)).toEqual({ stage: 0, index: 7 })
  })

  it('knows what is left to see, short of what is hardly worth a read of its own', () => {
    const table = new PartTable(1)
    table.add(part(0, 0, 2_000))
    for (let index = 0; index < 1_000; index++) table.see({ stage: 0, index })
    table.see({ stage: 0, index: 1_500 })
    expect(table.gaps()).toMatchObject([{ lane: 1, from: 1_000, to: 2_000 }])
    expect(table.gapsIn({ lane: 1, from: 0, to: 1_100 })).toMatchObject([{ lane: 1, from: 1_000, to: 1_100 }])
    expect(table.gapsIn({ lane: 1, from: 0, to: 900 })).toEqual([])
    for (let index = 1_000; index < 2_000; index++) table.see({ stage: 0, index })
    expect(table.gaps()).toEqual([])
    table.unsee(3)
    expect(table.gaps()).toMatchObject([{ from: 3, to: 4 }])
  })

  it('does not look at a stage again that an item has left', () => {
    const table = new PartTable(3)
    table.add(part(0, 0, 3))
    table.add(part(1, 0, 1, { lane: 2, stage: 2 }))
    expect(table.gaps()).toMatchObject([
      { lane: 1, from: 0, to: 3 },
      { lane: 2, from: 0, to: 1 },
    ])
    table.see({ stage: 0, index: 0 })
    table.see({ stage: 0, index: 2 })
    expect(table.gaps()).toMatchObject([{ lane: 2, from: 0, to: 1 }])
  })

  it('says from where on parts are unknown', () => {
    const table = new PartTable(2)
    const gone = new Set([1])
    table.add(part(0, 0, 1, { stage: 1, lane: 2 }))
    table.add(part(3, 1, 1, { stage: 1, lane: 2 }))
    expect(table.floor(1, (index) => gone.has(index), 5)).toBe(2)
    gone.add(2)
    expect(table.floor(1, (index) => gone.has(index), 5)).toBe(4)
    expect(table.floor(0, () => true, 5)).toBe(5)
  })

  it('covers exactly what is unseen, whatever the parts', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(sizes, fc.array(fc.nat(5_000)), fc.array(fc.nat(8)), (parts, seen, holes) => {
        const table = new PartTable(1)
        let [start, from] = [0, 0]
        const places = new Map<number, number>()
        parts.forEach((count, i) => {
          table.add(part(start, from, count))
          for (let k = 0; k < count; k++) places.set(from + k, start + k)
          start += count
          from += count + (holes[i] ?? 0) * 100
        })
        for (const index of seen) if (index < start) table.see({ stage: 0, index })
        const marked = new Set(seen)
        const unseen = [...places].filter(([, index]) => !marked.has(index)).map(([p]) => p)
        for (const gaps of [table.gaps(), table.gapsIn({ lane: 1, from: 0, to: from })]) {
          const covered = (p: number) => gaps.filter((gap) => gap.from <= p && p < gap.to).length
          for (const p of unseen) expect(covered(p)).toBe(1)
          for (const gap of gaps) expect(unseen).toContain(gap.from)
          for (const gap of gaps) expect(unseen).toContain(gap.to - 1)
        }
      }),
      { numRuns: 50 },
    )
  })
})
