/** Storing tasks: all at once, many callers at once, one at a time. */
import { checkBlocks, freshBlocks, putBlocks } from '../baselines/blocks.js'
import { checkRows, freshRows, putRow, putRows } from '../baselines/rows.js'
import type { Row, Side } from '../contract.js'
import { each, latencies, timed } from './clock.js'
import { type Item, items } from './items.js'
import { checkInputs, checkWaiting, freshQueue } from './sitq.js'

const ROWS = 'one record each, one transaction'
const BLOCKS = 'the same blocks, raw'

/** Times storing inputs; what is stored is looked at afterwards. */
function storing<Store, Stored>(work: {
  fresh(): Promise<Store>
  store(into: Store, inputs: Item[]): Promise<Stored>
  check(into: Store, tasks: number, stored: Stored): Promise<void>
}): Side['measure'] {
  return async ({ tasks }) => {
    const into = await work.fresh()
    const inputs = items(tasks)
    const from = performance.now()
    const stored = await work.store(into, inputs)
    const ms = performance.now() - from
    await work.check(into, tasks, stored)
    return { 'µs/task': each(ms, tasks) }
  }
}

export const enqueueManyRow: Row = {
  name: 'enqueueMany',
  title: 'enqueueMany of an array',
  tasks: 100_000,
  small: 10_000,
  quick: 20_000,
  ours: {
    name: 'sitq',
    measure: storing({
      fresh: freshQueue,
      store: (queue, inputs) => queue.enqueueMany('noop', inputs),
      check: checkWaiting,
    }),
  },
  others: [
    { name: ROWS, most: 20_000, measure: storing({ fresh: freshRows, store: putRows, check: checkRows }) },
    { name: BLOCKS, measure: storing({ fresh: freshBlocks, store: putBlocks, check: checkBlocks }) },
  ],
  goals: [
    { metric: 'µs/task', as: 'faster', against: ROWS, atLeast: 20, collapse: 2 },
    { metric: 'µs/task', as: 'cost', against: BLOCKS, atMost: 1.5, collapse: 15 },
  ],
}

const OWN = 'a transaction each'

const concurrent: Row = {
  name: 'concurrent',
  title: 'enqueue, all called at once',
  tasks: 1_000,
  small: 1_000,
  quick: 1_000,
  ours: {
    name: 'sitq',
    measure: storing({
      fresh: freshQueue,
      store: (queue, inputs) => Promise.all(inputs.map((input) => queue.enqueue('noop', input))),
      check: (queue, _, stored) =>
        checkInputs(
          queue,
          stored.map(({ id }) => id),
        ),
    }),
  },
  others: [
    {
      name: OWN,
      measure: storing({
        fresh: freshRows,
        store: (db, inputs) => Promise.all(inputs.map((input) => putRow(db, input))),
        check: checkRows,
      }),
    },
  ],
  goals: [{ metric: 'µs/task', as: 'faster', against: OWN, atLeast: 40, collapse: 2 }],
}

const PUT = 'one put with commit()'
const WARM = 30

const one: Row = {
  name: 'one',
  title: 'enqueue, awaited one by one',
  tasks: 500,
  small: 100,
  quick: 200,
  ours: {
    name: 'sitq',
    async measure({ tasks }) {
      const queue = await freshQueue()
      const times: number[] = []
      const ids: string[] = []
      for (const input of items(tasks + WARM)) {
        const from = performance.now()
        const { id } = await queue.enqueue('noop', input)
        times.push(performance.now() - from)
        ids.push(id)
      }
      await checkInputs(queue, ids)
      return latencies(times.slice(WARM))
    },
  },
  others: [
    {
      name: PUT,
      async measure({ tasks }) {
        const db = await freshRows()
        const times: number[] = []
        for (const input of items(tasks + WARM)) times.push(await timed(() => putRow(db, input)))
        await checkRows(db, tasks)
        return latencies(times.slice(WARM))
      },
    },
  ],
  goals: [
    { metric: 'p50 ms', as: 'cost', against: PUT, atMost: 1.3, collapse: 8 },
    { metric: 'p99 ms', as: 'cost', against: PUT, atMost: 1.3 },
  ],
}

export const enqueueRows: readonly Row[] = [enqueueManyRow, concurrent, one]
