import { inline, type QueueEvent, TaskNotFoundError, TaskQueue, TaskWorker } from 'sitq'
import { IndexedDBBackend, type IndexedDBBackendOptions } from 'sitq/indexeddb'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { breakInCommit, handlesUsedBy, loseDatabase, refuseToOpen } from './support/faults.js'

// A database that the browser takes away, for good or for now. In Node on fake-indexeddb, in Chromium on the real one, whose
// own ways of losing data are in storage-lost.browser.test.ts and storage-lost.node.test.ts.

const handlers = { echo: (n: number) => n, wait: () => new Promise<number>(() => {}) }
type Told = Extract<QueueEvent, { type: 'storage' }>['event']

/** A queue as one page has it. Several in a test are several pages: each has its own connection and its own lock request. */
function page(name: string, options: Partial<IndexedDBBackendOptions> = {}) {
  const backend = new IndexedDBBackend({ name, ...options })
  const queue = new TaskQueue<typeof handlers>({ backend })
  const events: Told[] = []
  const hear = (event: QueueEvent) => event.type === 'storage' && events.push(event.event)
  queue.subscribe(hear)
  const errors: unknown[] = []
  const worker = new TaskWorker(queue, {
    executor: inline(handlers),
    onError: (error) => errors.push(error),
    warn: () => {},
  })
  onTestFinished(async () => {
    await worker.stop({ grace: 0 })
    await queue.close()
  })
  return { backend, queue, worker, events, errors, hear }
}

function database() {
  const name = crypto.randomUUID()
  onTestFinished(async () => new IndexedDBBackend({ name }).destroy())
  return name
}

const marks = (name: string) =>
  typeof localStorage === 'undefined' ? [] : Object.keys(localStorage).filter((key) => key.includes(name))

describe('a database that the browser deleted', () => {
  it('during the session: told once, and the next database is used', async () => {
    const name = database()
    const { queue, events } = page(name)
    const handles = await handlesUsedBy(() => queue.enqueue('echo', 1))
    await loseDatabase(name, handles)
    await expect(queue.enqueue('echo', 2)).rejects.toMatchObject({ code: 'lost' })
    const task = await queue.enqueue('echo', 3)
    expect((await queue.counts()).available).toBe(1)
    await vi.waitFor(() => expect(events).toEqual(['lost', 'reopened', 'deleted']))
    await expect(queue.enqueue('echo', 4)).resolves.not.toBe(task)
    expect(events).toHaveLength(3)
  })

  it('an import into it does not go on without its beginning', async () => {
    const name = database()
    const { queue } = page(name)
    let handles: IDBDatabase[] = []
    let told = () => {}
    const two = new Promise<void>((resolve) => {
      told = resolve
    })
    async function* inputs() {
      for (let i = 0; i < 30; i++) {
        if (i === 20) {
          await two
          await loseDatabase(name, handles)
          // Somebody else meets the new one first, and the import would not notice.
          await queue.counts().catch(() => undefined)
          await queue.counts()
        }
        yield i
      }
    }
    handles = await handlesUsedBy(() => queue.counts())
    const importing = queue.enqueueMany('echo', inputs(), {
      id: 'all',
      chunkSize: 10,
      onProgress: ({ stored }) => stored === 20 && told(),
    })
    await expect(importing).rejects.toMatchObject({ code: 'lost' })
    const batch = await queue.enqueueMany('echo', Array(30).keys(), { id: 'all', chunkSize: 10 })
    expect(await batch.progress()).toMatchObject({ total: 30, done: 0 })
  })

  it('is no news where someone deleted it on purpose, or for the first time', async () => {
    const name = database()
    const first = page(name)
    const other = page(name)
    await first.queue.enqueue('echo', 1)
    await other.queue.enqueue('echo', 2)
    await new IndexedDBBackend({ name }).destroy()
    expect(marks(name)).toEqual([])
    await first.queue.enqueue('echo', 3)
    await first.queue.close()
    await page(name).queue.counts()
    const last = page(name)
    expect((await last.queue.counts()).available).toBe(1)
    expect([...first.events, ...other.events, ...last.events]).not.toContain('deleted')
  })

  it.runIf(typeof localStorage !== 'undefined')(
    'between two sessions: told once, to whoever subscribed before the first operation or afterwards',
    async () => {
      const name = database()
      const before = page(name)
      await before.queue.enqueue('echo', 1)
      await before.queue.close()
      await loseDatabase(name, [])
      const { queue, events } = page(name)
      await queue.counts()
      await vi.waitFor(() => expect(events).toEqual(['deleted']))
      const late: unknown[] = []
      const stop = queue.subscribe((event) => late.push(event))
      await vi.waitFor(() => expect(late).toMatchObject([{ type: 'storage', event: 'deleted' }]))
      stop()
      queue.subscribe((event) => late.push(event))()
      await queue.close()
      const next = page(name)
      await next.queue.counts()
      expect(late).toHaveLength(1)
      expect(next.events).toEqual([])
      expect(next.backend.notices).toEqual([])
    },
  )
})

