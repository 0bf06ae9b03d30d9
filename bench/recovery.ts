/**
 * How long it takes from a death until the task that was held runs again, in real Chromium with its profile on the disk. The
 * clock starts with the kill (the browser: with the page's `start()` after it) and stops where the handler begins. Both are
 * read from the system's clock, in different processes: good for about a millisecond.
 */

import { parseId } from '../src/task.js'
import { percentiles } from '../test/chaos/percentiles.js'
import { type Living, Scene } from '../test/chaos/scene.js'
import { openSite, type Site } from '../test/chaos/site.js'
import { placeOf } from '../test/support/pages/witness.js'

const ROUNDS = Number(process.env.ROUNDS ?? 25)
const FROZEN_ROUNDS = Number(process.env.FROZEN_ROUNDS ?? 6)
/** Longer than any recovery, in ms. */
const LONG = 60_000
/** How long the task that is held takes, in ms: longer than the kill needs. */
const HELD = 400
/** Of the spinning handler, in ms. */
const SPIN = 300
/** From its timeout to the end of its Web Worker, in ms. */
const GRACE = 1_000

const now = () => performance.timeOrigin + performance.now()

type Measure = (site: Site, say: (name: string, ms: number) => void) => Promise<void>

/** What to measure, and what it should be: ms. */
const measures: Record<string, { targets: Record<string, number>; measure: Measure }> = {
  worker: {
    targets: {
      'Web Worker, uncaught error': 200,
      'Web Worker, self.close()': 200,
      'Web Worker, terminate()': 200,
      'Web Worker, killed by the library': 200,
    },
    measure: inOneTab(async (scene, host, round, say) => {
      const names = ['uncaught error', 'self.close()', 'terminate()', 'killed by the library'] as const
      const name = names[round % names.length]
      const key = await hold(scene, host, round)
      const run = scene.books.runs.find((one) => one.key === key)
      const at = now()
      if (name === 'killed by the library') await scene.call(host, 'kill', run?.id ?? '')
      else {
        const how = name === 'uncaught error' ? 'break' : name === 'self.close()' ? 'close' : 'terminate'
        await scene.call(host, 'endWorkerNumber', run?.worker ?? 0, how)
      }
      say(`Web Worker, ${name}`, (await again(scene, key)) - at)
      await recorded(scene, key)
    }, 4),
  },
  // The other 100 ms, as measured on two busy cores: 1–30 until the timers have fired, 20–65 for the new Web Worker's thread and
  // script, 2–40 for its handshake, 1–20 for the run. It is spawned in the turn that terminates the old one, and not before:
  // a pool has as many Web Workers as it was told at most.
  spin: {
    targets: { 'spinning handler, recorded': SPIN + GRACE + 100, 'spinning handler, replaced': SPIN + GRACE + 100 },
    measure: inOneTab(
      async (scene, host, round, say) => {
        const key = `spin-${round}`
        const options = { timeout: SPIN, retry: { attempts: 2, delay: 1, factor: 1, jitter: 1 } }
        await scene.call(host, 'single', { name: 'spin', item: { key, bad: 1 }, options })
        await scene.books.until(() => scene.books.runs.some((run) => run.key === key), LONG)
        const first = scene.books.runs.find((run) => run.key === key)
        if (!first) throw new Error(`${key} does not run.`)
        const place = placeOf(parseId(first.id))
        const recording = () => scene.books.exchanges.find(({ settled }) => settled.some((one) => one.place === place))
        await scene.books.until(() => recording() !== undefined, LONG)
        say('spinning handler, recorded', (recording()?.heardAt ?? Number.NaN) - first.at)
        say('spinning handler, replaced', (await again(scene, key)) - first.at)
        await recorded(scene, key)
      },
      1,
      1,
    ),
  },
  tab: {
    targets: { 'host tab closed': 500, 'host tab crashed': 500, 'host tab reloaded': 500 },
    measure: inTwoTabs(
      async (scene, host, round, say) => {
        const names = ['closed', 'crashed', 'reloaded'] as const
        const name = names[round % names.length] ?? 'closed'
        const key = await hold(scene, host, round)
        const at = now()
        const act = { closed: scene.close, crashed: scene.crash, reloaded: scene.reload }[name].call(scene, host)
        say(`host tab ${name}`, (await again(scene, key)) - at)
        await act
        await recorded(scene, key)
      },
      () => ROUNDS * 3,
    ),
  },
  frozen: {
    targets: { 'host tab frozen': 12_000 },
    measure: inTwoTabs(
      async (scene, host, round, say) => {
        const key = await hold(scene, host, round, 3_000)
        // A standby that never heard the host waits for its lease instead; it asks every second.
        await new Promise((resolve) => setTimeout(resolve, 1_500))
        await scene.call(host, 'rest')
        const at = now()
        await scene.freeze(host)
        say('host tab frozen', (await again(scene, key)) - at)
        await recorded(scene, key)
        await scene.thaw(host)
        await scene.close(host)
      },
      () => FROZEN_ROUNDS,
    ),
  },
  browser: {
    targets: { 'browser killed, from start()': 500 },
    measure: async (site, say) => {
      const scene = new Scene(site, 'recovery')
      try {
        await scene.start()
        for (let round = 0; round < ROUNDS; round++) {
          const host = await scene.openWorker()
          const key = await hold(scene, host, round)
          await scene.kill()
          await scene.start()
          const next = await scene.open()
          const { from } = await scene.call(next, 'start')
          next.started = true
          say('browser killed, from start()', (await again(scene, key)) - from)
          await recorded(scene, key)
          await scene.close(next)
        }
      } finally {
        await scene.end()
      }
    },
  },
}

