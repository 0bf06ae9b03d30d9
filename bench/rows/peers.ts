/** Durable queues that a web developer could take instead: none has Web Workers or keeps results, so each does less than ours. */
import { NotHereError, type Row, type Side, WrongOutcomeError } from '../contract.js'
import { each, timed } from './clock.js'
import { drainOurs } from './drain.js'
import { isItem, items } from './items.js'

const peer = (name: string, most: number): Side => ({
  name,
  most,
  async measure({ tasks }) {
    const { peerQueues } = await import('../baselines/queues.js')
    const queue = await peerQueues[name]?.()
    if (!queue) throw new NotHereError(`There is no queue ${name}.`)
    await queue.store(items(tasks))
    let handled = 0
    const ms = await timed(() =>
      queue.drain((input) => {
        if (isItem(input, handled)) handled++
      }),
    )
    if (handled !== tasks) throw new WrongOutcomeError(`${name} handled ${handled} of ${tasks} in order.`)
    return { 'µs/task': each(ms, tasks) }
  },
})

/** At most so many, in a few seconds. */
const PEERS: [name: string, most: number][] = [
  ['workbox-background-sync', 1_000],
  ['serwist', 1_000],
  ['idb-queue', 2_000],
  ['@tanstack/offline-transactions', 500],
]

export const peerRows: readonly Row[] = [
  {
    name: 'queues',
    title: 'draining what is stored: other durable queues, at the sizes they can finish',
    tasks: 100_000,
    small: 5_000,
    ours: { name: 'sitq', measure: drainOurs },
    others: PEERS.map(([name, most]) => peer(name, most)),
    goals: PEERS.map(([against]) => ({ metric: 'µs/task', as: 'faster', against, atLeast: 50 })),
  },
]
