import { describe, expect, onTestFinished, test } from 'vitest'
import { Durations } from '../src/execute/durations.js'
import { defineHandlers } from '../src/handlers.js'
import { freshPace, observe } from '../src/host/pacing.js'
import { inline } from '../src/inline.js'
import { MemoryBackend } from '../src/memory/index.js'
import { TaskQueue } from '../src/queue.js'
import { TaskWorker } from '../src/worker.js'
import { ManualClock } from './support/clock.js'
import { type Tab, World, type WorldOptions } from './support/world.js'

// People set clocks, time servers correct them, machines sleep: the wall clock jumps while the other goes on.

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const YEAR = 365 * 24 * HOUR

function world(options?: WorldOptions): World {
  const made = new World(options)
  onTestFinished(() => made.end())
  return made
}

const jump = (clock: ManualClock, ms: number) => clock.setWall(clock.now() + ms)
const began = ({ executor }: Tab) => executor.began.map(({ id }) => id)

async function host(w: World): Promise<Tab> {
  const tab = w.tab()
  await tab.worker.start()
  await w.clock.advance(100)
  return tab
}

describe('a task with a time', () => {
  test('runs within 5 s after the clock was put forward past it', async () => {
    const w = world()
    const tab = await host(w)
    const ids = await w.add([{ runAt: w.clock.now() + HOUR }, { runAt: w.clock.now() + YEAR }])
    await w.clock.advance(10_000)
    expect(began(tab)).toEqual([])
    jump(w.clock, HOUR)
    await w.clock.advance(5_000)
    expect(began(tab)).toEqual([ids[0]])
    jump(w.clock, YEAR)
    await w.clock.advance(5_000)
    expect(began(tab)).toEqual(ids)
    expect(await w.states(ids)).toEqual(['completed', 'completed'])
  })

  test('runs once, at its wall time, after the clock was put back', async () => {
    const w = world()
    const tab = await host(w)
    const runAt = w.clock.now() + MINUTE
    const [id] = await w.add([{ runAt }])
    await w.clock.advance(MINUTE - 1_000)
    jump(w.clock, -10 * MINUTE)
    await w.clock.advance(5 * MINUTE)
    expect(began(tab)).toEqual([])
    await w.clock.until(() => began(tab).length, { within: HOUR })
    expect(w.clock.now()).toBe(runAt)
    // It was due; then it is not any more.
    jump(w.clock, -YEAR)
    await w.clock.advance(HOUR)
    expect(began(tab)).toEqual([id])
    expect(await w.states([String(id)])).toEqual(['completed'])
  })

  test.each([
    ['forward', HOUR],
    ['back', -HOUR],
  ])('a retry is made once, whatever the clock does in between (%s)', async (_, by) => {
    const w = world()
    const tab = await host(w)
    const [id] = await w.add([{ do: 'fail', times: 1 }])
    await w.clock.until(() => began(tab).length)
    jump(w.clock, by)
    expect(await w.ended([String(id)], 2 * HOUR)).toEqual(['completed'])
    await w.clock.advance(HOUR)
    expect(began(tab)).toHaveLength(2)
  })

  test('a pause ends at its wall time', async () => {
    const w = world()
    const tab = await host(w)
    const until = w.clock.now() + HOUR
    await w.change({ type: 'pause', until })
    const [id] = await w.add([{ do: 'ok' }])
    jump(w.clock, -HOUR)
    await w.clock.advance(HOUR)
    expect(began(tab)).toEqual([])
    jump(w.clock, HOUR)
    await w.clock.advance(5_000)
    expect(began(tab)).toEqual([id])
  })
})

