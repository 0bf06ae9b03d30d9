import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { systemClock } from '../src/clock.js'
import { SitqError } from '../src/errors.js'
import type { Executor } from '../src/executor.js'
import { type WebWorkersOptions, webWorkers } from '../src/web-worker/index.js'
import { inputTests } from './executor/inputs.js'
import { keys, Recorder, runOf } from './support/recorder.js'
import type { Job } from './support/workers/handlers.js'

const spawn = () => new Worker(new URL('./support/workers/handlers.worker.ts', import.meta.url), { type: 'module' })

/** Its timers run ten times as fast: for what takes seconds on purpose. Web Workers keep their own. */
const hasty = { ...systemClock, timer: (ms: number, fire: () => void) => systemClock.timer(ms / 10, fire) }

const opened: Executor[] = []

async function pool(options: WebWorkersOptions & { concurrency?: number; factory?: () => Worker } = {}) {
  const { concurrency, factory = spawn, ...rest } = options
  const executor = webWorkers(factory, rest)
  opened.push(executor)
  const host = new Recorder()
  const table = await executor.open(host.report, concurrency === undefined ? {} : { concurrency })
  return { executor, host, table }
}

const job = (key: number, what: Job, name = 'work', timeout?: number) =>
  runOf(key, name, what, timeout === undefined ? {} : { timeout })
const noops = (from: number, to: number) => keys(from, to).map((key) => runOf(key, 'noop'))
const heldLocks = async () => {
  const { held = [], pending = [] } = await navigator.locks.query()
  return [...held, ...pending].filter(({ name }) => name?.startsWith('sitq-web-worker-')).length
}

afterEach(async () => {
  for (const executor of opened.splice(0)) await executor.close()
  // A Web Worker that was not ended still holds its lock.
  await expect.poll(heldLocks, { timeout: 8_000 }).toBe(0)
})

