/** Storing tasks: all at once, many callers at once, one at a time. */
import { checkBlocks, freshBlocks, putBlocks } from '../baselines/blocks.js'
import { checkRows, freshRows, putRow, putRows } from '../baselines/rows.js'
import type { Row } from '../contract.js'
import { each, latencies, timed } from './clock.js'
import { items } from './items.js'
import { checkInputs, checkWaiting, freshQueue } from './sitq.js'

const ROWS = 'one record each, one transaction'
const BLOCKS = 'the same blocks, raw'

export const enqueueManyRow: Row = {
  name: 'enqueueMany',
  title: 'enqueueMany of an array',
  tasks: 100_000,
  small: 10_000,
  quick: 20_000,
  ours: {
    name: 'sitq',
    async measure({ tasks }) {
      const queue = await freshQueue()
      const inputs = items(tasks)
      const ms = await timed(() => queue.enqueueMany('noop', inputs))
      await checkWaiting(queue, tasks)
      return { 'µs/task': each(ms, tasks) }
    },
  },
  others: [
    {
      name: ROWS,
      most: 20_000,
      async measure({ tasks }) {
        const db = await freshRows()
        const inputs = items(tasks)
        const ms = await timed(() => putRows(db, inputs))
        await checkRows(db, tasks)
        return { 'µs/task': each(ms, tasks) }
      },
    },
    {
      name: BLOCKS,
      async measure({ tasks }) {
        const db = await freshBlocks()
        const inputs = items(tasks)
        const ms = await timed(() => putBlocks(db, inputs))
        await checkBlocks(db, tasks)
        return { 'µs/task': each(ms, tasks) }
      },
    },
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
    async measure({ tasks }) {
      const queue = await freshQueue()
      const inputs = items(tasks)
      const stored: { id: string }[] = []
      const ms = await timed(async () => {
        stored.push(...(await Promise.all(inputs.map((input) => queue.enqueue('noop', input)))))
      })
      await checkInputs(
        queue,
        stored.map(({ id }) => id),
      )
      return { 'µs/task': each(ms, tasks) }
    },
  },
  others: [
    {
      name: OWN,
      async measure({ tasks }) {
        const db = await freshRows()
        const inputs = items(tasks)
        const ms = await timed(() => Promise.all(inputs.map((input) => putRow(db, input))))
        await checkRows(db, tasks)
        return { 'µs/task': each(ms, tasks) }
      },
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