describe('what runs while the clock jumps', () => {
  test.each([-YEAR, -MINUTE, MINUTE, YEAR])('is run once, and stays its host’s (by %s ms)', async (by) => {
    const w = world()
    const [a, b] = [await host(w), await host(w)]
    const ids = await w.add([{ do: 'ok', ms: 30_000 }, { do: 'ok' }])
    await w.clock.advance(1_000)
    jump(w.clock, by)
    expect(await w.ended(ids, 5 * MINUTE)).toEqual(['completed', 'completed'])
    expect(began(a)).toEqual(ids)
    expect(began(b)).toEqual([])
    expect(await w.backend.get(ids)).toMatchObject([{ attempt: 1 }, { attempt: 1 }])
    expect([a.errors, a.executor.aborted]).toEqual([[], []])
  })

  test('is timed out by the time that passed', async () => {
    const clock = new ManualClock()
    const handlers = defineHandlers({
      hang: {
        run: (_: string, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)),
        timeout: 10_000,
        retry: { attempts: 1 },
      },
    })
    const queue = new TaskQueue<typeof handlers>({ backend: new MemoryBackend({ clock }), clock })
    const worker = new TaskWorker(queue, { executor: inline(handlers, { clock }) })
    onTestFinished(() => worker.stop())
    await worker.start()
    const [forward, back] = [await queue.enqueue('hang', ''), await queue.enqueue('hang', '', { delay: 15_000 })]
    await clock.advance(1_000)
    jump(clock, YEAR)
    await clock.advance(8_000)
    expect(await queue.getResult(forward.id, { timeout: 0 })).toBeUndefined()
    await clock.advance(2_000)
    expect(await queue.getResult(forward.id, { timeout: 0 })).toMatchObject({ error: { code: 'timeout' } })
    await clock.advance(4_000)
    jump(clock, -YEAR)
    await clock.advance(11_000)
    expect(await queue.getResult(back.id, { timeout: 0 })).toMatchObject({ error: { code: 'timeout' } })
  })

  test('leaves a batch with a rate that is a number, and later tasks at full pace', async () => {
    const w = world()
    const tab = await host(w)
    const scripts = Array.from({ length: 400 }, () => ({ do: 'ok' as const, ms: 5 }))
    const ids = await w.add(scripts, { batch: { id: 'b', offset: 0, open: false } })
    for (const by of [YEAR, -2 * YEAR, HOUR, -MINUTE]) {
      await w.clock.advance(200)
      jump(w.clock, by)
      const view = await w.backend.batch('b')
      expect(Number.isFinite(view?.pace?.value)).toBe(true)
    }
    expect(await w.ended(ids, 5 * MINUTE)).toEqual(scripts.map(() => 'completed'))
    const more = await w.add(scripts)
    const since = w.clock.monotonic()
    await w.ended(more, MINUTE)
    // 5 ms each, one at a time.
    expect(w.clock.monotonic() - since).toBeLessThan(400 * 5 * 3)
    expect(began(tab)).toHaveLength(800)
  })
})

test('a duration that a jump made of a moment is soon forgotten', () => {
  const durations = new Durations()
  for (const ms of [1, YEAR, -YEAR, YEAR]) durations.add('work', ms)
  for (let i = 0; i < 60; i++) durations.add('work', 1)
  expect(durations.mean('work')).toBeGreaterThan(0)
  expect(durations.mean('work')).toBeLessThan(5)
  let pace = freshPace
  for (const ms of [1, YEAR, -YEAR, YEAR]) pace = observe(pace, { count: 1, ms }, { slots: 1, workers: 1 })
  for (let i = 0; i < 100; i++) pace = observe(pace, { count: 1, ms: 1 }, { slots: 1, workers: 1 })
  expect(pace.perSlot).toBeGreaterThan(10)
})

test('waits end after the time that passed, whatever the clock says', async () => {
  const clock = new ManualClock()
  const queue = new TaskQueue({ backend: new MemoryBackend({ clock }), clock })
  onTestFinished(() => queue.close())
  const task = await queue.enqueue('never')
  let ended = 0
  for (const by of [YEAR, -YEAR]) {
    const wait = queue.getResult(task.id, { timeout: 10_000 }).then(() => ended++)
    jump(clock, by)
    await clock.advance(9_000)
    expect(ended).toBe(by > 0 ? 0 : 1)
    await clock.advance(2_000)
    await wait
  }
  expect(ended).toBe(2)
})

test('results are kept for their time by the clock, and none is pruned because it was put back', async () => {
  const w = world()
  await host(w)
  const ids = await w.add([{ do: 'ok' }])
  await w.ended(ids)
  jump(w.clock, -YEAR)
  await w.clock.advance(10 * MINUTE)
  expect(await w.states(ids)).toEqual(['completed'])
  jump(w.clock, YEAR + 6 * 24 * HOUR)
  await w.clock.advance(10 * MINUTE)
  expect(await w.states(ids)).toEqual(['completed'])
})

