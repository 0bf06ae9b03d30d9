import { describe, expect, it } from 'vitest'
import {
  InvalidOptionError,
  inline,
  MemoryBackend,
  PerformanceMonitor,
  Pipeline,
  pipeline,
  TaskQueue,
} from '../src/index.js'
import { IndexedDBBackend } from '../src/indexeddb/index.js'
import { webWorkers } from '../src/web-worker/index.js'

/** As plain JavaScript gives it: whatever it likes. */
const js = (json: string) => JSON.parse(json)

async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  return undefined
}

/** The option an InvalidOptionError is about. */
async function refusedBy(call: () => unknown): Promise<string | undefined> {
  const error = await thrownBy(call)
  if (error === undefined) return undefined
  expect(error).toBeInstanceOf(InvalidOptionError)
  return error instanceof InvalidOptionError ? error.option : undefined
}

async function withQueue<T>(use: (queue: TaskQueue) => Promise<T>): Promise<T> {
  const queue = new TaskQueue({ backend: new MemoryBackend() })
  try {
    return await use(queue)
  } finally {
    await queue.close()
  }
}

const spawn = (): Worker => {
  throw new Error('Nothing was to be made.')
}

describe('an unknown option', () => {
  it.each<[string, () => unknown]>([
    ['TaskQueue', () => new TaskQueue({ backend: new MemoryBackend(), ...js('{ "timout": 5 }') })],
    ['inline', () => inline({}, js('{ "timout": 5 }'))],
    ['webWorkers', () => webWorkers(spawn, js('{ "timout": 5 }'))],
    ['MemoryBackend', () => new MemoryBackend(js('{ "timout": 5 }'))],
    ['IndexedDBBackend', () => new IndexedDBBackend(js('{ "name": "app", "timout": 5 }'))],
    ['PerformanceMonitor', () => new PerformanceMonitor(js('{ "timout": 5 }'))],
  ])('of %s is refused when it is made', async (_, make) => {
    expect(await refusedBy(make)).toBe('timout')
    expect(await thrownBy(make)).toMatchObject({ message: expect.stringMatching(/no option 'timout'. Use any of: /) })
  })

  it('of what waits for results is refused', () =>
    withQueue(async (queue) => {
      const task = await queue.enqueue('task')
      const batch = await queue.enqueueMany('task', [])
      const run = await pipeline('users').map('task').run(queue, [])
      const wrong = js('{ "timout": 5 }')
      expect(await refusedBy(() => task.result(wrong))).toBe('timout')
      expect(await refusedBy(() => queue.getResult(task.id, wrong))).toBe('timout')
      for (const of of [batch, run]) {
        expect(await refusedBy(() => of.collect(wrong))).toBe('timout')
        expect(await refusedBy(() => of.results(wrong).next())).toBe('timout')
        expect(await refusedBy(() => of.watch(wrong).next())).toBe('timout')
        expect(await refusedBy(() => of.cancel(wrong))).toBe('timout')
      }
    }))

  it('of a filter is refused', async () => {
    const users = new Pipeline<Record<string, () => boolean>, unknown, unknown>('users', [])
    expect(await refusedBy(() => users.filter(js('{ "handler": "a", "not": true }')))).toBe('filter.not')
    expect(await refusedBy(() => users.filter(js('5')))).toBe('filter')
  })
})

