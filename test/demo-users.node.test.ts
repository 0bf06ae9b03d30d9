import { inline, MemoryBackend, TaskQueue, TaskWorker } from 'sitq'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { handlers } from '../demo/handlers.js'
import { findFields } from '../demo/import/fields.js'
import { inspect } from '../demo/import/inspect.js'
import { sampleUsers } from '../demo/jobs/samples.js'
import { startUsers, type UsersRun } from '../demo/runs/users.js'
import { takeFile, type UsersJob } from '../demo/runs/users-job.js'

let queue: TaskQueue<typeof handlers>
let worker: TaskWorker

beforeEach(() => {
  queue = new TaskQueue<typeof handlers>({ backend: new MemoryBackend() })
  worker = new TaskWorker(queue, { executor: inline(handlers) })
})

afterEach(async () => {
  await worker.stop({ grace: 0 })
  await queue.close()
})

const how = { id: 'job', delay: 0, startedAt: 0 }
const sample: UsersJob = { ...how, source: 'sample' }

async function jobOf(text: string): Promise<UsersJob> {
  const file = new File([text], 'users.csv')
  const format = await inspect(file, file.name)
  return takeFile(file, { ...how, format, fields: findFields(format.columns) })
}

async function outcomeOf(run: UsersRun) {
  const errors: string[] = []
  await run.end()
  for await (const some of run.errors()) errors.push(...some.map(({ row, message }) => `${row} ${message}`))
  const { validation, processing, state, problem } = await run.progress()
  return { total: validation.done, valid: processing.total, processed: processing.completed, state, problem, errors }
}

/** Its valid rows are the even ones. */
const csv = (rows: number) =>
  `name,email,age\n${Array.from({ length: rows }, (_, i) => `user ${i},u${i}@x.org,${i % 2 === 0 ? i % 90 : 200}\n`).join('')}`

test('20 users: 12 are valid and processed', async () => {
  await worker.start()
  const { errors, ...counts } = await outcomeOf(await startUsers(queue, sample))
  expect(counts).toEqual({ total: 20, valid: 12, processed: 12, state: 'completed', problem: undefined })
  expect(errors.sort()).toHaveLength(8)
})

test('a job that is started again goes on; nothing is stored or run twice', async () => {
  await startUsers(queue, sample)
  await startUsers(queue, sample)
  await worker.start()
  const run = await startUsers(queue, sample)
  expect(await outcomeOf(run)).toMatchObject({ total: 20, valid: 12, processed: 12 })
  expect(await outcomeOf(await startUsers(queue, sample))).toMatchObject({ total: 20, valid: 12, processed: 12 })
  const processed = []
  for await (const each of run.processed()) processed.push(each.original_value)
  expect(processed).toHaveLength(12)
  expect(processed[0]).toEqual(sampleUsers[0])
})

test('a file comes in by a chain of tasks, whole and once', async () => {
  await worker.start()
  const outcome = await outcomeOf(await startUsers(queue, await jobOf(csv(3_001))))
  expect(outcome).toMatchObject({ total: 3_001, valid: 1_501, processed: 1_501, state: 'completed' })
  expect(outcome.errors).toHaveLength(1_500)
  expect(outcome.errors).toContain('2 Invalid age')
})

test('a file without rows ends at once', async () => {
  await worker.start()
  expect(await outcomeOf(await startUsers(queue, await jobOf('email,age\n')))).toMatchObject({
    total: 0,
    state: 'completed',
  })
})

test('a file that turns out malformed ends the job, says where, and says so again after a reload', async () => {
  await worker.start()
  const job = await jobOf(`${csv(2_000)}a,"b"c,3\n`)
  const expected = {
    state: 'failed',
    problem: "users.csv can't be read: there is text after the closing quote (row 2001, column 2 (email)).",
  }
  expect(await outcomeOf(await startUsers(queue, job))).toMatchObject(expected)
  expect(await outcomeOf(await startUsers(queue, job))).toMatchObject(expected)
})

test('a row that does not fit is an error of that row; the rest goes on', async () => {
  await worker.start()
  const outcome = await outcomeOf(await startUsers(queue, await jobOf('email,age\na@x\nb@x,3\n')))
  expect(outcome).toMatchObject({ total: 2, valid: 1, processed: 1, errors: ['1 1 cell where the header has 2'] })
})

test('a cancelled job ends', async () => {
  const run = await startUsers(queue, await jobOf(csv(10)))
  await run.cancel()
  expect(await outcomeOf(run)).toMatchObject({ total: 0, processed: 0, state: 'cancelled' })
})