describe('leases without locks', () => {
  const tabs = async (w: World) => [await host(w), await host(w)] as const

  test.each([
    ['an hour forward, as after sleep', HOUR],
    ['an hour back', -HOUR],
    ['years back', -3 * YEAR],
  ])('nobody is robbed when the clock jumps: %s', async (_, by) => {
    const w = world({ locks: false })
    const [a, b] = await tabs(w)
    const ids = await w.add([{ do: 'ok', ms: 3 * MINUTE }])
    await w.clock.advance(12_000)
    jump(w.clock, by)
    expect(await w.ended(ids, HOUR)).toEqual(['completed'])
    expect([...began(a), ...began(b)]).toEqual(ids)
    expect(await w.backend.get(ids)).toMatchObject([{ attempt: 1, crashes: 0 }])
    for (const { backend } of [a, b]) expect(new Set(backend.exchanges.map((x) => x.host)).size).toBe(1)
  })

  test.each([
    ['forward', HOUR],
    ['back', -HOUR],
    ['years back', -3 * YEAR],
  ])('a dead host is noticed all the same (%s)', async (_, by) => {
    const w = world({ locks: false })
    const dead = { host: 'dead', seq: 1, now: w.clock.now(), until: w.clock.now() + 30_000, settle: [] }
    const ids = await w.add([{ do: 'hang' }])
    await w.backend.exchange({ ...dead, claim: { limit: 1 } })
    const b = await host(w)
    jump(w.clock, by)
    await w.clock.until(() => began(b).length, { within: 2 * MINUTE })
    expect(await w.backend.get(ids)).toMatchObject([{ crashes: 1 }])
  })

  test('a page that opens right after the jump may rob a living host: it is fenced, its late outcome dropped, and goes on', async () => {
    const w = world({ locks: false })
    const a = await host(w)
    const ids = await w.add([{ do: 'ok', ms: 20_000 }])
    await w.clock.advance(12_000)
    jump(w.clock, HOUR)
    const b = await host(w)
    expect(began(b)).toEqual(ids)
    expect(await w.backend.get(ids)).toMatchObject([{ state: 'running', attempt: 1, crashes: 1 }])
    expect(await w.ended(ids)).toEqual(['completed'])
    expect(await w.backend.results(ids)).toMatchObject([
      { startedAt: expect.toSatisfy((at) => at > w.clock.now() - HOUR / 2) },
    ])
    await w.clock.advance(10_000)
    expect(new Set(a.backend.exchanges.map((x) => x.host)).size).toBe(2)
    expect(await w.backend.counts()).toMatchObject({ completed: 1, failed: 0, running: 0 })
    await b.worker.stop()
    const more = await w.add([{ do: 'ok' }])
    expect(await w.ended(more)).toEqual(['completed'])
    expect(began(a)).toContain(more[0])
  })

  test('the host of a hidden page, whose timers fire once a minute, keeps its tasks', async () => {
    const w = world({ locks: false })
    const slow = new ManualClock()
    const a = w.tab({}, { clock: slow })
    a.page.visible = false
    await a.worker.start()
    const ids = await w.add([{ do: 'hang' }])
    await slow.advance(10)
    const b = await host(w)
    for (let i = 0; i < 5; i++) {
      await w.clock.advance(MINUTE)
      await slow.freeze(MINUTE)
    }
    expect([...began(a), ...began(b)]).toEqual(ids)
    // It dies: that takes longer to be noticed.
    await w.clock.advance(3 * MINUTE)
    expect(began(b)).toEqual(ids)
  })

  test('what a page held that was left runs elsewhere at once, and is charged nothing', async () => {
    const w = world({ locks: false })
    const ids = await w.add([{ do: 'hang' }])
    const left = { host: 'left', seq: 1, now: w.clock.now(), until: w.clock.now() + 30_000, settle: [] }
    await w.backend.exchange({ ...left, claim: { limit: 1 } })
    const b = await host(w)
    expect(began(b)).toEqual([])
    w.departures.leave('left')
    w.channel.post({ type: 'role', from: 'left', role: 'standby' })
    await w.clock.advance(0)
    expect(began(b)).toEqual(ids)
    expect(await w.backend.get(ids)).toMatchObject([{ attempt: 1, crashes: 0 }])
    expect(w.departures.left()).toEqual([])
  })
})
