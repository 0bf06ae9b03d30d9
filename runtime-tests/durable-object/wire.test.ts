import { type QueueEvent, StorageError, TaskQueue } from 'sitq'
import { DurableObjectBackend } from 'sitq/durable-object'
import { describe, expect, it } from 'vitest'
import type { Handlers } from './handlers.js'
import { env } from './here.js'

/** A stub that does what it is asked and loses the answer, as often as told. */
function losing(name: string, lose: { left: number; also?: () => Promise<unknown> }): () => object {
  return () => {
    const stub = env().WORKING.getByName(name)
    return new Proxy(stub, {
      get(_, key) {
        const method: unknown = Reflect.get(stub, key)
        if (key !== 'sitq' || typeof method !== 'function') return method
        return async (...given: unknown[]) => {
          const answer: unknown = await Reflect.apply(method, stub, given)
          if (lose.left-- <= 0) return answer
          await lose.also?.()
          throw new Error('Network connection lost.')
        }
      },
    })
  }
}
/** To compare millions of bytes takes long. */
const brief = (value: unknown) => (value instanceof Uint8Array ? [value.length, value[0], value.at(-1)] : value)
const fresh = () => `idle ${crypto.randomUUID()}`
const queueOf = (stub: () => object) => new TaskQueue<Handlers>({ backend: new DurableObjectBackend({ stub }) })

describe('a connection that breaks', () => {
  it('after a task was stored: it is stored once, and its id comes with the next answer', async () => {
    const queue = queueOf(losing(fresh(), { left: 1 }))
    const task = await queue.enqueue('echo', 1)
    expect(await queue.counts()).toMatchObject({ available: 1 })
    expect(await queue.backend.get([task.id])).toMatchObject([{ input: 1 }])
  })

  it('with the object going down as well: the same', async () => {
    const name = fresh()
    const die = () => Promise.resolve(env().WORKING.getByName(name).die()).catch(() => {})
    const queue = queueOf(losing(name, { left: 1, also: die }))
    const task = await queue.enqueue('echo', 1)
    expect(await queue.counts()).toMatchObject({ available: 1 })
    expect(await queue.backend.get([task.id])).toMatchObject([{ input: 1 }])
  })

  it('twice: a change is in doubt, a look is not', async () => {
    const queue = queueOf(losing(fresh(), { left: 1e9 }))
    await expect(queue.pause()).rejects.toMatchObject({ code: 'lost' })
    await expect(queue.counts()).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('after a claim: the same tasks are claimed', async () => {
    const lose = { left: 0 }
    const { backend } = queueOf(losing(fresh(), lose))
    await backend.add([{ queue: 'default', name: 'echo', input: 1, priority: 0 }], { now: Date.now() })
    lose.left = 1
    const now = Date.now()
    const x = { host: 'a', seq: 1, now, until: now + 30_000, settle: [], claim: { limit: 5 } }
    expect((await backend.exchange(x)).claimed).toMatchObject([{ input: 1 }])
    expect(await backend.counts()).toMatchObject({ running: 1 })
  })
})

describe('what is larger than a call may be', () => {
  it('comes in portions: claims, views, results', async () => {
    const { backend } = queueOf(losing(fresh(), { left: 0 }))
    const inputs = Array.from({ length: 30 }, (_, i) => new Uint8Array(1_500_000).fill(i))
    const now = Date.now()
    const ids = []
    for (const input of inputs) {
      ids.push(...(await backend.add([{ queue: 'default', name: 'echo', input, priority: 0 }], { now })))
    }
    const x = { host: 'a', now, until: now + 30_000 }
    let seq = 0
    const claimed = []
    for (let more = true; more; ) {
      const answer = await backend.exchange({ ...x, seq: ++seq, settle: [], claim: { limit: 50 } })
      claimed.push(...answer.claimed)
      more = answer.more
    }
    expect(seq).toBe(3) // each of 16 MB, which is two portions
    expect(claimed.map(({ input }) => brief(input))).toEqual(inputs.map(brief))
    const known = ids.flatMap((id) => id ?? [])
    expect((await backend.get(known)).map((view) => brief(view?.input))).toEqual(inputs.map(brief))
    const ended = claimed.map(({ lane, position, seq, input }) => {
      const times = { startedAt: now, finishedAt: now, attempt: 1 }
      return { lane, position, seq, to: 'completed', value: input, ...times } as const
    })
    await expect(backend.exchange({ ...x, seq: 4, settle: ended })).rejects.toMatchObject({ code: 'uncloneable' })
    await backend.exchange({ ...x, seq: 4, settle: ended.slice(0, 15) })
    await backend.exchange({ ...x, seq: 5, settle: ended.slice(15) })
    const results = await backend.results(known)
    expect(results.map((result) => result?.status === 'completed' && brief(result.value))).toEqual(inputs.map(brief))
  }, 30_000)
})

describe('errors', () => {
  it('keep their class, code and cause', async () => {
    const queue = queueOf(losing(fresh(), { left: 0 }))
    const error: unknown = await queue.enqueue('echo', new Uint8Array(3_000_000)).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StorageError)
    expect(error).toMatchObject({ code: 'uncloneable', cause: { message: expect.stringContaining('SQLITE_TOOBIG') } })
    expect(await queue.counts()).toMatchObject({ available: 0 })
  })

  it('say what cannot be stored before anything is', async () => {
    const queue = queueOf(losing(fresh(), { left: 0 }))
    await expect(queue.enqueue('echo', { a: new Blob(['a']) })).rejects.toMatchObject({
      code: 'invalid-input',
      path: 'input.a',
    })
    const { backend } = queue
    const task = { queue: 'default', name: 'echo', input: Symbol('no'), priority: 0 }
    await expect(backend.add([task], { now: 0 })).rejects.toMatchObject({ code: 'uncloneable' })
    const much = Array.from({ length: 40 }, () => ({ ...task, input: new Uint8Array(1_000_000) }))
    await expect(backend.add(much, { now: 0 })).rejects.toMatchObject({ code: 'uncloneable' })
    expect(await queue.counts()).toMatchObject({ available: 0 })
  })

  it('of a stub that is none', async () => {
    const options: unknown = {}
    expect(() => Reflect.construct(DurableObjectBackend, [options])).toThrow('namespace')
  })
})

describe('hints', () => {
  it('tell what others have done to the object', async () => {
    const name = fresh()
    const [one, other] = [queueOf(losing(name, { left: 0 })), queueOf(losing(name, { left: 0 }))]
    const events: QueueEvent[] = []
    const stop = one.subscribe((event) => events.push(event))
    const task = await other.enqueue('echo', 1)
    await expect.poll(() => events, { timeout: 3_000 }).toContainEqual({ type: 'added', queues: ['default'] })
    await task.cancel()
    await expect.poll(() => events.map(({ type }) => type), { timeout: 3_000 }).toContain('ended')
    stop()
    await one.close()
  })

  it('that were lost with the object are told as missed', async () => {
    const name = fresh()
    const [one, other] = [queueOf(losing(name, { left: 0 })), queueOf(losing(name, { left: 0 }))]
    const events: QueueEvent[] = []
    const stop = one.subscribe((event) => events.push(event))
    await other.enqueue('echo', 1)
    await expect.poll(() => events.length, { timeout: 3_000 }).toBeGreaterThan(0)
    await Promise.resolve(env().WORKING.getByName(name).die()).catch(() => {})
    await expect.poll(() => events, { timeout: 5_000 }).toContainEqual({ type: 'changed', change: 'missed' })
    stop()
    await one.close()
  })
})
