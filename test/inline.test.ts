import { describe, expect, it, onTestFinished } from 'vitest'
import { defineHandlers, type HandlerContext, type HandlerMap } from '../src/handlers.js'
import { type InlineOptions, inline } from '../src/inline.js'
import { inputTests } from './executor/inputs.js'
import { ManualClock } from './support/clock.js'
import { keys, Recorder, runOf } from './support/recorder.js'
import { checked } from './support/workers/checked.js'

/** Ends when the test says so. */
class Gate {
  readonly passed: Promise<unknown>
  open: (value?: unknown) => void = () => {}
  constructor() {
    this.passed = new Promise((resolve) => {
      this.open = resolve
    })
  }
}

async function open(handlers: HandlerMap, options: InlineOptions & { asked?: number } = {}) {
  const { asked, ...rest } = options
  const executor = inline(handlers, rest)
  onTestFinished(() => executor.close())
  const host = new Recorder()
  const table = await executor.open(host.report, asked === undefined ? {} : { concurrency: asked })
  return { executor, host, table }
}

function spin(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

describe('running', () => {
  it('tells its handlers as data, and runs them', async () => {
    const { executor, host, table } = await open({
      double: (n: number) => n * 2,
      later: { run: async (s: string) => s.toUpperCase(), retry: { attempts: 2, when: () => true }, timeout: 50 },
    })
    expect(table).toEqual({ double: {}, later: { retry: { attempts: 2 }, timeout: 50 } })
    await host.done(executor, [runOf(1, 'double', 21), runOf(2, 'later', 'x')])
    expect(await host.value(1)).toBe(42)
    expect(await host.value(2)).toBe('X')
  })

  it('gives handlers their context, whole or in parts', async () => {
    const seen: unknown[] = []
    const { executor, host } = await open({
      look: (_: unknown, { id, name, attempt, meta, signal, enqueue }: HandlerContext) => {
        enqueue('next')
        seen.push({ id, name, attempt, meta, aborted: signal.aborted })
      },
    })
    await host.done(executor, [runOf(1, 'look', null, { attempt: 2, meta: { a: 1 } })])
    expect(seen).toEqual([{ id: runOf(1, '').id, name: 'look', attempt: 2, meta: { a: 1 }, aborted: false }])
    expect(host.outcomes.get(1)).toMatchObject({ followUps: [{ name: 'next', input: undefined }] })
  })

  it('gives each attempt a copy of its input and meta, and keeps a copy of its output', async () => {
    const config = { tries: 0 }
    const kept = { count: 0 }
    const { executor, host } = await open({
      change: (input: { config: typeof config }, ctx: HandlerContext) => {
        input.config.tries++
        Object.assign(Object(ctx.meta), { changed: true })
        kept.count++
        return kept
      },
    })
    const meta = { shared: true }
    await host.done(executor, [runOf(1, 'change', { config }, { meta }), runOf(2, 'change', { config }, { meta })])
    expect(config).toEqual({ tries: 0 })
    expect(meta).toEqual({ shared: true })
    expect(await host.value(1)).toEqual({ count: 1 })
    expect(await host.value(2)).toEqual({ count: 2 })
  })

  it('runs 10 at one time, what the TaskWorker asks for, or its own option', async () => {
    const gate = new Gate()
    const most = async (options: InlineOptions & { asked?: number }) => {
      let running = 0
      const { executor, host } = await open(
        {
          wait: () => {
            running++
            return gate.passed
          },
        },
        options,
      )
      executor.give(keys(0, 50).map((key) => runOf(key, 'wait')))
      await host.until(() => host.started.length === executor.slots)
      expect(executor.backlog).toBe(50 - running)
      expect(executor.workers()).toMatchObject([{ worker: 1, state: 'busy', ended: 0 }])
      return running
    }
    expect(await most({})).toBe(10)
    expect(await most({ asked: 3 })).toBe(3)
    expect(await most({ asked: 3, concurrency: 5 })).toBe(5)
    gate.open()
  })

  it("keeps to a handler's own concurrency, in order, and lets others pass", async () => {
    const gates = [new Gate(), new Gate(), new Gate()]
    const began: number[] = []
    const { executor, host } = await open({
      narrow: {
        run: (i: number) => {
          began.push(i)
          return gates[i]?.passed
        },
        concurrency: 1,
      },
      free: () => 'free',
    })
    executor.give([runOf(0, 'narrow', 0), runOf(1, 'narrow', 1), runOf(2, 'narrow', 2), runOf(3, 'free')])
    await host.all([3])
    expect(began).toEqual([0])
    for (const [i, gate] of gates.entries()) {
      gate.open()
      await host.all([i])
    }
    expect(began).toEqual([0, 1, 2])
    expect(host.order).toEqual([3, 0, 1, 2])
  })

  it('reports thousands of short ones in few reports', async () => {
    const { executor, host } = await open({ noop: () => {} })
    await host.done(
      executor,
      keys(0, 5_000).map((key) => runOf(key, 'noop')),
    )
    expect(host.order).toEqual(keys(0, 5_000))
    expect(host.reports.filter(({ type }) => type === 'ended').length).toBeLessThan(200)
    expect(executor.workers()).toEqual([{ worker: 1, state: 'idle', running: [], ended: 5_000 }])
  })

  it('lets others have the thread every 10 ms of work', async () => {
    const { executor, host } = await open({ compute: () => spin(2) })
    let turns = 0
    const timer = setInterval(() => turns++, 0)
    await host.done(
      executor,
      keys(0, 50).map((key) => runOf(key, 'compute')),
    )
    clearInterval(timer)
    expect(turns).toBeGreaterThanOrEqual(5)
    const reported = host.reports.filter(({ type }) => type === 'ended').length
    expect(reported).toBeGreaterThanOrEqual(5) // and not all at the end
  })

  it('takes back what has not begun', async () => {
    const gate = new Gate()
    const { executor, host } = await open({ wait: () => gate.passed }, { concurrency: 1 })
    executor.give([runOf(1, 'wait'), runOf(2, 'wait'), runOf(3, 'wait')])
    await host.begun(1)
    expect(executor.recall()).toEqual([2, 3])
    expect(executor.backlog).toBe(0)
    gate.open('done')
    expect(await host.value(1)).toBe('done')
    expect(host.outcomes.size).toBe(1)
  })
})

describe('failing', () => {
  const handlers = defineHandlers({
    fail: {
      run: ({ message, code, cause }: { message: string; code?: string; cause?: string }) => {
        throw Object.assign(new TypeError(message, cause ? { cause: new Error(cause) } : {}), code ? { code } : {})
      },
      retry: {
        when: (error) => {
          if (error instanceof Error && error.message === 'break when') throw new Error('when is broken')
          return !(error instanceof Error && error.message === 'final')
        },
      },
    },
    uncloneable: () => ({ user: { save() {} } }),
    enqueue: ([name, input, options]: [string, unknown, object?], ctx: HandlerContext) => {
      ctx.enqueue('fine', 1)
      ctx.enqueue(name, name === 'function' ? () => {} : input, options)
    },
    forgetful: (_: unknown, ctx: HandlerContext) => {
      late = ctx
    },
  })
  let late: HandlerContext | undefined

  it('makes a record of what was thrown; when decides whether it is final', async () => {
    const { executor, host } = await open(handlers)
    await host.done(executor, [
      runOf(1, 'fail', { message: 'odd', code: 'E_ODD', cause: 'deeper' }),
      runOf(2, 'fail', { message: 'final' }),
      runOf(3, 'fail', { message: 'break when' }),
    ])
    expect(await host.error(1)).toMatchObject({
      name: 'TypeError',
      message: 'odd',
      code: 'E_ODD',
      stack: expect.stringContaining('inline.test'), // Firefox and WebKit leave the message out of it
      cause: { message: 'deeper' },
    })
    expect((await host.error(1)).retryable).toBeUndefined()
    expect((await host.error(2)).retryable).toBe(false)
    expect((await host.error(3)).retryable).toBeUndefined()
  })

  it('fails a value or an input that cannot be stored, and says where', async () => {
    const { executor, host } = await open(handlers)
    await host.done(executor, [runOf(1, 'uncloneable'), runOf(2, 'fail', { f() {} })])
    expect(await host.error(1)).toMatchObject({ name: 'UncloneableError', code: 'uncloneable', retryable: false })
    expect((await host.error(1)).message).toMatch(/^output\.user\.save cannot be stored/)
    expect(await host.error(2)).toMatchObject({ code: 'invalid-input' })
  })

  it('fails a value that only a storage refuses', async () => {
    const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])
    const { executor, host } = await open({ compile: () => ({ module: new WebAssembly.Module(bytes) }) })
    await host.done(executor, [runOf(1, 'compile')])
    expect(await host.error(1)).toMatchObject({ code: 'uncloneable', retryable: false })
    expect((await host.error(1)).message).toMatch(/^output\.module cannot be stored/)
  })

  it('reports the attempt whatever was thrown, and whatever breaks while that is judged', async () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const thrower = () => {
      throw proxy
    }
    const when = (error: unknown) => error instanceof TypeError
    const { executor, host } = await open({ bare: thrower, judged: { run: thrower, retry: { when } } })
    await host.done(executor, [runOf(1, 'bare'), runOf(2, 'judged')])
    for (const key of [1, 2]) {
      expect(await host.error(key)).toMatchObject({ message: 'an error that cannot be described' })
      expect((await host.error(key)).retryable).toBeUndefined()
    }
  })

  it.each(['nothing', '__proto__', 'constructor', 'hasOwnProperty', ''])('has no handler called "%s"', async (name) => {
    const { executor, host } = await open(handlers)
    await host.done(executor, [runOf(1, name)])
    expect(await host.error(1)).toMatchObject({ code: 'unknown-handler' })
  })

  it('checks follow-ups inside the handler, and sends none of a failure', async () => {
    const { executor, host } = await open(handlers)
    const cases: [string, unknown, object?][] = [
      ['next', { a: 1 }, { priority: -3, queue: 'mail', batch: 'b', retry: { attempts: 2 }, timeout: 5, meta: 'm' }],
      ['function', undefined],
      ['next', 1, { priority: 101 }],
      ['next', 1, { delay: 5, runAt: 5 }],
      ['next', 1, { prioriy: 1 }],
      ['next', 1, { retry: { attempts: 0 } }],
      ['next', 1, { runAt: new Date(Number.NaN) }],
      ['', 1],
    ]
    await host.done(
      executor,
      cases.map((input, i) => runOf(i, 'enqueue', input)),
    )
    expect(host.outcomes.get(0)).toMatchObject({
      followUps: [
        { name: 'fine', input: 1 },
        {
          name: 'next',
          input: { a: 1 },
          priority: -3,
          queue: 'mail',
          batch: 'b',
          settings: { retry: { attempts: 2 }, timeout: 5, meta: 'm' },
        },
      ],
    })
    expect(await host.error(1)).toMatchObject({ name: 'InvalidInputError', code: 'invalid-input' })
    for (const key of keys(2, cases.length)) {
      expect(await host.error(key)).toMatchObject({ name: 'InvalidOptionError', code: 'invalid-option' })
      expect(host.outcomes.get(key)).not.toHaveProperty('followUps')
    }
  })

  it('refuses follow-ups after the end', async () => {
    const { executor, host } = await open(handlers)
    await host.done(executor, [runOf(1, 'forgetful')])
    expect(() => late?.enqueue('next')).toThrow(/after 'forgetful' had ended/)
    expect(() => late?.endBatch('b')).toThrow(/had ended/)
  })

  it('takes a snapshot of follow-up inputs', async () => {
    const { executor, host } = await open({
      count: (_: unknown, ctx: HandlerContext) => {
        const page = { number: 0 }
        while (page.number < 3) {
          ctx.enqueue('page', page)
          page.number++
        }
      },
    })
    await host.done(executor, [runOf(1, 'count')])
    expect(host.outcomes.get(1)).toMatchObject({
      followUps: [{ input: { number: 0 } }, { input: { number: 1 } }, { input: { number: 2 } }],
    })
  })

  it('refuses handlers that are none', async () => {
    // @ts-expect-error: in plain JavaScript nothing else says so
    await expect(inline({ broken: {} }).open(() => {})).rejects.toThrow(/'broken' must be a function/)
    await expect(inline({ odd: { run: () => {}, timeout: -1 } }).open(() => {})).rejects.toThrow(/odd.timeout/)
    await expect(inline({ odd: { run: () => {}, concurrency: 0.5 } }).open(() => {})).rejects.toThrow(/odd.concurrency/)
  })
})

