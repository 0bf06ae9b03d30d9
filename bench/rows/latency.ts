/** From the call of enqueue to the handler's first line, one task at a time on an idle host; in the same tab and from another. */
import { wrap } from 'comlink'
import { exchange, freshRecords, putRecord } from '../baselines/records.js'
import { type Load, NotHereError, type Row, type Sample, WrongOutcomeError } from '../contract.js'
import type { Service } from '../pools/raw.worker.js'
import { latencies, pause } from './clock.js'
import { type Item, item, present } from './items.js'
import { type OtherTab, openOtherTab } from './other-tab.js'
import { checkCount, freshQueue, startWorker } from './sitq.js'

/** Between two tasks, in ms: the queue is idle again. */
const GAP = 5
const WARM = 20

/** Calls `once` again and again; each time it resolves with how long it took. */
async function measured(tasks: number, once: (input: Item) => Promise<number>): Promise<Sample> {
  const times: number[] = []
  for (let id = 0; id < tasks + WARM; id++) {
    const time = await once(item(id))
    if (!(time > 0 && time < 60_000)) throw new WrongOutcomeError(`Task ${id} took ${time} ms to start.`)
    if (id >= WARM) times.push(time)
    await pause(GAP)
  }
  return latencies(times)
}

async function ours({ tasks }: Load): Promise<Sample> {
  const queue = await freshQueue()
  const worker = await startWorker(queue)
  const before = (await queue.counts()).completed
  const sample = await measured(tasks, async (input) => {
    const from = present()
    const task = await queue.enqueue('stamp', input)
    return (await task.result()) - from
  })
  await checkCount(queue, worker, before + tasks + WARM)
  return sample
}

/** A claim by hand: what a queue must do at least between the put and the call. */
async function byHand(): Promise<{ claimAndCall(): Promise<number>; db: IDBDatabase; end(): Promise<void> }> {
  const db = await freshRecords()
  const worker = new Worker(new URL('../pools/raw.worker.ts', import.meta.url), { type: 'module' })
  const service = wrap<Service>(worker)
  return {
    db,
    async claimAndCall() {
      const [row] = await exchange(db, [], 1)
      if (!row) throw new WrongOutcomeError('Nothing was there to be claimed.')
      const at = await service.stamp(row.input)
      await exchange(db, [{ ...row, output: row.id }], 1)
      return at
    },
    async end() {
      worker.terminate()
      db.close()
    },
  }
}

async function handMade({ tasks }: Load): Promise<Sample> {
  const hand = await byHand()
  const sample = await measured(tasks, async (input) => {
    const from = present()
    await putRecord(hand.db, input)
    return (await hand.claimAndCall()) - from
  })
  await hand.end()
  return sample
}

const HAND = 'raw put, raw claim, Comlink call'

const sameTab: Row = {
  name: 'latency',
  title: 'enqueue to handler start, same tab',
  tasks: 300,
  small: 60,
  ours: { name: 'sitq', measure: ours },
  others: [{ name: HAND, measure: handMade }],
  goals: [
    { metric: 'p50 ms', as: 'cost', against: HAND, atMost: 1.2 },
    { metric: 'p99 ms', as: 'cost', against: HAND, atMost: 1.2 },
    { metric: 'p50 ms', as: 'value', atMost: 4 },
  ],
}

/** Runs in the other tab what `from` says and hears when the handler began, on this tab's clock. */
async function withOtherTab<T>(work: (tab: OtherTab) => Promise<T>): Promise<T> {
  const tab = await openOtherTab()
  if (!tab) throw new NotHereError('the browser does not let this page open a tab')
  try {
    return await work(tab)
  } finally {
    tab.close()
  }
}

async function oursFromAfar({ tasks }: Load): Promise<Sample> {
  const queue = await freshQueue()
  const worker = await startWorker(queue)
  const sample = await withOtherTab((tab) =>
    measured(tasks, async (input) => {
      const { from, id } = await tab.enqueue(queue.backend, input)
      const result = await queue.getResult<'stamp'>(id)
      return result?.status === 'completed' ? result.value - from : Number.NaN
    }),
  )
  await worker.stop()
  await queue.close()
  return sample
}

async function handMadeFromAfar({ tasks }: Load): Promise<Sample> {
  const hand = await byHand()
  const sample = await withOtherTab((tab) =>
    measured(tasks, async (input) => {
      let started: Promise<number> | undefined
      // The other tab says so once it is committed.
      const { from } = await tab.put(input, () => {
        started = hand.claimAndCall()
      })
      return ((await started) ?? Number.NaN) - from
    }),
  )
  await hand.end()
  return sample
}

const AFAR = 'BroadcastChannel, and the same by hand'

const otherTab: Row = {
  name: 'latency-tabs',
  title: 'enqueue in another tab to handler start',
  tasks: 300,
  small: 60,
  runner: 'the tab in front would hide the one that is measured',
  ours: { name: 'sitq', measure: oursFromAfar },
  others: [{ name: AFAR, measure: handMadeFromAfar }],
  goals: [
    { metric: 'p50 ms', as: 'cost', against: AFAR, atMost: 1.5 },
    { metric: 'p99 ms', as: 'cost', against: AFAR, atMost: 1.5 },
  ],
}

export const latencyRows: readonly Row[] = [sameTab, otherTab]
