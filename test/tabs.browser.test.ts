import { pipeline } from 'sitq'
import { expect, test, vi } from 'vitest'
import { commands, server } from 'vitest/browser'
import type { TabOptions } from './support/pages/tab.js'
import type { Handlers } from './support/pages/tab-handlers.js'
import { addressOf, items, OpenPage, patience, Scene } from './support/scene.js'

// Tabs of a real browser, with real IndexedDB, Web Locks and Web Workers. This page looks on: it enqueues, waits for
// outcomes and sees every execution, but runs nothing.

// Tabs load hundreds of modules, and a busy machine takes its time. Every wait ends with a signal.
vi.setConfig({ testTimeout: 40_000 })

class Tab extends OpenPage {
  readonly #number: number

  private constructor(name: string, number: number) {
    super(name)
    this.#number = number
  }

  static async open(options: TabOptions): Promise<Tab> {
    return new Tab(options.tab, await commands.openTab(addressOf(options)))
  }

  protected evaluate<T>(expression: string): Promise<T> {
    return commands.evalTab(this.#number, expression)
  }

  reload = () => commands.reloadTab(this.#number)
  freeze = () => commands.freezeTab(this.#number)
  thaw = () => commands.thawTab(this.#number)
  crash = () => commands.crashTab(this.#number)

  protected end(): Promise<void> {
    return commands.closeTab(this.#number)
  }
}

test('a reload of the host goes on where it was, and charges nothing, four times in a row', async () => {
  const scene = new Scene(Tab.open)
  const host = await scene.tab('host')
  const hold = await scene.hold(0)
  const batch = await scene.work(1_200, 2)
  for (let i = 1; i <= 4; i++) {
    await scene.ran('hold', i)
    await scene.ranMore('work', 100, 1_200)
    await host.reload()
  }
  await scene.ran('hold', 5)
  expect(await hold.get()).toMatchObject({ state: 'running', attempt: 1, crashes: 0 })
  scene.witness.go()
  expect(await hold.result()).toMatchObject({ square: 0 })
  await scene.expectAll(batch, 1_200)
  expect(scene.claimedWith(1).size).toBe(0)
  expect(await hold.get()).toMatchObject({ attempt: 1 })
  expect(scene.witness.runsOf('hold')).toHaveLength(5)
  expect(await scene.queue.counts()).toMatchObject({ completed: 1_201, running: 0, available: 0, scheduled: 0 })
})

test.for([
  { forgetful: false, noted: 'noted that it left' },
  { forgetful: true, noted: 'could only say so' },
])(
  'a standby takes over from a host that is closed and $noted, and charges nothing',
  async ({ forgetful }, { annotate }) => {
    const scene = new Scene(Tab.open)
    const ms = await scene.takeOver({ leave: (host) => host.close(), crashes: 0, host: { forgetful } })
    await annotate(`closed host, until the standby's first task began: ${Math.round(ms)} ms`, 'measured')
  },
)

test('a standby takes over from a host that crashes; what that held counts one crash', async ({ annotate, skip }) => {
  skip(server.browser === 'webkit', 'its WebDriver ends the session when a page crashes')
  const scene = new Scene(Tab.open)
  const ms = await scene.takeOver({ leave: (host) => host.crash(), crashes: 1 })
  await annotate(`crashed host, until the standby's first task began: ${Math.round(ms)} ms`, 'measured')
  const held = scene.claimedWith(1)
  const again = [...scene.witness.histories()].filter(([, history]) => history.length > 1).map(([place]) => place)
  expect(again.filter((place) => !held.has(place))).toEqual([])
  expect(held.size).toBeLessThan(200)
})

test('of three tabs one starts Web Workers', async () => {
  const scene = new Scene(Tab.open)
  const tabs = [await scene.tab('a'), await scene.tab('b'), await scene.tab('c')]
  await scene.expectAll(await scene.work(500, 1), 500)
  const states = await Promise.all(tabs.map((tab) => tab.state()))
  expect(states.map(({ role }) => role)).toEqual(['host', 'standby', 'standby'])
  expect(states.map(({ spawned }) => spawned)).toEqual([2, 0, 0])
  expect(new Set(scene.witness.runs.map(({ tab }) => tab))).toEqual(new Set(['a']))
})

test('a standby steals from a frozen host, whose late outcomes count for nothing', async ({ annotate }) => {
  const scene = new Scene(Tab.open)
  const host = await scene.tab('host')
  const standby = await scene.tab('standby')
  const answered = scene.hint(({ type }) => type === 'pong')
  const batch = await scene.work(500, 2)
  await answered
  await scene.ran('work', 100)
  // Both Web Workers hold, and all that ran before is recorded: the host does not freeze in the middle of a transaction,
  // which nobody could get past for 60 s.
  const [hold, other] = [await scene.hold(0), await scene.hold(1)]
  await scene.ran('hold', 2)
  await scene.recorded('work')
  const at = performance.now()
  await host.freeze()
  const ms = await scene.firstRunIn(standby, at)
  await annotate(`frozen host, until the standby's first task began: ${Math.round(ms)} ms`, 'measured')
  expect(ms).toBeGreaterThan(5_000)
  await scene.ran('hold', 4)
  // Both tabs run them now, and the old host's outcomes come first.
  scene.witness.go('host')
  await host.thaw()
  await expect.poll(() => host.role(), patience).toBe('standby')
  expect((await host.state()).workers).toEqual([])
  expect(await hold.get()).toMatchObject({ state: 'running', attempt: 1 })
  scene.witness.go()
  expect([await hold.result(), await other.result()]).toMatchObject([{ tab: 'standby' }, { tab: 'standby' }])
  await scene.expectAll(batch, 500)
  const results = await batch.collect()
  const lastClaims = [...scene.witness.histories().values()].map((history) => history.at(-1))
  const by = (tab: string) => lastClaims.filter((claim) => claim?.name === 'work' && claim.tab === tab).length
  expect(results.filter((r) => r.status === 'completed' && r.value.tab === 'standby')).toHaveLength(by('standby'))
  expect(await standby.role()).toBe('host')
  // It is as good a standby as any.
  await standby.close()
  await expect.poll(() => host.role(), patience).toBe('host')
})

test("a newer tab gets the role for tasks that the host can't run", async ({ annotate }) => {
  const scene = new Scene(Tab.open)
  const at = performance.now()
  const old = await scene.tab('old', { handlers: 'old' })
  const batch = await scene.work(300, 1)
  const fresh = await scene.queue.enqueueMany('fresh', items(300))
  await batch.collect()
  await expect.poll(() => scene.queue.counts(), patience).toMatchObject({ completed: 300, blocked: 300 })
  const newer = await scene.tab('newer')
  expect(await newer.role()).toBe('standby')
  const ms = await scene.firstRunIn(newer, at)
  await annotate(
    `hand-over, from the opening of the old tab until the newer one's first task began: ${Math.round(ms)} ms`,
    'measured',
  )
  expect(ms).toBeGreaterThan(10_000)
  const results = await fresh.collect()
  expect(results.map((r) => r.status === 'completed' && r.value)).toEqual(
    items(300).map(({ index }) => `fresh ${index}`),
  )
  expect([await old.role(), await newer.role()]).toEqual(['standby', 'host'])
  expect(scene.witness.runsOf('fresh').filter(({ tab }) => tab !== 'newer')).toEqual([])
  // The new host has the old handlers too.
  const more = await scene.queue.enqueueMany('check', items(100))
  expect((await more.collect()).every(({ status }) => status === 'completed')).toBe(true)
  expect(scene.claimedWith(1).size).toBe(0)
  await scene.expectAll(batch, 300)
})

test('a Web Worker that is killed charges what it ran, and nothing else', async () => {
  const scene = new Scene(Tab.open)
  const host = await scene.tab('host')
  const batch = await scene.work(1_000, 2)
  await scene.ran('work', 300)
  // By now each Web Worker has several in line: there are bystanders.
  const hold = await scene.hold(0)
  const culprit = await scene.workerOf(host, hold.id)
  await host.call('kill', culprit)
  await scene.ran('hold', 2)
  const again = await scene.workerOf(host, hold.id)
  expect(again).not.toBe(culprit)
  expect(await hold.get()).toMatchObject({ state: 'running', attempt: 1, crashes: 1 })
  scene.witness.go()
  expect(await hold.result()).toMatchObject({ square: 0 })
  await scene.expectAll(batch, 1_000)
  expect([...scene.claimedWith(1)]).toEqual([scene.witness.runsOf('hold')[0]?.place])
  expect(scene.witness.runsOf('work')).toHaveLength(1_000)
  expect((await host.state()).workers).toHaveLength(2)
})

test('a handler that spins past its timeout loses its Web Worker; the others are unharmed', async () => {
  const scene = new Scene(Tab.open)
  const host = await scene.tab('host')
  const retry = { attempts: 2, delay: 10 }
  const spins = await scene.queue.enqueue('spin', { index: 0 }, { timeout: 300, retry, priority: -1 })
  const final = await scene.queue.enqueue('spin', { index: 1 }, { timeout: 300, retry: { attempts: 1 }, priority: -1 })
  const batch = await scene.work(1_000, 1)
  expect(await scene.queue.getResult(final.id)).toMatchObject({
    status: 'failed',
    attempts: 1,
    error: { code: 'timeout' },
  })
  expect(await scene.queue.getResult(spins.id)).toMatchObject({ status: 'completed', value: 2, attempts: 2 })
  await scene.expectAll(batch, 1_000)
  expect(scene.witness.runsOf('work')).toHaveLength(1_000)
  expect(
    scene.witness
      .runsOf('spin')
      .map(({ index, attempt }) => [index, attempt])
      .sort(),
  ).toEqual([
    [0, 1],
    [0, 2],
    [1, 1],
  ])
  expect(scene.claimedWith(1).size).toBe(0)
  const { workers, spawned } = await host.state()
  expect(workers.filter(({ worker }) => worker <= 2)).toEqual([])
  expect(spawned).toBe(4)
})

test('a running task is cancelled from another tab', async () => {
  const scene = new Scene(Tab.open)
  const host = await scene.tab('host')
  const hold = await scene.hold(7)
  const batch = await scene.work(500, 2)
  await scene.ran('hold', 1)
  const worker = await scene.workerOf(host, hold.id)
  expect(await hold.cancel({ reason: 'not wanted' })).toBe(true)
  expect(await scene.queue.getResult(hold.id)).toMatchObject({ status: 'cancelled', reason: 'not wanted' })
  await scene.witness.until('its signal aborts', () => scene.witness.aborted.some(({ index }) => index === 7))
  expect(await hold.cancel()).toBe(false)
  await scene.expectAll(batch, 500)
  expect(scene.witness.runsOf('hold')).toHaveLength(1)
  // It listened: its Web Worker lives on.
  expect((await host.state()).workers.map((view) => view.worker)).toContain(worker)
  expect(await scene.queue.counts()).toMatchObject({ completed: 500, cancelled: 1, running: 0, available: 0 })
})

test('a pipeline interrupted by reloads ends as if nothing had happened', async () => {
  const scene = new Scene(Tab.open)
  const { witness } = scene
  const host = await scene.tab('host')
  const total = 600
  const kept = items(total).filter(({ index }) => index % 3 !== 0)
  const isOver = () => witness.counts('finish').size === kept.length
  const flow = pipeline<Handlers>('flow').map('check').filter('fits').map('finish')
  const run = await flow.run(scene.queue, items(total, 2), { id: 'flow' })
  const moments = Array.from({ length: 4 }, () => 1 + Math.floor(Math.random() * 100))
  console.info(`pipeline: reloads after ${moments.join(', ')} more executions`)
  for (const moment of moments) {
    const from = witness.runs.length
    await witness.until(`${moment} more executions`, () => witness.runs.length >= from + moment || isOver())
    await host.reload()
  }
  const results = await run.collect()
  expect(results.map((r) => [r.index, r.status === 'completed' && r.value])).toEqual(
    kept.map(({ index }) => [index, `item ${index}`]),
  )
  expect(await run.progress()).toMatchObject({
    total,
    done: total,
    completed: kept.length,
    dropped: total - kept.length,
    failed: 0,
  })
  const counts = await scene.queue.counts()
  // A task for each item at the first stage, and one for each that was kept: no continuation is lost or made twice.
  expect(counts).toMatchObject({ completed: total + kept.length, failed: 0, available: 0, running: 0, scheduled: 0 })
  expect(scene.claimedWith(1).size).toBe(0)
  await witness.until('each item was run', isOver)
  expect(new Set(witness.counts('finish').keys())).toEqual(new Set(kept.map(({ index }) => index)))
  scene.expectFair()
})

test('enqueueMany with an id, interrupted by a reload and called again, stores each input once', async () => {
  const scene = new Scene(Tab.open)
  const [host, importer] = [await scene.tab('host'), await scene.tab('importer', { handlers: 'none' })]
  const what = { id: 'work', total: 1_500, chunkSize: 100 }
  const stored = async () => (await (await scene.queue.batch('work'))?.progress())?.total ?? 0
  // In the middle of whatever it does …
  const running = importer.call('store', { ...what, gate: 750 }).catch(() => 'interrupted')
  await expect.poll(stored, { interval: 1, ...patience }).toBeGreaterThan(0)
  await importer.reload()
  await running
  // … and while it waits for an input, in the middle of a chunk.
  const gate = 1_250
  const waiting = importer.call('store', { ...what, gate }).catch(() => 'interrupted')
  await expect.poll(stored, patience).toBeGreaterThanOrEqual(gate - 50)
  await importer.reload()
  expect(await waiting).toBe('interrupted')
  expect(await importer.call('store', what)).toMatchObject({ total: 1_500, open: false })
  const batch = await scene.queue.batch<'work'>('work')
  if (!batch) throw new Error('There is no batch.')
  await scene.expectAll(batch, 1_500)
  expect(await scene.queue.counts()).toMatchObject({ completed: 1_500 })
  expect(await host.role()).toBe('host')
  // Again, now that it has ended: nothing is stored.
  expect(await importer.call('store', what)).toMatchObject({ total: 1_500, done: 1_500, open: false })
  expect(scene.witness.runsOf('work')).toHaveLength(1_500)
})

test.each([
  { deaf: 'nobody', host: {}, reader: {} },
  { deaf: 'the reader', host: {}, reader: { deaf: true } },
  { deaf: 'the host', host: { deaf: true }, reader: {} },
])('results reach a tab while another runs the tasks; deaf: $deaf', async (options) => {
  const scene = new Scene(Tab.open)
  const reader = await scene.tab('reader', { handlers: 'none', ...options.reader })
  const batch = await scene.work(1_000, 1)
  const reading = Promise.all([
    reader.call('results', 'work', 'ended'),
    reader.call('results', 'work', 'input'),
    reader.call('collect', 'work'),
  ])
  // A deaf one would not hear of tasks that are stored later, and find them 5 s later.
  await scene.tab('host', options.host)
  const [ended, ordered, all] = await reading
  const indices = items(1_000).map(({ index }) => index)
  expect(ended.sort((a, b) => a - b)).toEqual(indices)
  expect(ordered).toEqual(indices)
  expect(all).toEqual(indices.map((index) => index ** 2))
  await scene.expectAll(batch, 1_000)
  expect(scene.witness.runsOf('work')).toHaveLength(1_000)
})
