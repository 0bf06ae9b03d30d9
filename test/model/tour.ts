import type { Action, Of, SettleKind } from './steps.js'

/** Every kind of step there is: a new one must be added here, and so to the tour. */
const kinds = {
  add: 0,
  'add to batch': 0,
  exchange: 0,
  repeat: 0,
  renew: 0,
  recover: 0,
  cancel: 0,
  retry: 0,
  'cancel batch': 0,
  'end batch': 0,
  clear: 0,
  pause: 0,
  resume: 0,
  'open gate': 0,
  prune: 0,
  repair: 0,
  time: 0,
  restart: 0,
} satisfies Record<Action['do'], 0>
export const allKinds = Object.keys(kinds)

/** Everything that a host may say of a task, the sorts that keep it last. */
const settled: SettleKind[] = [
  ...(['ok', 'fail', 'retry', 'back', 'crash', 'park', 'follow', 'follow later', 'follow into batch'] as const),
  ...(['end batch', 'wrong seq', 'twice', 'keep'] as const),
]

const few = { queue: 'default', priority: 0, delay: 0 } as const
const batch = (id: Of<'add to batch'>['batch'], count: number, open: boolean): Action => ({
  ...{ do: 'add to batch', client: 0, batch: id, count, ...few, again: 0, open },
})
const exchange = (host: number, o: Partial<Of<'exchange'>> = {}): Action => ({
  ...{ do: 'exchange', host, settle: ['keep'], limit: 40, claims: true },
  ...{ names: undefined, queues: undefined, leave: false, twice: false, ...o },
})
const recover = (host: number, dead: Of<'recover'>['dead']): Action => ({
  ...{ do: 'recover', host, dead, left: false, maxCrashes: 3 },
})

/** One of everything, in an order in which each has something to do. */
export const tour: readonly Action[] = [
  {
    do: 'add',
    client: 0,
    groups: [
      { ...few, count: 13, name: 'a' },
      { ...few, count: 2, name: 'b', queue: 'other', priority: 1 },
      { ...few, count: 2, name: 'c' },
      { ...few, count: 2, name: 'a', delay: 50 },
    ],
  },
  batch('x', 3, true),
  batch('y', 2, false),
  batch('p', 3, true),
  batch('q', 2, false),
  exchange(0, { names: ['a', 'b'] }),
  exchange(0, { settle: settled, names: ['a', 'b'], limit: 3 }),
  { do: 'repeat', host: 0 },
  { do: 'renew', host: 0, ms: 30_000 },
  { do: 'open gate', client: 1, gate: 'c' },
  { do: 'open gate', client: 1, gate: 'online' },
  { do: 'time', ms: 60 },
  exchange(1, { limit: 6, twice: true }),
  exchange(1, { settle: ['ok', 'fail', 'keep'], limit: 4 }),
  { do: 'cancel', client: 2, picks: [0, 1, 14, 17] },
  { do: 'retry', client: 2, picks: [0, 1, 2, 17] },
  { do: 'cancel batch', client: 1, batch: 'y' },
  { do: 'pause', client: 1, queue: 'other', ms: 60_000 },
  { do: 'resume', client: 1, queue: 'other' },
  { do: 'pause', client: 1, queue: undefined, ms: 100 },
  { do: 'resume', client: 1, queue: undefined },
  recover(0, 'others'),
  { do: 'time', ms: 31_000 },
  recover(2, 'expired'),
  batch('x', 2, true),
  { do: 'end batch', client: 0, batch: 'x' },
  { do: 'restart', client: 2 },
  exchange(2, { limit: 5 }),
  exchange(2, { settle: ['ok'], limit: 5, leave: true }),
  { do: 'repair', client: 1 },
  { do: 'time', ms: 10 ** 9 },
  { do: 'prune', client: 1, age: 100_000, count: 5 },
  { do: 'clear', client: 0, queue: 'other' },
]