describe('running', () => {
  it('learns the handlers, with their settings as data', async () => {
    const { table, executor } = await pool({ size: 3 })
    expect(table).toMatchObject({
      work: {},
      timed: { timeout: 150 },
      picky: { retry: { attempts: 5, delay: 10 } },
      single: { concurrency: 1 },
    })
    expect(executor.slots).toBe(3)
    expect(executor.workers()).toEqual([{ worker: 1, state: 'idle', running: [], ended: 0 }])
  })

  it('gives handlers their context and returns what they return', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, [
      runOf(7, 'work', { do: 'context' }, { attempt: 3, meta: { tenant: 'a' } }),
      job(8, { do: 'return', value: new Map([['when', new Date(0)]]) }),
      job(9, { do: 'return', value: new Uint8Array([1, 2, 3]) }),
    ])
    const { id } = runOf(7, '')
    expect(await host.value(7)).toEqual({ id, name: 'work', attempt: 3, meta: { tenant: 'a' }, aborted: false })
    expect(await host.value(8)).toEqual(new Map([['when', new Date(0)]]))
    expect(await host.value(9)).toEqual(new Uint8Array([1, 2, 3]))
    const ended = host.outcomes.get(7)
    expect(ended).toMatchObject({ startedAt: expect.any(Number), finishedAt: expect.any(Number) })
  })

  it('runs what one Web Worker gets in order, thousands in few reports', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, noops(0, 5_000))
    expect(host.order).toEqual(keys(0, 5_000))
    expect(host.reports.filter(({ type }) => type === 'ended').length).toBeLessThan(500)
  })

  it('spreads work over all Web Workers, each run reported once', async () => {
    const { executor, host } = await pool({ size: 2 })
    await host.done(executor, [job(1, { do: 'wait', ms: 100 }), job(2, { do: 'wait', ms: 100 })])
    // The second one may take longer to start than the first one for both.
    await host.until(() => executor.workers().filter(({ state }) => state === 'idle').length === 2)
    await host.done(executor, noops(10, 4_010))
    expect(host.outcomes.size).toBe(4_002)
    const views = executor.workers()
    expect(views.map(({ state }) => state)).toEqual(['idle', 'idle'])
    expect(views.reduce((sum, { ended }) => sum + ended, 0)).toBe(4_002)
    for (const { ended } of views) expect(ended).toBeGreaterThan(1)
  })

  it('loses nothing that is given while a script is still in a top-level await', async () => {
    const factory = () =>
      new Worker(new URL('./support/workers/slow-start.worker.ts', import.meta.url), { type: 'module' })
    const { executor, host } = await pool({ size: 2, factory })
    await host.done(executor, [
      job(1, { do: 'wait', ms: 50 }),
      job(2, { do: 'wait', ms: 50 }),
      job(3, { do: 'return' }),
    ])
    expect(host.outcomes.size).toBe(3)
  })

  it('gives each handler an input of its own, whatever inputs share', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(
      executor,
      keys(0, 20).map((key) => job(key, { do: 'return' })),
    ) // so that the next ones come as a batch
    const shared: Job = { do: 'mark-input' }
    await host.done(
      executor,
      keys(20, 60).map((key) => job(key, shared)),
    )
    for (const key of keys(20, 60)) expect(await host.value(key)).toEqual({ do: 'mark-input' })
  })

  it('runs several at one time in each Web Worker if asked to', async () => {
    const { executor, host } = await pool({ size: 1, concurrency: 3 })
    expect(executor.slots).toBe(3)
    executor.give(keys(1, 4).map((key) => job(key, { do: 'wait', ms: 5_000 })))
    await host.until(() => host.started.length === 3)
    expect(host.outcomes.size).toBe(0)
  })

  it("keeps to a handler's own concurrency in all Web Workers together, and lets others pass", async () => {
    const { executor, host } = await pool({ size: 2, concurrency: 2 })
    const singles = keys(1, 5).map((key) => job(key, { do: 'wait', ms: 15 }, 'single'))
    await host.done(executor, [...singles, job(9, { do: 'return', value: 'passed' })])
    expect(host.order.indexOf(9)).toBeLessThan(4)
    const spans = keys(1, 5).flatMap((key) => {
      const outcome = host.outcomes.get(key)
      return outcome && 'finishedAt' in outcome ? [outcome] : []
    })
    expect(spans).toHaveLength(4)
    for (const [i, span] of spans.entries()) {
      expect(span.startedAt).toBeGreaterThanOrEqual(spans[i - 1]?.finishedAt ?? 0)
    }
  })

  it('moves what waits behind a long one to a Web Worker that has nothing to do', async () => {
    const { executor, host } = await pool({ size: 2 })
    await host.done(
      executor,
      keys(0, 200).map((key) => job(key, { do: 'return' })),
    ) // known to be fast by now
    executor.give([job(300, { do: 'wait', ms: 60_000 }), ...keys(301, 340).map((key) => job(key, { do: 'return' }))])
    await host.all(keys(301, 340))
    expect(host.outcomes.has(300)).toBe(false)
  })

  it('takes back what has not begun', async () => {
    const { executor, host } = await pool({ size: 1 })
    executor.give([job(1, { do: 'wait', ms: 50 }), ...noops(2, 10)])
    await host.begun(1)
    expect(executor.backlog).toBe(8)
    expect(executor.recall()).toEqual(keys(2, 10))
    expect(executor.backlog).toBe(0)
    expect(executor.recall()).toEqual([])
    await host.done(executor, noops(2, 4))
    expect(host.order).toEqual([1, 2, 3])
  })
})

