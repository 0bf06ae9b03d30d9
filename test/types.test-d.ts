import { describe, expectTypeOf, it } from 'vitest'
import {
  type Batch,
  type BatchResult,
  defineHandlers,
  type HandlerMap,
  inline,
  MemoryBackend,
  pipeline,
  type Result,
  type RunProgress,
  type StandardSchema,
  type Task,
  TaskQueue,
  TaskWorker,
} from '../src/index.js'

interface User {
  email?: string
  age?: number
}

const handlers = defineHandlers({
  validateUser: ({ item_id, data }: { item_id: number; data: User }) => ({
    item_id,
    is_valid: data.email?.includes('@') ?? true,
    errors: [''],
    data,
  }),
  processItem: async ({ item_id, data }: { item_id: number; data: unknown }) => ({ item_id, original: data }),
  fetchText: {
    run: async (url: string, ctx) => `${url} ${ctx.attempt}`,
    retry: { attempts: 5, when: (error) => error instanceof TypeError },
    timeout: 1_000,
  },
  greet: (name?: string) => `hello ${name}`,
  tick: () => 1,
  isAdult: (user: { data: User }) => (user.data.age ?? 0) >= 18,
  parse: (text: string): { ok: true; value: number } | { ok: false; error: string } =>
    text ? { ok: true, value: 1 } : { ok: false, error: text },
  double: ({ value }: { value: number }) => value * 2,
})
type Handlers = typeof handlers

const queue = new TaskQueue<Handlers>({ backend: new MemoryBackend() })

describe('enqueue', () => {
  it('knows inputs and outputs', async () => {
    const task = await queue.enqueue('validateUser', { item_id: 1, data: { email: 'a@b' } })
    expectTypeOf(await task.result()).toEqualTypeOf<{
      item_id: number
      is_valid: boolean
      errors: string[]
      data: User
    }>()
    expectTypeOf(await queue.enqueue('processItem', { item_id: 1, data: 2 })).toEqualTypeOf<
      Task<{ item_id: number; original: unknown }>
    >()
    expectTypeOf(await queue.enqueue('fetchText', 'https://example.com')).toEqualTypeOf<Task<string>>()
    // @ts-expect-error no such handler
    queue.enqueue('validateusers', { item_id: 1, data: {} })
    // @ts-expect-error wrong input
    queue.enqueue('validateUser', { item_id: '1', data: {} })
    // @ts-expect-error the input is missing
    queue.enqueue('validateUser')
    // @ts-expect-error wrong input
    queue.enqueue('fetchText', 5)
  })

  it('lets the input out where there is none', () => {
    queue.enqueue('tick')
    queue.enqueue('tick', undefined, { priority: 1 })
    queue.enqueue('greet')
    queue.enqueue('greet', 'you', { delay: 5 })
    // @ts-expect-error takes no input
    queue.enqueue('tick', 5)
    // @ts-expect-error options are no input
    queue.enqueue('tick', { priority: 1 })
  })

  it('knows its options', () => {
    queue.enqueue('tick', undefined, {
      queue: 'other',
      priority: -5,
      runAt: new Date(),
      retry: { attempts: 2, delay: 1, factor: 3, maxDelay: 10, jitter: 1 },
      timeout: 5,
      meta: { any: 'thing' },
      durability: 'strict',
    })
    // @ts-expect-error no such option
    queue.enqueue('tick', undefined, { prio: 5 })
    // @ts-expect-error not a number
    queue.enqueue('tick', undefined, { delay: '5' })
    // @ts-expect-error functions are the handler's
    queue.enqueue('tick', undefined, { retry: { when: () => true } })
    // @ts-expect-error no such durability
    queue.enqueue('tick', undefined, { durability: 'none' })
  })

  it('takes anything for handlers it knows nothing of', async () => {
    const any = new TaskQueue({ backend: new MemoryBackend() })
    expectTypeOf(await any.enqueue('whatever', { some: 'input' })).toEqualTypeOf<Task<unknown>>()
    any.enqueue('whatever')
    expectTypeOf(queue).toExtend<TaskQueue>()
    new TaskWorker(queue, { executor: inline(handlers) })
  })
})

describe('handlers', () => {
  const run = (n: number) => n

  it('have the settings there are, and no others', () => {
    const made = defineHandlers({
      a: { run, retry: { attempts: 5, when: (error) => error instanceof Error }, timeout: 5, concurrency: 1 },
      b: (text: string, ctx) => text + ctx.attempt,
    })
    expectTypeOf(made.a.run).toEqualTypeOf<(n: number) => number>()
    // @ts-expect-error no such setting
    defineHandlers({ a: { run, timout: 5 } })
    // @ts-expect-error no such setting
    defineHandlers({ a: { run, retry: { attempt: 5 } } })
    // @ts-expect-error no such setting
    defineHandlers({ a: { run, retry: { attempts: 5, attempt: 5 } } })
  })

  it('may say what inputs they take', async () => {
    const text = (value: unknown) => String(value)
    const schema = <Output>(_: Output): StandardSchema<Output> => ({
      '~standard': { version: 1, vendor: 'test', validate: (value) => ({ issues: [{ message: String(value) }] }) },
    })
    const made = defineHandlers({
      a: { run: (n: number) => n, input: (stored) => Number(stored) },
      b: { run: async (to: { email: string }) => to.email, input: schema({ email: '', more: 1 }) },
      c: { run: (n: string, ctx) => n + ctx.attempt, input: async (stored) => text(stored), timeout: 5 },
      d: { run: () => 1, input: () => undefined },
    })
    const mine = new TaskQueue<typeof made>({ backend: new MemoryBackend() })
    // What is enqueued is what run takes, whatever the check makes of it.
    expectTypeOf(await mine.enqueue('a', 5)).toEqualTypeOf<Task<number>>()
    expectTypeOf(await mine.enqueue('b', { email: '' })).toEqualTypeOf<Task<string>>()
    // @ts-expect-error not what run takes
    mine.enqueue('a', '5')
    // @ts-expect-error the check lets through what run does not take
    defineHandlers({ a: { run: (n: number) => n, input: text } })
    // @ts-expect-error the check lets through what run does not take
    defineHandlers({ a: { run: (n: number) => n, input: async (stored: unknown) => text(stored) } })
    // @ts-expect-error the schema lets through what run does not take
    defineHandlers({ a: { run: (to: { email: string }) => to, input: schema({ email: 5 }) } })
    // @ts-expect-error stored inputs are unknown
    defineHandlers({ a: { run: (n: number) => n, input: (stored: number) => stored } })
    // @ts-expect-error no check
    defineHandlers({ a: { run: (n: number) => n, input: 5 } })
    // @ts-expect-error no such option of the schema's interface
    defineHandlers({ a: { run: (n: number) => n, input: { validate: () => 5 } } })
  })

  it('may be unknown', () => {
    const any: HandlerMap = {}
    expectTypeOf(defineHandlers(any)).toEqualTypeOf<HandlerMap>()
  })
})

