import { describe, expect, it } from 'vitest'
import type { HandlerContext } from '../src/handlers.js'
import type { ToPage, WireRun } from '../src/web-worker/protocol.js'
import { Session } from '../src/web-worker/session.js'
import { ManualClock, settle } from './support/clock.js'
import { keys, runOf } from './support/recorder.js'

/** A session without a Web Worker. `take` says how long an attempt takes, ms. */
function session(concurrency = 1) {
  const clock = new ManualClock()
  const told: ToPage[] = []
  const transferred: Transferable[] = []
  const waiting: (() => void)[] = []
  const handlers = {
    quick: () => 'quick',
    /** Takes its time without letting go of the thread. */
    spin: (ms: number) => {
      clock.freeze(ms)
      return 'spun'
    },
    wait: (_: unknown, ctx: HandlerContext) =>
      new Promise((resolve, reject) => {
        waiting.push(() => resolve('waited'))
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))
      }),
    timed: { run: () => 'timed', timeout: 50 },
    bytes: (size: number) => new Uint8Array(size),
  }
  const mine = new Session(handlers, concurrency, clock, (message, transfer) => {
    told.push(message)
    transferred.push(...transfer)
  })
  const give = async (...runs: WireRun[]) => {
    mine.receive({ type: 'give', runs })
    await settle()
  }
  /** What was told since the last look: `+3` began, `-3` ended. */
  const news = () =>
    told.splice(0).map((message) => {
      if (message.type !== 'progress') return JSON.stringify(message)
      return [
        ...message.ended.map(({ key }) => `-${key}`),
        ...(message.started ? [`+${message.started.key}`] : []),
      ].join()
    })
  return { session: mine, clock, give, news, waiting, transferred, told }
}

const known = async ({ give, news }: ReturnType<typeof session>, name: string, input?: unknown) => {
  await give(runOf(1_000, name, input), runOf(1_001, name, input))
  news()
}

describe('what the page is told', () => {
  it('announces what nothing is known of, and tells ends together', async () => {
    const it = session()
    await it.give(...keys(1, 6).map((key) => runOf(key, 'quick')))
    // Before the second begins the page hears that the first has ended: it is the marked one no more.
    expect(it.news()).toEqual(['+1', '-1', '-2,-3,-4,-5'])
  })

  it('announces every attempt that has a timeout, with the end of the one before in the same message', async () => {
    const it = session()
    await it.give(runOf(1, 'timed'), runOf(2, 'timed'), runOf(3, 'quick', null, { timeout: 5 }), runOf(4, 'quick'))
    expect(it.news()).toEqual(['+1', '-1,+2', '-2,+3', '-3', '-4'])
  })

  it('announces suspects', async () => {
    const it = session()
    await known(it, 'quick')
    await it.give({ ...runOf(1, 'quick'), mark: true }, runOf(2, 'quick'))
    expect(it.news()).toEqual(['+1', '-1', '-2'])
  })

  it('tells what has ended before a long one begins, and every 10 ms', async () => {
    const it = session()
    await known(it, 'quick')
    await known(it, 'spin', 4)
    await it.give(runOf(1, 'quick'), runOf(2, 'spin', 4), runOf(3, 'spin', 4), runOf(4, 'spin', 4), runOf(5, 'wait'))
    const news = it.news()
    expect(news.length).toBeGreaterThan(1)
    expect(news.join()).toBe('-1,-2,-3,-4,+5')
  })

  it('tells of an end within 10 ms while the next one waits for something', async () => {
    const it = session(2)
    await known(it, 'quick')
    await it.give(runOf(1, 'wait'))
    it.waiting.shift()?.()
    await settle()
    it.news()
    // From here on `wait` is known, and expected to be short.
    await it.give(runOf(2, 'quick'), runOf(3, 'wait'), runOf(4, 'wait'))
    await it.clock.advance(10)
    expect(it.news()).toEqual(['-2'])
  })

  it('moves buffers instead of copying them', async () => {
    const it = session()
    await it.give(runOf(1, 'bytes', 16))
    expect(it.transferred).toHaveLength(1)
  })

  it('says with its last words what was under way, after everything that ended', async () => {
    const it = session()
    await known(it, 'quick')
    await it.give(runOf(1, 'quick'), runOf(2, 'wait'), runOf(3, 'quick'))
    it.session.broken({ name: 'Error', message: 'x' })
    expect(it.news()).toEqual([
      '-1,+2',
      JSON.stringify({ type: 'broken', error: { name: 'Error', message: 'x' }, running: [2] }),
    ])
  })
})

describe('what it is told', () => {
  it('gives back what has not begun', async () => {
    const it = session()
    await it.give(runOf(1, 'wait'), runOf(2, 'quick'), runOf(3, 'quick'))
    it.news()
    it.session.receive({ type: 'recall' })
    expect(it.news()).toEqual([JSON.stringify({ type: 'recalled', keys: [2, 3] })])
    it.waiting.shift()?.()
    await settle()
    expect(it.news()).toEqual(['-1'])
  })

  it('aborts what runs and what waits', async () => {
    const it = session()
    await it.give(runOf(1, 'wait'), runOf(2, 'quick'), runOf(3, 'quick'))
    it.news()
    it.session.receive({ type: 'abort', key: 2, reason: { name: 'AbortError', message: 'no' } })
    it.session.receive({ type: 'abort', key: 1, reason: { name: 'TimeoutError', message: 'late' } })
    it.session.receive({ type: 'abort', key: 99, reason: { name: 'AbortError', message: 'no' } })
    await settle()
    const ended = it.told.flatMap((message) => (message.type === 'progress' ? message.ended : []))
    expect(ended).toMatchObject([
      { key: 2, ok: false, error: { code: 'aborted', message: 'no' } },
      { key: 1, ok: false, error: { code: 'timeout', message: 'late' } },
      { key: 3, ok: true },
    ])
  })

  it('runs as many at one time as it may, and no more', async () => {
    const it = session(3)
    await it.give(...keys(1, 6).map((key) => runOf(key, 'wait')))
    expect(it.waiting).toHaveLength(3)
    await it.give(runOf(6, 'wait'))
    expect(it.waiting).toHaveLength(3)
    for (let i = 0; i < 6; i++) {
      it.waiting[i]?.()
      await settle()
    }
    expect(it.waiting).toHaveLength(6)
  })
})