describe('failing', () => {
  it('reports what was thrown as a record', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, [
      job(1, { do: 'fail', message: 'no such user', code: 'E_USER' }),
      job(2, { do: 'fail', message: 'final' }, 'picky'),
      job(3, { do: 'fail', message: 'again' }, 'picky'),
    ])
    expect(await host.error(1)).toMatchObject({ name: 'Error', message: 'no such user', code: 'E_USER' })
    expect(await host.error(2)).toMatchObject({ retryable: false })
    expect((await host.error(3)).retryable).toBeUndefined()
  })

  it('fails a task whose value cannot be stored, and says where', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, [job(1, { do: 'uncloneable' }), job(2, { do: 'return', value: 1 })])
    expect(await host.error(1)).toMatchObject({ code: 'uncloneable', retryable: false })
    expect((await host.error(1)).message).toContain('output.user.save')
    expect(await host.value(2)).toBe(1)
  })

  it('fails a task whose value can be posted but not stored', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, [job(1, { do: 'compile' }), job(2, { do: 'return', value: 1 })])
    expect(await host.error(1)).toMatchObject({ code: 'uncloneable', retryable: false })
    expect((await host.error(1)).message).toContain('output.module')
    expect(await host.value(2)).toBe(1)
  })

  it('fails a run whose input cannot be sent, and no other', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, [runOf(1, 'noop', () => {}), runOf(2, 'noop'), runOf(3, 'noop', { f() {} })])
    expect(await host.error(1)).toMatchObject({ code: 'uncloneable', retryable: false })
    expect(await host.error(3)).toMatchObject({ code: 'uncloneable' })
    expect(await host.value(2)).toBeUndefined()
  })

  it.each(['missing', '__proto__', 'constructor', 'toString'])('knows no handler called %s', async (name) => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, [runOf(1, name)])
    expect(await host.error(1)).toMatchObject({ code: 'unknown-handler' })
  })

  it('sends follow-ups with a success', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, [
      job(1, { do: 'follow-up', names: ['a', 'b'], batch: 'import', endBatch: 'import' }),
      job(2, { do: 'follow-up', names: ['a', ''] }),
    ])
    const { id } = runOf(1, '')
    expect(host.outcomes.get(1)).toMatchObject({
      followUps: [
        { name: 'a', input: { from: id }, batch: 'import', runAt: expect.any(Number) },
        { name: 'b', input: { from: id }, batch: 'import', runAt: expect.any(Number) },
      ],
      endBatches: ['import'],
    })
    expect(await host.error(2)).toMatchObject({ name: 'InvalidOptionError' })
    expect(host.outcomes.get(2)).not.toHaveProperty('followUps')
  })
})

describe('time', () => {
  it('reports an attempt at once when its time is up; a handler that listens keeps its Web Worker', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, [job(1, { do: 'wait', ms: 60_000 }, 'timed'), job(2, { do: 'return', value: 'next' })])
    expect(await host.error(1)).toMatchObject({ name: 'TimeoutError', code: 'timeout' })
    expect(host.order).toEqual([1, 2])
    expect(executor.workers()).toMatchObject([{ worker: 1 }])
  })

  it("takes a run's own timeout over its handler's", async () => {
    const { executor, host } = await pool({ size: 2 })
    await host.done(executor, [
      job(1, { do: 'wait', ms: 60_000 }, 'work', 30),
      job(2, { do: 'wait', ms: 250 }, 'timed', 5_000),
    ])
    expect(await host.error(1)).toMatchObject({ code: 'timeout' })
    expect(await host.value(2)).toBe('waited')
  })

  it('kills one that does not listen 1 s later, and runs again what waited behind it', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, noops(100, 300))
    executor.give([job(1, { do: 'spin', ms: 60_000 }, 'timed'), ...noops(2, 10)])
    expect(await host.error(1)).toMatchObject({ code: 'timeout' })
    expect(executor.workers()).toMatchObject([{ worker: 1 }])
    const at = performance.now()
    await host.all(keys(2, 10))
    expect(performance.now() - at).toBeGreaterThan(800)
    expect(executor.workers()).toMatchObject([{ worker: 2 }])
    expect(host.crashes()).toEqual([])
  })

  it('spares the others of a Web Worker whose attempt has to be killed', async () => {
    const { executor, host } = await pool({ size: 1, concurrency: 3 })
    executor.give([
      job(1, { do: 'wait', ms: 60_000, deaf: true }, 'timed'),
      job(2, { do: 'wait', ms: 1_400 }),
      job(3, { do: 'return', value: 'quick' }),
    ])
    await host.all([1, 2, 3])
    expect(await host.error(1)).toMatchObject({ code: 'timeout' })
    expect(await host.value(2)).toBe('waited')
    // It was interrupted and began again.
    expect(host.started.filter((key) => key === 2)).toHaveLength(2)
    expect(host.crashes()).toEqual([])
  })

  it('hears of time from a Web Worker every 5 s', async () => {
    const { host } = await pool({ size: 1 })
    await host.until(() => host.reports.some(({ type }) => type === 'tick'))
  })

  it('tells of changes, at most ten times a second', async () => {
    const { executor, host } = await pool({ size: 2 })
    const from = performance.now()
    for (let i = 0; i < 20; i++) await host.done(executor, [job(i, { do: 'spin', ms: 10 })])
    const changes = host.reports.filter(({ type }) => type === 'workers').length
    expect(changes).toBeGreaterThan(0)
    expect(changes).toBeLessThanOrEqual((performance.now() - from) / 100 + 2)
  })
})

