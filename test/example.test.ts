import { expect, test } from 'vitest'
import { handlers, main } from '../examples/batch-processing.js'

test('the example comes to the numbers it should', async () => {
  const { users, metrics, large, report } = await main()
  expect(users).toEqual({ total_users: 20, valid_users: 12, processed_users: 12, success_rate: 0.6 })
  expect(metrics).toHaveLength(15)
  expect(metrics[5]).toEqual({ count: 5, sum: 16.5, average: 3.3, min: 1.1, max: 5.5 })
  expect(metrics[14]).toEqual({ count: 0, sum: 0, average: 0 })
  expect(large).toMatchObject({ total: 100, done: 100, completed: 100, sum: 9_900 })
  expect(report).toMatchObject({ batchesProcessed: 3, totalTasks: 135, errorRatePercent: 0 })
})

test('text is upper-cased as it is, other data as JSON', () => {
  const processed = (data: unknown) => handlers.processItem({ item_id: 0, data }).processed_value
  expect(processed('some "text"')).toBe('SOME "TEXT"')
  expect(processed({ a: 'b' })).toBe('{"A":"B"}')
  expect(processed({ value: 4 })).toBe(8)
})

test('a user may leave fields out', () => {
  const judged = (data: { email?: string; age?: number }) =>
    handlers.validateUser({ item_id: 0, data: { name: 'Ada', ...data } })
  expect(judged({})).toMatchObject({ is_valid: true, errors: [] })
  expect(judged({ email: 'none', age: 151 })).toMatchObject({
    is_valid: false,
    errors: ['Invalid email format', 'Invalid age'],
  })
})