/** Rounds in one tab that stays, for each of so many variants. */
function inOneTab(
  one: (scene: Scene, host: Living, round: number, say: (name: string, ms: number) => void) => Promise<void>,
  variants: number,
  size = 2,
): Measure {
  return async (site, say) => {
    const scene = new Scene(site, 'recovery', { size })
    try {
      await scene.start()
      const host = await scene.openWorker()
      for (let round = 0; round < ROUNDS * variants; round++) await one(scene, host, round, say)
    } finally {
      await scene.end()
    }
  }
}

/** Rounds with a host and a standby. */
function inTwoTabs(
  one: (scene: Scene, host: Living, round: number, say: (name: string, ms: number) => void) => Promise<void>,
  rounds: () => number,
): Measure {
  return async (site, say) => {
    const scene = new Scene(site, 'recovery')
    try {
      await scene.start()
      for (let round = 0; round < rounds(); round++) {
        while (scene.tabs.size < 2) await scene.openWorker()
        await scene.books.until(() => scene.host !== undefined, LONG)
        if (scene.host) await one(scene, scene.host, round, say)
      }
    } finally {
      await scene.end()
    }
  }
}

/** A task that waits in the host, after its Web Workers have done something else. Resolves with its key once it runs. */
async function hold(scene: Scene, host: Living, round: number, ms = HELD): Promise<string> {
  for (const i of [1, 2]) await scene.call(host, 'single', { name: 'work', item: { key: `warm-${round}.${i}`, ms: 5 } })
  const key = `hold-${round}`
  await scene.call(host, 'single', { name: 'wait', item: { key, ms } })
  await scene.books.until(() => scene.books.runs.some((run) => run.key === key), LONG)
  return key
}

/** Resolves once it is recorded: what is left over would be in the way of the next round. */
async function recorded(scene: Scene, key: string): Promise<void> {
  const place = placeOf(parseId(scene.books.runs.find((run) => run.key === key)?.id ?? ''))
  const ended = () =>
    scene.books.exchanges.some(({ settled }) => settled.some((one) => one.place === place && one.to === 'completed'))
  await scene.books.until(ended, LONG)
}

/** When the task ran for the second time. */
async function again(scene: Scene, key: string): Promise<number> {
  const second = () => scene.books.runs.filter((run) => run.key === key)[1]
  await scene.books.until(() => second() !== undefined, LONG)
  const { at } = second() ?? {}
  if (at === undefined) throw new Error(`${key} does not run again.`)
  return at
}

export async function main(asked: string[]): Promise<void> {
  const site = await openSite()
  try {
    for (const [name, { targets, measure }] of Object.entries(measures)) {
      if (asked.length > 0 && !asked.includes(name)) continue
      const times = new Map<string, number[]>()
      await measure(site, (what, ms) => times.set(what, [...(times.get(what) ?? []), ms]))
      for (const [what, target] of Object.entries(targets)) {
        const all = times.get(what) ?? []
        console.log(`${what.padEnd(34)} ${percentiles(all)}, ${all.length} rounds, target ${target} ms`)
      }
    }
  } finally {
    await site.close()
  }
}