describe('aborting', () => {
  it('ends what waits in line', async () => {
    const { executor, host } = await pool({ size: 1 })
    executor.give([job(1, { do: 'wait', ms: 100 }), job(2, { do: 'return' }), job(3, { do: 'return' })])
    executor.abort(2, 'not wanted')
    executor.abort(2, 'not wanted')
    expect(await host.error(2)).toMatchObject({ name: 'AbortError', message: 'not wanted', code: 'aborted' })
    await host.all([1, 3])
    expect(host.order).toEqual([2, 1, 3])
  })

  it('ends what runs and listens', async () => {
    const { executor, host } = await pool({ size: 1 })
    executor.give([job(1, { do: 'wait', ms: 60_000 })])
    await host.begun(1)
    executor.abort(1, 'page closed')
    expect(await host.error(1)).toMatchObject({ message: 'page closed', code: 'aborted' })
    expect(executor.workers()).toMatchObject([{ worker: 1, state: 'idle' }])
  })

  it('kills what does not listen, and nothing is charged a crash', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, noops(100, 300))
    executor.give([job(1, { do: 'spin', ms: 60_000 }), ...noops(2, 6)])
    await host.begun(1)
    executor.abort(1, 'stop')
    expect(await host.error(1)).toMatchObject({ code: 'aborted' })
    await host.all(keys(2, 6))
    expect(executor.workers()).toMatchObject([{ worker: 2 }])
    expect(host.crashes()).toEqual([])
  })

  it('does not kill a long one for the sake of another that waits behind it', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, noops(100, 300))
    executor.give([...noops(2, 4), job(1, { do: 'spin', ms: 1_800 })])
    await host.begun(1)
    executor.give([...noops(5, 8)])
    expect(executor.recall()).toEqual([]) // they wait in the Web Worker
    executor.abort(6, 'not wanted')
    expect(await host.error(6)).toMatchObject({ code: 'aborted' })
    expect(await host.value(1)).toBe('spun')
    await host.all([5, 7])
    expect(executor.workers()).toMatchObject([{ worker: 1 }])
  })
})

