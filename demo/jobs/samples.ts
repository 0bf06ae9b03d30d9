import type { Item, UserRecord } from './item.js'

const five: readonly UserRecord[] = [
  { name: 'Alice', email: 'alice@example.com', age: 30 },
  { name: 'Bob', email: 'bob@example.com', age: 25 },
  { name: 'Charlie', email: 'invalid-email', age: 35 },
  { name: 'Diana', email: 'diana@example.com', age: -5 },
  { name: 'Eve', email: 'eve@example.com', age: 28 },
]

const fiveBatches: readonly (readonly number[])[] = [
  [1.1, 2.2, 3.3, 4.4, 5.5],
  [10, 20, 30, 40, 50],
  [0.1, 0.2, 0.3],
  [100, 200, 300, 400],
  [],
]

/** 20 users, 12 of them valid. */
export const sampleUsers: readonly UserRecord[] = repeat(five, 4)

/** 15 batches of numbers; every fifth is empty. */
export const sampleNumbers: readonly (readonly number[])[] = repeat(fiveBatches, 3)

/** How the sample large batch is enqueued: 100 items in chunks of 20. */
export const sampleLarge = { items: 100, chunkSize: 20 } as const

export interface LargeRecord {
  value: number
  category: string
}

/** The data of a large batch, one at a time: a million of them need no memory. */
export function* largeBatch(count: number): Generator<LargeRecord> {
  for (let i = 0; i < count; i++) yield { value: i, category: `item_${i % 10}` }
}

/** Numbers the data from 0. A delay of 0 is left out: it would only be stored. */
export function* items<Data>(data: Iterable<Data>, delay = 0): Generator<Item<Data>> {
  let item_id = 0
  for (const each of data) {
    yield delay > 0 ? { item_id, data: each, delay } : { item_id, data: each }
    item_id++
  }
}

function repeat<T>(list: readonly T[], times: number): T[] {
  return Array.from({ length: times }, () => list).flat()
}