describe('a database that cannot be had', () => {
  it('is an error that says so, where the app chose nothing else', async () => {
    const { queue, backend, worker, events } = page(database())
    refuseToOpen()
    await expect(queue.enqueue('echo', 1)).rejects.toMatchObject({ name: 'StorageError', code: 'unavailable' })
    await expect(worker.start()).rejects.toMatchObject({ name: 'StorageError', code: 'unavailable' })
    expect([backend.durable, worker.role]).toEqual([true, 'stopped'])
    expect(events).toEqual([])
  })

  it('is replaced by memory where the app chose that, visibly, and tasks run there', async () => {
    const name = database()
    const restore = refuseToOpen()
    const { queue, backend, worker, events } = page(name, { fallback: 'memory' })
    expect(backend.durable).toBe(true)
    expect(await worker.start()).toBe('host')
    const task = await queue.enqueue('echo', 7)
    expect(await task.result()).toBe(7)
    const batch = await queue.enqueueMany('echo', [1, 2, 3])
    expect((await batch.collect()).map(({ status }) => status)).toEqual(['completed', 'completed', 'completed'])
    expect(backend.durable).toBe(false)
    expect(events).toEqual(['memory'])
    const late: unknown[] = []
    queue.subscribe((event) => late.push(event))
    await vi.waitFor(() => expect(late).toMatchObject([{ event: 'memory' }]))

    // It does not return: the tasks in memory would be gone. Nothing of them is in the database.
    restore()
    await queue.enqueue('echo', 8)
    expect(backend.durable).toBe(false)
    const healthy = page(name)
    expect(await healthy.queue.counts()).toMatchObject({ available: 0, completed: 0 })
  })

  it('in the middle of a session: what was stored stays, unknown here, and goes on elsewhere', async () => {
    const name = database()
    const { queue, backend, worker, events } = page(name, { fallback: 'memory' })
    const stored = await queue.enqueue('echo', 1)
    const [handle] = await handlesUsedBy(() => worker.start())
    const running = await queue.enqueue('wait')
    await expect.poll(async () => (await queue.counts()).running).toBe(1)
    expect(await stored.result()).toBe(1)
    const waiting = expect(running.result()).rejects.toBeInstanceOf(TaskNotFoundError)
    const restore = refuseToOpen()
    handle?.close()
    const task = await queue.enqueue('echo', 2)
    expect(await task.result()).toBe(2)
    expect([backend.durable, worker.role]).toEqual([false, 'host'])
    expect(events).toEqual(['lost', 'memory'])
    await waiting
    await expect(queue.getResult(stored.id)).rejects.toBeInstanceOf(TaskNotFoundError)
    restore()

    const next = page(name)
    expect((await next.queue.getResult(stored.id))?.status).toBe('completed')
    expect((await next.queue.counts()).running).toBe(1)
    expect(
      await next.queue
        .task(task.id)
        .cancel()
        .catch(() => 'unknown'),
    ).not.toBe(true)
    await next.worker.start()
    // Taken back from the page that fell, which is not to blame for it.
    if (next.backend.locks) {
      await expect.poll(async () => (await next.queue.list({ state: 'running' })).items[0]?.id).toBe(running.id)
      expect((await next.backend.get([running.id]))[0]).toMatchObject({ crashes: 0 })
    }
  })

  it('keeps to itself what is in memory: other pages hear nothing of it', async () => {
    const name = database()
    const fallen = page(name, { fallback: 'memory' })
    const healthy = page(name)
    await healthy.queue.counts()
    const restore = refuseToOpen()
    await fallen.queue.counts()
    restore()
    const heard: QueueEvent[] = []
    healthy.queue.subscribe((event) => heard.push(event))
    fallen.queue.subscribe(() => undefined)
    await fallen.queue.enqueue('echo', 1)
    await healthy.queue.enqueue('echo', 2)
    await vi.waitFor(() => expect(heard).not.toEqual([]))
    expect(heard).toEqual([{ type: 'added', queues: ['default'] }])
    expect(fallen.events).toEqual(['memory'])
  })
})