describe('crashing', () => {
  it('charges the one that did it; the others run again', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, noops(100, 300))
    await host.done(executor, [...noops(2, 6), job(1, { do: 'throw-in-timer' }), ...noops(6, 10)])
    expect(host.crashes()).toEqual([1])
    expect(await host.error(1)).toMatchObject({
      code: 'crashed',
      cause: { name: 'RangeError', message: 'nobody catches this' },
    })
    expect(executor.workers()).toMatchObject([{ worker: 2 }])
  })

  it('notices a Web Worker that closes itself', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, [job(1, { do: 'close-self' }), job(2, { do: 'return', value: 'after' })])
    expect(host.crashes()).toEqual([1])
    expect(await host.value(2)).toBe('after')
  })

  it('notices that without Web Locks too', async () => {
    const locks = vi.spyOn(navigator.locks, 'request').mockReturnValue(new Promise(() => {}))
    onTestFinished(() => locks.mockRestore())
    const { executor, host } = await pool({ size: 1 })
    expect(locks).toHaveBeenCalled()
    await host.done(executor, [job(1, { do: 'close-self' }), job(2, { do: 'return', value: 'after' })])
    expect(host.crashes()).toEqual([1])
    expect(await host.value(2)).toBe('after')
  })

  it('fails what can be sent and not be received, and nothing else', async ({ skip }) => {
    skip(typeof RTCPeerConnection === 'undefined', 'the engine has no RTCPeerConnection, and so no certificates')
    // A page can send a certificate; a Web Worker does not know what that is.
    const keys = { name: 'ECDSA', namedCurve: 'P-256' }
    const certificate = await RTCPeerConnection.generateCertificate(keys)
    const { executor, host } = await pool({ size: 1 })
    executor.give([
      job(1, { do: 'return', value: 'before' }),
      job(2, { do: 'return', value: certificate }),
      job(3, { do: 'return', value: 'after' }),
    ])
    expect([await host.value(1), await host.value(3)]).toEqual(['before', 'after'])
    expect(await host.error(2)).toMatchObject({ name: 'DataCloneError', code: 'uncloneable', retryable: false })
    expect(host.crashes()).toEqual([])
  })

  it('runs again what a Web Worker had whose message cannot be read', async () => {
    const made: Worker[] = []
    const factory = () => {
      const worker = spawn()
      made.push(worker)
      return worker
    }
    const { executor, host } = await pool({ size: 1, concurrency: 2, factory })
    executor.give([job(1, { do: 'wait', ms: 300 }), job(2, { do: 'wait', ms: 300 })])
    await host.begun(1)
    made[0]?.dispatchEvent(new MessageEvent('messageerror'))
    expect(await host.value(1)).toBe('waited')
    expect(await host.value(2)).toBe('waited')
    expect(made).toHaveLength(2)
    // Alone, it is the one whose message it was.
    executor.give([job(3, { do: 'wait', ms: 300 })])
    await host.begun(3)
    made[1]?.dispatchEvent(new MessageEvent('messageerror'))
    expect(await host.error(3)).toMatchObject({ code: 'uncloneable', retryable: false })
  })

  it('charges what is known to run when a Web Worker is killed', async () => {
    const { executor, host } = await pool({ size: 1 })
    executor.give([job(1, { do: 'spin', ms: 60_000 }), job(2, { do: 'return', value: 'after' })])
    await host.begun(1)
    executor.kill?.(1)
    expect(await host.error(1)).toMatchObject({ code: 'crashed' })
    expect(await host.value(2)).toBe('after')
    expect(host.crashes()).toEqual([1])
  })

  it('charges nobody when it is not known what ran: all run again', async () => {
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, noops(1_000, 6_000))
    executor.give(noops(1, 600))
    executor.kill?.(1)
    await host.all(keys(1, 600))
    expect(host.crashes()).toEqual([])
  })

  it('finds the culprit among several by running them one by one', async () => {
    const { executor, host } = await pool({ size: 2, concurrency: 3 })
    executor.give([
      job(1, { do: 'wait', ms: 300 }),
      job(2, { do: 'throw-in-timer' }),
      job(3, { do: 'wait', ms: 300 }),
      job(4, { do: 'wait', ms: 300 }),
      job(5, { do: 'wait', ms: 300 }),
    ])
    await host.all([1, 2, 3, 4, 5])
    expect(host.crashes()).toEqual([2])
  })

  it('replaces a Web Worker that breaks with nothing to do, and charges nobody', async () => {
    const { executor, host } = await pool({ size: 1, clock: hasty })
    await host.done(executor, [runOf(1, 'stray', { after: 20 })])
    await host.until(() => executor.workers().length === 0)
    await host.done(executor, [job(2, { do: 'return', value: 'fine' })])
    expect(host.crashes()).toEqual([])
    expect(await host.value(2)).toBe('fine')
  })

  it('ends an aborted attempt as aborted even if its Web Worker dies first', async () => {
    const { executor, host } = await pool({ size: 1 })
    executor.give([job(1, { do: 'spin', ms: 60_000 }), ...noops(2, 4)])
    await host.begun(1)
    executor.abort(2, 'not wanted')
    executor.kill?.(1)
    expect(await host.error(2)).toMatchObject({ code: 'aborted' })
    await host.all([1, 3])
    expect(host.crashes()).toEqual([1])
  })
})

