/** Pools without storage: 10,000 no-ops given at once. And what a second Web Worker is good for. */
import type { Report, Run } from 'sitq'
import { type Load, NotHereError, type Row, type Sample, type Side, WrongOutcomeError } from '../contract.js'
import { each, pause, timed } from './clock.js'
import { type Item, items } from './items.js'
import { checkOutcomes, ended, freshQueue, pool, startWorker } from './sitq.js'

/** The executor alone, as the host uses it. */
async function ours({ tasks }: Load): Promise<Sample> {
  const executor = pool(2)
  let hear = (_: Report) => {}
  await executor.open((report) => hear(report))
  const run = (given: readonly Item[]) =>
    new Promise<unknown[]>((resolve) => {
      const outputs: unknown[] = []
      let left = given.length
      hear = (report) => {
        if (report.type !== 'ended') return
        for (const one of report.runs) outputs[one.key % given.length] = one.ok ? one.value : one
        left -= report.runs.length
        if (left === 0) resolve(outputs)
      }
      const first = key
      key += given.length
      executor.give(
        given.map(
          (input, i): Run => ({ key: first + i, id: `bench-${i}`, name: 'noop', input, attempt: 1, meta: undefined }),
        ),
      )
    })
  // Keys are never used again; each run begins at a multiple of its length.
  let key = 0
  const measured = await measureRuns(run, tasks, (length) => {
    key = Math.ceil(key / length) * length
  })
  await executor.close()
  return measured
}

/** Once for the Web Workers to start and the code to be compiled, then timed. */
async function measureRuns(
  run: (given: readonly Item[]) => Promise<unknown[]>,
  tasks: number,
  before: (length: number) => void = () => {},
): Promise<Sample> {
  before(200)
  await run(items(200))
  before(tasks)
  const given = items(tasks)
  let outputs: unknown[] = []
  const ms = await timed(async () => {
    outputs = await run(given)
  })
  outputs.forEach((output, id) => {
    if (output !== id) throw new WrongOutcomeError(`Item ${id} came to ${JSON.stringify(output)}.`)
  })
  if (outputs.length !== tasks) throw new WrongOutcomeError(`${outputs.length} of ${tasks} came back.`)
  return { 'µs/task': each(ms, tasks) }
}

const peer = (name: string): Side => ({
  name,
  async measure({ tasks }) {
    const { pools } = await import('../pools/peers.js')
    const made = pools[name]?.()
    if (!made) throw new NotHereError(`There is no pool ${name}.`)
    try {
      await answering(made.run(items(2)), name)
      return await measureRuns((given) => made.run(given), tasks)
    } finally {
      made.end()
    }
  },
})

/** In ms: what a pool may need to start. */
const START = 10_000

/** Throws NotHereError for a pool whose Web Workers stay silent: a number is not worth waiting for for ever. */
async function answering(first: Promise<unknown>, name: string): Promise<void> {
  const late = pause(START).then(() => {
    throw new NotHereError(`${name} does not start in this browser as it is bundled here`)
  })
  await Promise.race([first, late])
}

const PEERS = ['workerpool', '@fideus-labs/worker-pool', 'poolifier-web-worker', 'raw Comlink']

const dispatch: Row = {
  name: 'dispatch',
  title: 'no-ops through 2 Web Workers, without storage',
  tasks: 10_000,
  small: 2_000,
  ours: { name: 'sitq', measure: ours },
  others: PEERS.map(peer),
  goals: PEERS.map((against) => ({ metric: 'µs/task', as: 'faster', against, atLeast: 1 })),
}

const WORK = 10

/** ms in all for tasks that keep a core busy for 10 ms each. */
async function busy({ tasks }: Load, size: number): Promise<Sample> {
  const queue = await freshQueue()
  const worker = await startWorker(queue, size)
  await queue.pause()
  const batch = await queue.enqueueMany(
    'spin',
    items(tasks).map((item) => ({ ...item, ms: WORK })),
  )
  const ms = await timed(async () => {
    await queue.resume()
    await ended(batch)
  })
  await checkOutcomes(queue, worker, batch.id, tasks)
  return { 'ms/task': ms / tasks }
}

const ALONE = '1 Web Worker'

const scaling: Row = {
  name: 'scaling',
  title: 'handlers that compute for 10 ms, 2 Web Workers',
  tasks: 400,
  small: 100,
  ours: { name: '2 Web Workers', measure: (load) => busy(load, 2) },
  others: [{ name: ALONE, measure: (load) => busy(load, 1) }],
  goals: [{ metric: 'ms/task', as: 'faster', against: ALONE, atLeast: 1.85 }],
}

export const poolRows: readonly Row[] = [dispatch, scaling]