describe('results', () => {
  it('are told apart by their status', async () => {
    const result = await queue.getResult<'tick'>('id', { timeout: 0 })
    expectTypeOf(result).toEqualTypeOf<Result<number> | undefined>()
    if (result?.status === 'completed') expectTypeOf(result.value).toEqualTypeOf<number>()
    if (result?.status === 'failed') expectTypeOf(result.error.message).toEqualTypeOf<string>()
    // @ts-expect-error only once it has completed
    result?.value
    expectTypeOf(queue.task<'tick'>('id')).toEqualTypeOf<Task<number>>()
    // @ts-expect-error no such handler
    queue.task<'tock'>('id')
    // @ts-expect-error no such state
    queue.list({ state: 'done' })
  })

  it('of batches know their index', async () => {
    const batch = await queue.enqueueMany('greet', ['a', undefined])
    expectTypeOf(batch).toEqualTypeOf<Batch<string>>()
    expectTypeOf(await batch.collect()).toEqualTypeOf<BatchResult<string>[]>()
    for await (const result of batch.results({ order: 'input' })) {
      expectTypeOf(result.index).toEqualTypeOf<number>()
      if (result.status === 'completed') expectTypeOf(result.value).toEqualTypeOf<string>()
    }
    expectTypeOf(await queue.batch<'tick'>('id')).toEqualTypeOf<Batch<number> | undefined>()
    queue.enqueueMany('fetchText', new Set(['a']), { id: 'x', chunkSize: 5, open: true, priority: 2 })
    queue.enqueueMany(
      'fetchText',
      (async function* () {
        yield 'a'
      })(),
    )
    // @ts-expect-error wrong inputs
    queue.enqueueMany('fetchText', [1, 2])
    // @ts-expect-error wrong inputs
    queue.enqueueMany('fetchText', new Set([1]))
    // @ts-expect-error a string can be iterated, but is no list
    queue.enqueueMany('fetchText', 'abc')
    // @ts-expect-error no such option
    queue.enqueueMany('fetchText', [''], { chunk: 5 })
    // @ts-expect-error no such order
    batch.results({ order: 'random' })
  })
})

describe('pipelines', () => {
  const users = pipeline<Handlers>('users').map('validateUser')

  it('take what the first handler takes and give what the last one returns', async () => {
    const run = await users
      .filter('is_valid')
      .map('processItem')
      .run(queue, [{ item_id: 0, data: {} }], { id: 'run' })
    expectTypeOf(await run.collect()).toEqualTypeOf<BatchResult<{ item_id: number; original: unknown }>[]>()
    expectTypeOf(await run.progress()).toEqualTypeOf<RunProgress>()
    // @ts-expect-error not what validateUser takes
    users.run(queue, [{ item_id: '0', data: {} }])
    // @ts-expect-error no such option
    users.run(queue, [], { ids: 'run' })
  })

  it('do not compile where a stage does not fit', () => {
    // @ts-expect-error no such handler
    pipeline<Handlers>('users').map('validate')
    // @ts-expect-error fetchText takes a string
    users.map('fetchText')
    // @ts-expect-error no boolean
    users.filter('errors')
    // @ts-expect-error no such field
    users.filter('isvalid')
    // @ts-expect-error the first stage fixes what the pipeline takes
    pipeline<Handlers>('users').filter('is_valid')
  })

  it('filter by handlers that return a boolean', () => {
    const adults = users.filter({ handler: 'isAdult' })
    expectTypeOf(adults).toEqualTypeOf(users)
    // @ts-expect-error returns no boolean
    users.filter({ handler: 'processItem' })
    // @ts-expect-error takes something else
    pipeline<Handlers>('users').map('tick').filter({ handler: 'isAdult' })
  })

  it('narrow an item to the variants that pass', () => {
    const parsed = pipeline<Handlers>('numbers').map('parse')
    parsed.filter('ok').map('double')
    // @ts-expect-error some variants have no value
    parsed.map('double')
  })

  it('run on queues that have their handlers', () => {
    const other = new TaskQueue<{ tick: () => number }>({ backend: new MemoryBackend() })
    // @ts-expect-error it knows nothing of users
    users.run(other, [])
  })
})
