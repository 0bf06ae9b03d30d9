/** Running what is stored: no-ops through two Web Workers, results stored. */
import { checkRecords, drainRecords, freshRecords, putRecord, putRecords } from '../baselines/records.js'
import { type Load, type Row, type Sample, type Side, WrongOutcomeError } from '../contract.js'
import { each, timed } from './clock.js'
import { items } from './items.js'
import { checkCompleted, checkOutcomes, completed, ended, freshQueue, startWorker } from './sitq.js'

/** Stored while the queue is paused; the clock starts where it is resumed, and so does what is watched besides. */
export async function drainOurs({ tasks }: Load, watch: () => { end(): Sample } = () => ({ end: () => ({}) })) {
  const queue = await freshQueue()
  const worker = await startWorker(queue)
  await queue.pause()
  const batch = await queue.enqueueMany('noop', items(tasks))
  const watching = watch()
  const ms = await timed(async () => {
    await queue.resume()
    await ended(batch)
  })
  const watched = watching.end()
  await checkOutcomes(queue, worker, batch.id, tasks)
  return { ...watched, 'µs/task': each(ms, tasks) }
}

const RECORDS = 'one record each, inline'

const recordsSide: Side = {
  name: RECORDS,
  most: 20_000,
  async measure({ tasks }) {
    const db = await freshRecords()
    await putRecords(db, items(tasks))
    const ms = await timed(async () => {
      const drained = await drainRecords(db)
      if (drained !== tasks) throw new WrongOutcomeError(`${drained} of ${tasks} were drained.`)
    })
    await checkRecords(db, tasks)
    return { 'µs/task': each(ms, tasks) }
  },
}

export const drainRow: Row = {
  name: 'drain',
  title: 'no-ops stored by enqueueMany, drained by 2 Web Workers, results stored',
  tasks: 100_000,
  small: 10_000,
  quick: 10_000,
  ours: { name: 'sitq', measure: (load) => drainOurs(load) },
  others: [recordsSide],
  goals: [{ metric: 'µs/task', as: 'faster', against: RECORDS, atLeast: 15, collapse: 3 }],
}

const singly: Row = {
  name: 'singly',
  title: 'enqueued one await at a time, then drained',
  tasks: 10_000,
  small: 1_000,
  quick: 800,
  ours: {
    name: 'sitq',
    async measure({ tasks }) {
      const queue = await freshQueue()
      const worker = await startWorker(queue)
      const before = (await queue.counts()).completed
      await queue.pause()
      const ids: string[] = []
      const enqueue = await timed(async () => {
        for (const input of items(tasks)) ids.push((await queue.enqueue('noop', input)).id)
      })
      const ms = await timed(async () => {
        await queue.resume()
        await completed(queue, before + tasks)
      })
      await checkCompleted(queue, worker, ids)
      return { 'enqueue µs/task': each(enqueue, tasks), 'drain µs/task': each(ms, tasks) }
    },
  },
  others: [
    {
      name: RECORDS,
      async measure({ tasks }) {
        const db = await freshRecords()
        const enqueue = await timed(async () => {
          for (const input of items(tasks)) await putRecord(db, input)
        })
        const ms = await timed(() => drainRecords(db))
        await checkRecords(db, tasks)
        return { 'enqueue µs/task': each(enqueue, tasks), 'drain µs/task': each(ms, tasks) }
      },
    },
  ],
  goals: [{ metric: 'drain µs/task', as: 'faster', against: RECORDS, atLeast: 4, collapse: 0.4 }],
}

export const drainRows: readonly Row[] = [drainRow, singly]