describe('coming and going', () => {
  // Spelled out: Vite looks for the file's name in the source.
  const throws = () => new Worker(new URL('./support/workers/throws.worker.ts', import.meta.url), { type: 'module' })
  const silent = () => new Worker(new URL('./support/workers/silent.worker.ts', import.meta.url), { type: 'module' })
  const old = () => new Worker(new URL('./support/workers/old.worker.ts', import.meta.url), { type: 'module' })

  it.each<[string, () => Worker, RegExp]>([
    [
      'is missing',
      () => new Worker('/no/such/file.js', { type: 'module' }),
      /could not load its script.*Check the URL/,
    ],
    ['throws', throws, /failed while its script ran: .*broken on purpose/],
    ['never serves', silent, /did not get ready within 400 ms.*serveHandlers/],
    ['was built with another version', old, /another version of sitq/],
    [
      'cannot be made',
      () => {
        throw new DOMException('blocked', 'SecurityError')
      },
      /could not be started: blocked/,
    ],
  ])('says what to do when the script %s', async (_, factory, message) => {
    const executor = webWorkers(factory, { startTimeout: 400 })
    const opening = executor.open(() => {})
    await expect(opening).rejects.toMatchObject({ code: 'worker-start', message: expect.stringMatching(message) })
    expect(executor.workers()).toEqual([])
    await expect(executor.open(() => {})).rejects.toMatchObject({ code: 'worker-start' }) // and not 'in-use'
  })

  it('says nothing of a script that was called off because its page is being left', async () => {
    let failed: Promise<unknown> | undefined
    const executor = webWorkers(() => {
      const worker = new Worker('/no/such/file.js', { type: 'module' })
      failed = new Promise((resolve) => worker.addEventListener('error', resolve))
      return worker
    })
    const opening = expect(executor.open(() => {})).rejects.toMatchObject({ code: 'closed' })
    await failed
    // Firefox tells the page later: as it is left, this is closed.
    await new Promise((resolve) => setTimeout(resolve, 100))
    await executor.close()
    await opening
  })

  it('goes on trying when a later one does not start, and keeps what is in line', async () => {
    let spawned = 0
    const factory = () =>
      ++spawned === 1 || spawned > 3 ? spawn() : new Worker('/no/such/file.js', { type: 'module' })
    const { executor, host } = await pool({ size: 1, factory, clock: hasty })
    executor.give([job(1, { do: 'throw-in-timer' }), job(2, { do: 'return', value: 'kept' })])
    expect(await host.value(2)).toBe('kept')
    expect(spawned).toBe(4)
    const troubles = host.reports.flatMap((report) => (report.type === 'trouble' ? [report.error] : []))
    expect(troubles).toEqual([expect.any(SitqError), expect.any(SitqError)])
    expect(String(troubles[0])).toContain('could not load its script')
  })

  it('ends Web Workers that have nothing to do, and spawns others when there is work again', async () => {
    const { executor, host } = await pool({ size: 2, idleTimeout: 60 })
    await host.done(executor, [job(1, { do: 'wait', ms: 90 })])
    await host.until(() => executor.workers().length === 0)
    await host.done(executor, [job(2, { do: 'return', value: 'back' })])
    expect(await host.value(2)).toBe('back')
  })

  it('spawns as many as there is work for', async () => {
    const { executor, host } = await pool({ size: 4 })
    executor.give([job(1, { do: 'wait', ms: 300 }), job(2, { do: 'wait', ms: 300 })])
    await host.all([1, 2])
    expect(executor.workers()).toHaveLength(2)
  })

  it('closes at once, reports nothing afterwards, and opens again', async () => {
    const { executor, host } = await pool({ size: 2 })
    executor.give([job(1, { do: 'spin', ms: 60_000 }), job(2, { do: 'wait', ms: 10 }), ...noops(3, 100)])
    await host.begun(1)
    await executor.close()
    const told = host.reports.length
    expect(executor.workers()).toEqual([])
    expect(executor.backlog).toBe(0)
    const again = new Recorder()
    await executor.open(again.report)
    await again.done(executor, [job(1, { do: 'return', value: 'again' })])
    expect(await again.value(1)).toBe('again')
    expect(host.reports).toHaveLength(told)
  })

  it('can be closed while it opens', async () => {
    const executor = webWorkers(spawn)
    const opening = executor.open(() => {})
    await executor.close()
    await expect(opening).rejects.toMatchObject({ code: 'closed' })
    await expect(executor.open(() => {})).resolves.toBeTypeOf('object')
    await expect(executor.open(() => {})).rejects.toMatchObject({ code: 'in-use' })
    await executor.close()
  })

  it('refuses what cannot be', () => {
    expect(() => webWorkers(spawn, { size: 0 })).toThrow(/size must be a whole number from 1/)
    const unopened: Executor = webWorkers(spawn)
    expect(unopened.slots).toBe(Math.max(1, navigator.hardwareConcurrency - 1))
    expect(unopened.workers()).toEqual([])
  })
})

