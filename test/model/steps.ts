import fc from 'fast-check'
import type { TaskState } from '../../src/task.js'
import { allFaults } from './faults.js'
import type { StageOf } from './model.js'

/** What a history is made of: plain data, so that it shrinks and prints. Numbers pick among what there is at the time. */

export const queues = ['default', 'other'] as const
export const names = ['a', 'b', 'c'] as const
/** Batches, and those that are runs of a pipeline. */
export const plain = ['x', 'y'] as const
const runs = ['p', 'q'] as const

/** What is named b judges; the others make something new of each item. */
export const pipelines: Record<(typeof runs)[number], readonly StageOf[]> = {
  p: [
    { kind: 'map', name: 'a' },
    { kind: 'filter', field: 'keep' },
    { kind: 'map', name: 'c' },
    { kind: 'filter', name: 'b' },
  ],
  q: [
    { kind: 'map', name: 'c' },
    { kind: 'filter', name: 'b' },
    { kind: 'filter', field: 'last' },
    { kind: 'filter', field: 'keep' },
    { kind: 'map', name: 'a' },
  ],
}

const client = fc.nat(2)
const host = fc.nat(2)
const queue = fc.constantFrom(...queues)
const anyQueue = fc.constantFrom(undefined, ...queues)
const anyBatch = fc.constantFrom(...plain, ...runs)
const few = fc.integer({ min: 1, max: 12 })
/** Small ones most of the time; sometimes more than a block. */
const count = fc.oneof({ weight: 12, arbitrary: few }, { weight: 1, arbitrary: fc.integer({ min: 13, max: 600 }) })
const picks = fc.array(fc.nat(5_000), { minLength: 1, maxLength: 8 })

export const settleKinds = [
  ...['ok', 'ok', 'ok', 'fail', 'retry', 'back', 'crash', 'park', 'keep', 'keep'],
  ...['follow', 'follow later', 'follow into batch', 'end batch', 'wrong seq', 'twice'],
] as const
export type SettleKind = (typeof settleKinds)[number]

const added = fc.record({
  do: fc.constant('add' as const),
  client,
  groups: fc.array(
    fc.record({
      count,
      queue,
      name: fc.constantFrom('a', 'a', ...names),
      priority: fc.constantFrom(0, 0, 0, -1, 1, -100),
      delay: fc.constantFrom(0, 0, 0, 0, 50, 100, -10),
    }),
    { minLength: 1, maxLength: 3 },
  ),
})
const batched = fc.record({
  do: fc.constant('add to batch' as const),
  client,
  batch: anyBatch,
  count,
  queue,
  priority: fc.constantFrom(0, 0, -1, -99, -100),
  delay: fc.constantFrom(0, 0, 0, 50),
  /** How many inputs before those that were stored are sent again. */
  again: fc.constantFrom(0, 0, 3, 1_000),
  open: fc.boolean(),
})
const exchanged = fc.record({
  do: fc.constant('exchange' as const),
  host,
  settle: fc.array(fc.constantFrom(...settleKinds), { minLength: 1, maxLength: 6 }),
  limit: fc.oneof({ weight: 8, arbitrary: fc.nat(20) }, { weight: 1, arbitrary: fc.integer({ min: 20, max: 600 }) }),
  claims: fc.constantFrom(true, true, true, false),
  names: fc.constantFrom(undefined, undefined, ['a'], ['a', 'b'], ['b', 'c']),
  queues: fc.constantFrom(undefined, undefined, ['other'], ['other', 'none', 'default']),
  leave: fc.constantFrom(false, false, false, false, false, true),
  /** Sent twice, as if the answer had been lost. */
  twice: fc.constantFrom(false, false, false, true),
})

const steps = [
  { weight: 6, arbitrary: added },
  { weight: 5, arbitrary: batched },
  { weight: 14, arbitrary: exchanged },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat' as const), host }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('renew' as const), host, ms: fc.constantFrom(0, 30_000) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('recover' as const),
      host,
      dead: fc.constantFrom('others' as const, 'others' as const, 'expired' as const),
      left: fc.boolean(),
      maxCrashes: fc.constantFrom(3, 3, 1),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cancel' as const), client, picks }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('retry' as const), client, picks }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel batch' as const), client, batch: anyBatch }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end batch' as const), client, batch: anyBatch }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), client, queue: anyQueue }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('pause' as const),
      client,
      queue: fc.constantFrom(undefined, ...queues, 'new'),
      ms: fc.constantFrom(100, 60_000, Number.POSITIVE_INFINITY),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resume' as const), client, queue: anyQueue }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('open gate' as const), client, gate: fc.constantFrom(...names, 'online') }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('prune' as const),
      client,
      age: fc.constantFrom(0, 100_000, 10 ** 8),
      count: fc.constantFrom(100_000, 100_000, 0, 5),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('time' as const),
      ms: fc.constantFrom(10, 60, 9_000, 31_000, 100_000, 10 ** 9, -5, -40, -5_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), client }) },
] as const

const action = fc.oneof(...steps)
export type Action = typeof action extends fc.Arbitrary<infer A> ? A : never
export type Of<Do extends Action['do']> = Extract<Action, { do: Do }>

const fault = fc.record({ nth: fc.constantFrom(0, 0, 0, 1, 2), fault: fc.constantFrom(...allFaults) })
/** After each step everything is read, in pages of so many. */
const page = fc.constantFrom(1, 3, 7, 50)

export const step = fc.record({ action, fault: fc.option(fault, { nil: undefined, freq: 4 }), page })
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

export const states: readonly TaskState[] = [
  ...(['blocked', 'scheduled', 'available', 'running', 'completed', 'failed', 'cancelled'] as const),
]