describe('time and abort', () => {
  const handlers = defineHandlers({
    listens: { run: (_: unknown, ctx: HandlerContext) => aborted(ctx.signal), timeout: 1_000 },
    deaf: { run: () => new Promise(() => {}), timeout: 1_000 },
    late: async (_: unknown, ctx: HandlerContext) => aborted(ctx.signal).catch(() => 'finished all the same'),
    quick: () => 'quick',
  })

  it('reports an attempt at once when its time is up, and ignores what comes later', async () => {
    const clock = new ManualClock()
    const { executor, host } = await open(handlers, { clock, concurrency: 1 })
    executor.give([runOf(1, 'deaf'), runOf(2, 'quick')])
    await clock.advance(999)
    expect(host.started).toContain(1)
    expect(host.outcomes.size).toBe(0)
    await clock.advance(1)
    expect(await host.error(1)).toMatchObject({ name: 'TimeoutError', code: 'timeout' })
    expect(host.outcomes.has(2)).toBe(false) // its slot is taken for 1 s more
    await clock.advance(1_000)
    expect(await host.value(2)).toBe('quick')
  })

  it("prefers the run's own timeout; one that listens frees its slot at once", async () => {
    const clock = new ManualClock()
    const { executor, host } = await open(handlers, { clock, concurrency: 1 })
    executor.give([runOf(1, 'listens', null, { timeout: 20 }), runOf(2, 'quick')])
    await clock.advance(20)
    expect(await host.error(1)).toMatchObject({ code: 'timeout' })
    expect((await host.error(1)).message).toContain('20 ms')
    expect(await host.value(2)).toBe('quick')
  })

  it('aborts what runs: its reason is the message, and a success counts', async () => {
    const clock = new ManualClock()
    const { executor, host } = await open(handlers, { clock })
    executor.give([runOf(1, 'listens'), runOf(2, 'late')])
    await clock.advance(0)
    executor.abort(1, 'not wanted')
    executor.abort(2, 'not wanted')
    expect(await host.error(1)).toEqual({ name: 'AbortError', message: 'not wanted', code: 'aborted' })
    expect(await host.value(2)).toBe('finished all the same')
  })

  it('reports a deaf one 1 s after its abort', async () => {
    const clock = new ManualClock()
    const { executor, host } = await open(handlers, { clock })
    executor.give([runOf(1, 'deaf')])
    await clock.advance(10)
    executor.abort(1, 'not wanted')
    await clock.advance(500)
    executor.abort(1, 'again')
    await clock.advance(499)
    expect(host.outcomes.size).toBe(0)
    await clock.advance(1)
    expect(await host.error(1)).toMatchObject({ message: 'not wanted', code: 'aborted' })
    expect(executor.workers()).toMatchObject([{ state: 'idle' }])
  })

  it('aborts what waits in line: it never begins', async () => {
    const gate = new Gate()
    const began: number[] = []
    const { executor, host } = await open(
      {
        wait: (i: number) => {
          began.push(i)
          return gate.passed
        },
      },
      { concurrency: 1 },
    )
    executor.give([runOf(1, 'wait', 1), runOf(2, 'wait', 2)])
    await host.begun(1)
    executor.abort(2, 'not wanted')
    expect(await host.error(2)).toMatchObject({ code: 'aborted' })
    gate.open()
    await host.all([1])
    expect(began).toEqual([1])
    executor.abort(77, 'never heard of') // nothing
  })

  it('closes: aborts everything, reports nothing more, leaves no timer, opens again', async () => {
    const clock = new ManualClock()
    let reason: unknown
    const { executor, host } = await open(
      {
        ...handlers,
        watched: async (_: unknown, ctx: HandlerContext) => {
          await aborted(ctx.signal).catch((error: unknown) => {
            reason = error
          })
        },
      },
      { clock },
    )
    executor.give([runOf(1, 'deaf'), runOf(2, 'watched'), ...keys(3, 40).map((key) => runOf(key, 'deaf'))])
    await clock.advance(1)
    await expect(executor.open(() => {})).rejects.toMatchObject({ code: 'in-use' })
    const told = host.reports.length
    await executor.close()
    await executor.close()
    expect(reason).toMatchObject({ name: 'AbortError' })
    expect(executor.workers()).toEqual([])
    expect(clock.timers).toBe(0)
    await clock.advance(10_000)
    expect(host.reports).toHaveLength(told)
    const again = new Recorder()
    await executor.open(again.report)
    await again.done(executor, [runOf(1, 'quick')])
    expect(await again.value(1)).toBe('quick')
  })
})

inputTests(() => open(checked))