describe('a commit that was not answered', () => {
  // Whether the storage gets a connection once more, in which the plan finds that it must look again, or none.
  const cases = [{ more: 0 }, { more: 1 }, { more: 2 }].flatMap(({ more }) =>
    [false, true].map((blind) => ({ more, blind })),
  )
  it.each(cases)('and then none is possible: nobody knows ($more more, blind: $blind)', async ({ more, blind }) => {
    const name = database()
    const { queue } = page(name)
    if (blind) await queue.enqueue('echo', 1)
    else await queue.counts()
    const restore = breakInCommit(more)
    await expect(queue.enqueue('echo', 2)).rejects.toMatchObject({ name: 'StorageError', code: 'lost' })
    restore()
    expect((await page(name).queue.counts()).available).toBe(blind ? 2 : 1)
  })

  it.each(cases)('is not repeated in memory ($more more, blind: $blind)', async ({ more, blind }) => {
    const name = database()
    const { queue, backend } = page(name, { fallback: 'memory' })
    if (blind) await queue.enqueue('echo', 1)
    else await queue.counts()
    const restore = breakInCommit(more)
    await expect(queue.enqueue('echo', 2)).rejects.toMatchObject({ name: 'StorageError', code: 'lost' })
    expect((await queue.counts()).available).toBe(0)
    expect(backend.durable).toBe(false)
    await queue.enqueue('echo', 3)
    expect((await queue.counts()).available).toBe(1)
    restore()
    expect((await page(name).queue.counts()).available).toBe(blind ? 2 : 1)
  })

  it('is met again, and the task is there once', async () => {
    const name = database()
    const { queue } = page(name)
    await queue.enqueue('echo', 1)
    const restore = breakInCommit(Number.POSITIVE_INFINITY)
    const task = await queue.enqueue('echo', 2)
    restore()
    expect((await queue.counts()).available).toBe(2)
    expect((await queue.list({ state: 'available' })).items.map(({ id }) => id)).toContain(task.id)
  })
})

describe.runIf(typeof navigator !== 'undefined' && navigator.locks)('memory has a lock of its own', () => {
  it('a standby that falls becomes host of the memory, and the database keeps its host', async () => {
    const name = database()
    const a = page(name)
    const b = page(name, { fallback: 'memory' })
    expect([await a.worker.start(), await b.worker.start()]).toEqual(['host', 'standby'])
    const [handle] = await handlesUsedBy(() => b.queue.counts())
    const restore = refuseToOpen()
    handle?.close()
    const task = await b.queue.enqueue('echo', 5)
    expect(await task.result()).toBe(5)
    expect([a.worker.role, b.worker.role]).toEqual(['host', 'host'])
    restore()
    expect(await (await a.queue.enqueue('echo', 6)).result()).toBe(6)
    await b.worker.stop()
    expect(await b.worker.start()).toBe('host')
  })

  it('a host that falls leaves the database to a standby, and hosts the memory', async () => {
    const name = database()
    const a = page(name, { fallback: 'memory' })
    const b = page(name)
    expect([await a.worker.start(), await b.worker.start()]).toEqual(['host', 'standby'])
    const [handle] = await handlesUsedBy(() => a.queue.counts())
    const stored = await a.queue.enqueue('echo', 1)
    await stored.result()
    const restore = refuseToOpen()
    handle?.close()
    const task = await a.queue.enqueue('echo', 2)
    expect(await task.result()).toBe(2)
    restore()
    await expect.poll(() => [a.worker.role, b.worker.role]).toEqual(['host', 'host'])
    expect(await (await b.queue.enqueue('echo', 3)).result()).toBe(3)
    expect(a.errors).toEqual([])
  })
})

it('a hint that the platform refuses to send costs time, no more', async () => {
  const name = database()
  const { postMessage } = BroadcastChannel.prototype
  let refused = 0
  const spy = vi.spyOn(BroadcastChannel.prototype, 'postMessage').mockImplementation(function (
    this: BroadcastChannel,
    message,
  ) {
    if (!this.name.includes(name)) return postMessage.call(this, message) // the test runner's
    refused++
    throw new TypeError('expected i32') // what Deno says
  })
  onTestFinished(() => spy.mockRestore())
  const { queue } = page(name)
  const task = await queue.enqueue('echo', 1)
  await vi.waitFor(() => expect(refused).toBeGreaterThan(0))
  expect((await queue.task(task.id).get())?.state).toBe('available')
})