describe('a wrong option', () => {
  it.each(['{}', '{ "backend": null }', '{ "backend": "indexeddb" }', '{ "backend": {} }'])(
    'of a queue, %s, says what to give',
    async (options) => {
      expect(await refusedBy(() => new TaskQueue(js(options)))).toBe('backend')
      expect(await thrownBy(() => new TaskQueue(js(options)))).toMatchObject({
        message: expect.stringContaining('new MemoryBackend()'),
      })
    },
  )

  it('of a queue may be that there is none', async () => {
    // @ts-expect-error: in plain JavaScript nothing else says so
    expect(await refusedBy(() => new TaskQueue())).toBe('options')
    // @ts-expect-error: a class is no backend
    expect(await refusedBy(() => new TaskQueue({ backend: MemoryBackend }))).toBe('backend')
  })

  it.each([
    ['name', '{}'],
    ['name', '{ "name": "" }'],
    ['name', '{ "name": 5 }'],
    ['durability', '{ "name": "app", "durability": "best" }'],
    ['options', '"app"'],
  ])('of IndexedDBBackend is refused: %s', async (option, options) => {
    expect(await refusedBy(() => new IndexedDBBackend(js(options)))).toBe(option)
  })

  it.each(['null', '5', '""', '"q"', '[]'])('of a task, %s instead of options, is refused', (options) =>
    withQueue(async (queue) => {
      expect(await refusedBy(() => queue.enqueue('task', 1, js(options)))).toBe('options')
    }),
  )

  it('of inline is refused', async () => {
    for (const concurrency of [0, 1.5, Number.NaN]) {
      expect(await refusedBy(() => inline({}, { concurrency }))).toBe('concurrency')
    }
  })

  it.each([Number.NaN, new Date(Number.NaN), new Date(-5), js('"2026-01-01"'), js('null'), -5])(
    'of time, %s, says what a time is',
    (runAt) =>
      withQueue(async (queue) => {
        const error = await thrownBy(() => queue.enqueue('task', 1, { runAt }))
        expect(error).toMatchObject({
          name: 'InvalidOptionError',
          option: 'runAt',
          message: expect.stringMatching(/^runAt must be a valid Date or ms since the epoch, not /),
        })
      }),
  )
})

describe("a handler's settings", () => {
  const run = () => 1
  const table = (handlers: object) => inline({ ...handlers }).open(() => {})

  it.each<[string, object]>([
    ['handlers.a.timout', { a: { run, timout: 5 } }],
    ['handlers.a.retry.attempt', { a: { run, retry: { attempt: 5 } } }],
    ['handlers.a.retry', { a: { run, retry: 5 } }],
    ['handlers.a.retry', { a: { run, retry: null } }],
    ['handlers.a.retry.when', { a: { run, retry: { when: 'never' } } }],
    ['handlers.a.retry.attempts', { a: { run, retry: { attempts: 0 } } }],
    ['handlers.options.timout', { options: { run, timout: 5 } }],
  ])('are refused where they do not exist or cannot be: %s', async (option, handlers) => {
    expect(await refusedBy(() => table(handlers))).toBe(option)
  })

  it('are taken where they do', async () => {
    const retry = { attempts: 2, delay: 1, factor: 1, maxDelay: 1, jitter: 1, when: () => true }
    const executor = inline({ a: { run, retry, timeout: 5, concurrency: 1 } })
    const { when: _, ...plain } = retry
    expect(await executor.open(() => {})).toEqual({ a: { retry: plain, timeout: 5, concurrency: 1 } })
    await executor.close()
  })

  it('need handlers', async () => {
    expect(await refusedBy(() => inline(js('null')).open(() => {}))).toBe('handlers')
  })
})

describe('a cursor', () => {
  it.each(['garbage', '', '5', '[0,null,0]', '{}'])('that no page gave, %j, is refused', (cursor) =>
    withQueue(async (queue) => {
      expect(await refusedBy(() => queue.list({ state: 'available', cursor }))).toBe('cursor')
      expect(await refusedBy(() => queue.batches({ cursor }))).toBe('cursor')
    }),
  )

  it('is good for the listing that gave it, and for no other', () =>
    withQueue(async (queue) => {
      for (let i = 0; i < 3; i++) await queue.enqueueMany('task', [i], { queue: 'q' })
      const { items, next: cursor = '' } = await queue.list({ state: 'available', queue: 'q', limit: 2 })
      const rest = await queue.list({ state: 'available', queue: 'q', cursor })
      expect([...items, ...rest.items].map(({ input }) => input)).toEqual([0, 1, 2])
      expect(rest.next).toBeUndefined()
      expect(await refusedBy(() => queue.list({ state: 'completed', queue: 'q', cursor }))).toBe('cursor')
      expect(await refusedBy(() => queue.list({ state: 'available', cursor }))).toBe('cursor')
      expect(await refusedBy(() => queue.batches({ cursor }))).toBe('cursor')
      const page = await queue.batches({ limit: 2 })
      const last = await queue.batches({ limit: 2, cursor: page.next ?? '' })
      expect(new Set([...page.items, ...last.items].map(({ id }) => id)).size).toBe(3)
    }))
})
