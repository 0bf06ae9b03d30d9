import { inline, MemoryBackend, pipeline, TaskQueue, TaskWorker } from 'sitq'
import { afterEach, describe, expect, it, vi } from 'vitest'

/** What one runtime or another lacks, and this library does without. */
const globals = [
  'BroadcastChannel',
  'CustomEvent',
  'MessageChannel',
  'addEventListener',
  'document',
  'indexedDB',
  'localStorage',
  'navigator',
  'setImmediate',
  'Worker',
]
const statics = ['any', 'timeout'] as const

const handlers = {
  square: (n: number) => n * n,
  judge: (n: number) => ({ n, even: n % 2 === 0 }),
  half: ({ n }: { n: number }) => n / 2,
  endless: (_: null, { signal }: { signal: AbortSignal }) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
}

/** Goes once through everything that has to wait, be told, or be called off. */
async function program(): Promise<unknown> {
  const queue = new TaskQueue<typeof handlers>({ backend: new MemoryBackend() })
  const worker = new TaskWorker(queue, { executor: inline(handlers) })
  const role = await worker.start()
  const one = await (await queue.enqueue('square', 12)).result({ timeout: 10_000 })
  const batch = await queue.enqueueMany('square', [1, 2, 3])
  const results = await batch.collect({ signal: new AbortController().signal, timeout: 10_000 })
  const run = await pipeline<typeof handlers>('p').map('judge').filter('even').map('half').run(queue, [1, 2, 3, 4])
  const halves = await run.collect({ timeout: 10_000 })
  const timed = await queue.enqueue('endless', null, { timeout: 20, retry: { attempts: 1 } })
  const code = await timed.result({ timeout: 10_000 }).catch(({ error }) => error.code)
  const endless = await queue.enqueue('endless', null)
  const late = await endless.result({ timeout: 20 }).catch(({ name }) => name)
  await endless.cancel({ reason: 'enough' })
  const reason = await endless.result({ timeout: 10_000 }).catch((cancelled) => cancelled.reason)
  await worker.stop()
  const { more } = await worker.drain({ deadline: Date.now() + 1_000 })
  await queue.close()
  const values = [results, halves].map((all) => all.map((result) => result.status === 'completed' && result.value))
  return [role, one, ...values, code, late, reason, more]
}

const expected = ['host', 144, [1, 4, 9], [1, 2], 'timeout', 'TimeoutError', 'enough', false]

describe('a program goes its way', () => {
  const without: (() => void)[] = []
  afterEach(() => {
    for (const restore of without.splice(0)) restore()
    vi.unstubAllGlobals()
  })

  const withoutStatic = (name: (typeof statics)[number]) => {
    const before = Object.getOwnPropertyDescriptor(AbortSignal, name)
    if (!before) return
    Reflect.deleteProperty(AbortSignal, name)
    without.push(() => Object.defineProperty(AbortSignal, name, before))
  }
  /** Before there was a proposal of it. */
  const withoutDispose = () => {
    const { Symbol: made } = globalThis
    const get = (_: unknown, name: string) => (name === 'asyncDispose' ? undefined : Reflect.get(made, name))
    vi.stubGlobal('Symbol', new Proxy((description: string) => made(description), { get }))
  }

  it('here', async () => expect(await program()).toEqual(expected))

  it.each(globals)('without %s', async (name) => {
    vi.stubGlobal(name, undefined)
    expect(await program()).toEqual(expected)
  })

  it.each(statics)('without AbortSignal.%s', async (name) => {
    withoutStatic(name)
    expect(await program()).toEqual(expected)
  })

  it('without Symbol.asyncDispose', async () => {
    withoutDispose()
    expect(await program()).toEqual(expected)
  })

  it('without all of them', async () => {
    for (const name of globals) vi.stubGlobal(name, undefined)
    for (const name of statics) withoutStatic(name)
    withoutDispose()
    expect(await program()).toEqual(expected)
  })
})
