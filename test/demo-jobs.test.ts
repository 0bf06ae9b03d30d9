import { describe, expect, test } from 'vitest'
import { generateUsers } from '../demo/jobs/generate.js'
import { metrics } from '../demo/jobs/metrics.js'
import { processed } from '../demo/jobs/process.js'
import { items, largeBatch, sampleLarge, sampleNumbers, sampleUsers } from '../demo/jobs/samples.js'
import { usersSummary } from '../demo/jobs/summary.js'
import { rowErrors, validate } from '../demo/jobs/validate.js'

describe('validation', () => {
  test('of the 20 sample users finds 12 valid', () => {
    const judged = [...items(sampleUsers)].map((item) => validate(item))
    const valid = judged.filter((each) => each.is_valid)
    expect(judged).toHaveLength(20)
    expect(valid.map((each) => each.item_id)).toEqual([0, 1, 4, 5, 6, 9, 10, 11, 14, 15, 16, 19])
    expect(valid.every((each) => each.errors.length === 0)).toBe(true)
    const summary = usersSummary({ total: 20, valid: valid.length, processed: 12 }, judged.flatMap(rowErrors))
    expect(summary).toMatchObject({ total_users: 20, valid_users: 12, processed_users: 12, success_rate: 0.6 })
    expect(summary.errors).toHaveLength(8)
    expect(summary.errors.slice(0, 2)).toEqual([
      { row: 3, field: 'email', message: 'Invalid email format' },
      { row: 4, field: 'age', message: 'Invalid age' },
    ])
  })

  test('returns the item beside its judgement', () => {
    const data = { name: 'Charlie', email: 'invalid-email', age: 200 }
    expect(validate({ item_id: 7, data })).toEqual({
      item_id: 7,
      is_valid: false,
      errors: ['Invalid email format', 'Invalid age'],
      warnings: [],
      data,
    })
  })

  test.each([
    [{ age: 0 }, []],
    [{ age: 150 }, []],
    [{ age: 151 }, ['Invalid age']],
    [{ age: -1 }, ['Invalid age']],
    [{ age: 30.5 }, ['Invalid age']],
    [{ age: Number.NaN }, ['Invalid age']],
    [{ age: '30' }, ['Invalid age']],
    [{ email: '' }, ['Invalid email format']],
    [{ email: 5 }, ['Invalid email format']],
    [{}, []],
    ['Alice', ['Not a record']],
    [[], ['Not a record']],
    [null, ['Not a record']],
  ])('%j has errors %j', (data, errors) => {
    expect(validate({ item_id: 0, data }).errors).toEqual(errors)
  })

  test('only warns of what is missing', () => {
    expect(validate({ item_id: 0, data: {} })).toMatchObject({ is_valid: true, warnings: ['No email', 'No age'] })
  })

  test('keeps errors found before, and the work to do', () => {
    expect(validate({ item_id: 1, data: { age: -1 }, delay: 50 }, ['2 cells where the header has 3'])).toMatchObject({
      is_valid: false,
      errors: ['2 cells where the header has 3', 'Invalid age'],
      delay: 50,
    })
  })

  test('a rate of nothing is 0', () => {
    expect(usersSummary({ total: 0, valid: 0, processed: 0 }, []).success_rate).toBe(0)
  })
})

describe('processing', () => {
  test.each([
    [{ value: 21, category: 'item_1' }, 42],
    [{ value: 0 }, 0],
    [{ value: '21' }, '{"VALUE":"21"}'],
    ['hello', 'HELLO'],
    [{ name: 'Alice' }, '{"NAME":"ALICE"}'],
    [12, '12'],
    [null, 'NULL'],
    [undefined, 'UNDEFINED'],
    [[1, 'a'], '[1,"A"]'],
  ])('%j becomes %j', (data, processed_value) => {
    expect(processed({ item_id: 3, data }, 0)).toEqual({
      item_id: 3,
      original_value: data,
      processed_value,
      status: 'processed',
      timestamp: '1970-01-01T00:00:00.000Z',
    })
  })
})

describe('metrics', () => {
  test('of the sample batches', () => {
    expect(sampleNumbers).toHaveLength(15)
    const [floats, tens, small, hundreds, none] = sampleNumbers.map(metrics)
    expect(floats).toEqual({ count: 5, sum: 16.5, average: 3.3, min: 1.1, max: 5.5 })
    expect(tens).toEqual({ count: 5, sum: 150, average: 30, min: 10, max: 50 })
    expect(small).toEqual({ count: 3, sum: 0.6, average: expect.closeTo(0.2, 12), min: 0.1, max: 0.3 })
    expect(hundreds).toEqual({ count: 4, sum: 1000, average: 250, min: 100, max: 400 })
    expect(none).toEqual({ count: 0, sum: 0, average: 0 })
  })

  test('say which number is none', () => {
    expect(() => metrics([1, Number.NaN])).toThrow('Number 2 of 2 is not one: NaN')
  })
})

describe('sample data', () => {
  test('the large batch is 100 items in chunks of 20', () => {
    const data = [...items(largeBatch(sampleLarge.items))]
    expect(data).toHaveLength(100)
    expect(data[13]).toEqual({ item_id: 13, data: { value: 13, category: 'item_3' } })
    expect(sampleLarge.chunkSize).toBe(20)
  })

  test('work is added to each item, and left out when there is none', () => {
    expect([...items(['a'], 50)]).toEqual([{ item_id: 0, data: 'a', delay: 50 }])
    expect([...items(['a'])]).toEqual([{ item_id: 0, data: 'a' }])
  })

  test('generated users are the same again, and mostly valid', () => {
    const users = [...generateUsers(10_000)]
    expect([...generateUsers(10_000)]).toEqual(users)
    expect([...generateUsers(100, 2)]).not.toEqual(users.slice(0, 100))
    const valid = [...items(users)].filter((item) => validate(item).is_valid).length
    expect(valid).toBeGreaterThan(8_000)
    expect(valid).toBeLessThan(8_800)
  })
})
