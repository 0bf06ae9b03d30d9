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
/** One does most of the work. */
const host = fc.constantFrom<number[]>(0, 0, 0, 1, 2)
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
  priority: fc.constantFrom<number[]>(0, 0, -1, -99, -100),
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
  { weight: 1, arbitrary: fc.record({ do: fc.constant('repair' as const), client }) },
] as const

const action = fc.oneof(...steps)
export type Action = typeof action extends fc.Arbitrary<infer A> ? A : never
export type Of<Do extends Action['do']> = Extract<Action, { do: Do }>

const fault = fc.record({ nth: fc.constantFrom<number[]>(0, 0, 0, 1, 2), fault: fc.constantFrom(...allFaults) })
/** After each step everything is read, in pages of so many. */
const page = fc.constantFrom(1, 3, 7, 50)

export const step = fc.record({ action, fault: fc.option(fault, { nil: undefined, freq: 4 }), page })
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

export const states: readonly TaskState[] = [
  ...(['blocked', 'scheduled', 'available', 'running', 'completed', 'failed', 'cancelled'] as const),
]

// — histories —————————————————————————————————————————————————————————————————————————————————————————————————————————

const plainly = (actions: Action[]): Step[] => actions.map((one) => ({ action: one, fault: undefined, page: 7 }))
const exchange = (of: number, o: Partial<Of<'exchange'>> = {}): Action => {
  const rest = { names: undefined, queues: undefined, leave: false, twice: false }
  return { do: 'exchange', host: of, settle: ['keep'], limit: 20, claims: true, ...rest, ...o }
}
const recover = (of: number): Action => ({ do: 'recover', host: of, dead: 'others', left: false, maxCrashes: 3 })

/** Ways to where it gets interesting, which single steps seldom find. */
const openings = fc.oneof(
  // A batch that ended long ago and is pruned; its name will be used again, and its last tasks are still there.
  fc.record({ batch: anyBatch, count: few }).map(({ batch, count: n }) => {
    const add = {
      client: 0,
      batch,
      count: n,
      queue: 'default' as const,
      priority: 0,
      delay: 0 as const,
      again: 0 as const,
    }
    return plainly([
      { do: 'add to batch', ...add, open: false },
      exchange(0),
      exchange(0, { settle: ['fail', 'ok'], claims: false }),
      { do: 'cancel batch', client: 0, batch },
      { do: 'time', ms: 10 ** 9 },
      { do: 'prune', client: 0, age: 0, count: 100_000 },
      { do: 'add to batch', ...add, open: true },
    ])
  }),
  // Batches that have ended, and get more from tasks that are not theirs.
  fc
    .record({ count: few, settle: fc.constantFrom(['ok' as const], ['cancel' as const]) })
    .map(({ count: n, settle }) => {
      const add = { client: 0, count: n, queue: 'default' as const, priority: 0, delay: 0 as const, again: 0 as const }
      const group = { queue: 'default' as const, name: 'a' as const, priority: 0 as const, delay: 0 as const, count: 9 }
      return plainly([
        { do: 'add to batch', ...add, batch: 'x', open: false },
        { do: 'add to batch', ...add, batch: 'y', open: false },
        exchange(0, { limit: 60 }),
        settle[0] === 'ok' ? exchange(0, { settle: ['ok'] }) : { do: 'cancel batch', client: 1, batch: 'y' },
        { do: 'add', client: 0, groups: [group] },
        exchange(1),
        exchange(1, { settle: ['follow into batch'] }),
      ])
    }),
  // Tasks that have crashed once or twice, beside others that have not.
  fc.record({ times: fc.integer({ min: 1, max: 2 }), count: fc.integer({ min: 1, max: 40 }) }).map((o) => {
    const group = { queue: 'default' as const, priority: 0 as const, delay: 0 as const }
    const groups = [
      { ...group, name: 'a' as const, count: o.count },
      { ...group, name: 'b' as const, count: 3 },
    ]
    const crash = Array.from({ length: o.times }, () => [exchange(1, { limit: 60 }), recover(0)])
    return plainly([{ do: 'add', client: 0, groups }, ...crash.flat(), { do: 'add', client: 1, groups }])
  }),
  // A lane of several blocks with holes ahead of its head, some of which are tasks again.
  fc.record({ batch: fc.constantFrom(...plain), holes: picks, again: picks, limit: fc.nat(400) }).map((o) => {
    const add = { client: 0, queue: 'default' as const, priority: 0 as const, delay: 0 as const, again: 0 as const }
    const groups = [
      { queue: 'default' as const, name: 'a' as const, priority: 0 as const, delay: 0 as const, count: 200 },
    ]
    return plainly([
      { do: 'add', client: 0, groups },
      { do: 'add to batch', ...add, batch: o.batch, count: 150, open: true },
      { do: 'add', client: 0, groups },
      { do: 'cancel', client: 1, picks: o.holes },
      { do: 'cancel batch', client: 1, batch: o.batch },
      { do: 'retry', client: 2, picks: [...o.holes, ...o.again] },
      exchange(0, { limit: o.limit }),
    ])
  }),
  // Runs of both pipelines, half through.
  fc
    .record({ count: few, settle: fc.array(fc.constantFrom(...settleKinds), { minLength: 1, maxLength: 4 }) })
    .map((o) => {
      const add = {
        client: 0,
        count: o.count,
        queue: 'default' as const,
        priority: -99,
        delay: 0 as const,
        again: 0 as const,
      }
      return plainly([
        { do: 'add to batch', ...add, batch: 'p', open: true },
        { do: 'add to batch', ...add, batch: 'q', open: false },
        exchange(0, { limit: 30 }),
        exchange(0, { limit: 30, settle: ['ok', ...o.settle] }),
        exchange(0, { limit: 30, settle: ['ok'], twice: true }),
      ])
    }),
)

/** A history of about so many steps. */
export const history = (length: number): fc.Arbitrary<Step[]> =>
  fc
    .array(fc.oneof({ weight: 24, arbitrary: step.map((one) => [one]) }, { weight: 1, arbitrary: openings }), {
      minLength: 1,
      maxLength: length,
      size: 'max',
    })
    .map((parts) => parts.flat())

/** A short one with few tasks, in which nothing breaks yet. */
export const calm = (length: number): fc.Arbitrary<Step[]> => {
  const few = action.filter(
    (one) => !('count' in one && one.count > 12) && !('groups' in one && one.groups.some((g) => g.count > 12)),
  )
  const one = fc.record({ action: few, fault: fc.constant(undefined), page: fc.constant(7 as const) })
  return fc.array(one, { minLength: 2, maxLength: length, size: 'max' })
}
