import { inline, TaskQueue, TaskWorker } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { expect, onTestFinished, test } from 'vitest'
import type { BatchMark, Ledger } from '../src/plan/records.js'
import { recountOf } from './chaos/pages/recount.js'

// The kill suite's own count of a database must find what does not add up: records that are right, and then one of them is not.

type Stored = [key: IDBValidKey, record: unknown]

/** Something of everything: ended well, badly and by cancelling, waiting, set aside, of a batch. */
async function database() {
  const name = crypto.randomUUID()
  const backend = new IndexedDBBackend({ name })
  const handlers = { ok: (n: number) => n, bad: () => Promise.reject(new Error('no')) }
  const queue = new TaskQueue<typeof handlers>({ backend })
  const worker = new TaskWorker(queue, { executor: inline(handlers), onError: () => {} })
  onTestFinished(() => backend.destroy())
  await queue.enqueueMany('ok', [1, 2, 3, 4], { id: 'four' })
  await queue.enqueue('bad', undefined, { retry: { attempts: 1 } })
  await worker.drain()
  await (await queue.enqueue('ok', 5)).cancel()
  await queue.enqueue('ok', 6, { delay: 60_000 })
  await queue.enqueue('ok', 7)
  await queue.close()
  return name
}

async function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Puts into a store what becomes of each record; undefined: it is deleted. */
async function change(name: string, store: string, to: (...stored: Stored) => unknown): Promise<void> {
  const db = await answer(indexedDB.open(name))
  const records = db.transaction(store, 'readwrite').objectStore(store)
  const [keys, values] = await Promise.all([answer(records.getAllKeys()), answer(records.getAll())])
  for (const [i, key] of keys.entries()) {
    const record = to(key, values[i])
    if (record === undefined) await answer(records.delete(key))
    else await answer(records.put(record, key))
  }
  db.close()
}

const isLedger = (record: unknown): record is Ledger =>
  typeof record === 'object' && record !== null && 'lanes' in record
const ledgers = (to: (ledger: Ledger) => void) => (_: IDBValidKey, record: unknown) => {
  if (isLedger(record)) to(record)
  return record
}
function putHeads({ lanes }: Ledger, head: number): void {
  for (const lane of lanes) lane.head = head
}

const isMark = (key: IDBValidKey, kind: string) => Array.isArray(key) && key[0] === kind
const isBatch = (key: IDBValidKey, _: unknown): _ is BatchMark => isMark(key, 'batch')

test('finds nothing where nothing is wrong', async () => {
  const { faults, tasks } = await recountOf(await database())
  expect(faults).toEqual([])
  expect(tasks.map(({ state }) => state).sort()).toEqual([
    'aside',
    'cancelled',
    'completed',
    'completed',
    'completed',
    'completed',
    'failed',
    'line',
  ])
})

test.each<[what: string, store: string, to: (...stored: Stored) => unknown, fault: RegExp]>([
  ['an outcome that is gone', 'outcomes', () => undefined, /is nowhere/],
  ['a block that is gone', 'blocks', () => undefined, /there is no such task/],
  ['a head that was put back', 'ledger', ledgers((one) => putHeads(one, 0)), /completed and line/],
  ['a head that was put forward', 'ledger', ledgers((one) => putHeads(one, 100)), /has a head of 100/],
  ['a count of what has ended', 'ledger', ledgers((one) => one.ended.completed++), /completed is 5, counted 4/],
  [
    'a count of what is set aside',
    'ledger',
    ledgers((one) => Object.assign(one, { aside: {} })),
    /aside at 0 is \[0,0\], counted \[0,1\]/,
  ],
  [
    'tasks that are held and have ended',
    'ledger',
    ledgers((one) =>
      Object.assign(one, {
        hosts: { h: { seq: 1, until: 0, parts: Float64Array.of(1, one.lanes[0]?.lane ?? 0, 0, 1, 1, 0) } },
      }),
    ),
    /completed and leased/,
  ],
  [
    'a mark of what is set aside that is gone',
    'marks',
    (key, record) => (isMark(key, 'aside') ? undefined : record),
    /is nowhere/,
  ],
  ['its gate that is gone', 'marks', (key, record) => (isMark(key, 'gate') ? undefined : record), /aside, by gate/],
  [
    "a batch's count",
    'marks',
    (key, record) => (isBatch(key, record) ? { ...record, completed: 3 } : record),
    /batch four: completed is 3, counted 4/,
  ],
  [
    'a batch that has not ended',
    'marks',
    (key, record) => (isBatch(key, record) ? { ...record, endedAt: undefined } : record),
    /batch four: ended is false, counted true/,
  ],
])('finds %s', async (_, store, to, fault) => {
  const name = await database()
  await change(name, store, to)
  expect((await recountOf(name)).faults.join('\n')).toMatch(fault)
})