describe('inputs that a Web Worker cannot read', () => {
  // No queue would take it; a backend of another make may.
  const deep = (levels: number) => {
    let value: unknown = 1
    for (let i = 0; i < levels; i++) value = [value]
    return value
  }

  /** True if an empty Web Worker reads it; false if not, or if not even this page can send it. */
  async function isRead(levels: number): Promise<boolean> {
    const source = 'onmessage = ({ data }) => postMessage(data !== null); onmessageerror = () => postMessage(false)'
    const url = URL.createObjectURL(new Blob([source]))
    const worker = new Worker(url)
    try {
      return await new Promise((resolve) => {
        worker.onmessage = ({ data }) => resolve(data === true)
        worker.postMessage(deep(levels))
      })
    } catch {
      return false
    } finally {
      worker.terminate()
      URL.revokeObjectURL(url)
    }
  }

  it('fail their tasks, alone, and the others run', async ({ skip }) => {
    // Twice what is too deep for an empty one is too deep for any; the stack of a page is many times as large.
    let levels = 500
    while (levels < 100_000 && (await isRead(levels))) levels *= 2
    skip(levels >= 100_000, 'its Web Workers read what is nested however deeply')
    const { executor, host } = await pool({ size: 1 })
    await host.done(executor, noops(0, 50)) // so that the next ones come as a batch
    const runs = keys(50, 60).map((key) => runOf(key, 'noop', key === 55 ? deep(2 * levels) : key))
    await host.done(executor, runs)
    expect(host.crashes()).toEqual([])
    expect(await host.error(55)).toMatchObject({ code: 'uncloneable', retryable: false })
  })
})

inputTests(() =>
  pool({
    size: 1,
    factory: () => new Worker(new URL('./support/workers/checked.worker.ts', import.meta.url), { type: 'module' }),
  }),
)
