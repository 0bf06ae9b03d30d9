import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Kind, kinds, perform } from './chaos/kills.js'
import { Scene } from './chaos/scene.js'
import { play } from './chaos/seed.js'
import { openSite, type Site } from './chaos/site.js'

// A short part of `npm run test:chaos`: kills in real Chromium, judged by what was reported to this process.

let site: Site

beforeAll(async () => {
  site = await openSite()
}, 60_000)
afterAll(() => site?.close())

/** Taking over from a frozen host takes 10 s and more: test/tabs.browser.test.ts does that. */
const quick: readonly Kind[] = kinds.filter((kind) => kind !== 'freeze till stolen')

test.each([1, 2, 3])(
  'nothing is lost, doubled or miscounted, whatever dies: seed %i',
  { timeout: 120_000 },
  async (seed) => {
    const played = await play(site, { seed, kills: 10, tasks: 1_000, among: quick })
    const { faults, lost, doubled, deaths, diary } = played
    // Everything that led to it, should it fail: npm run test:chaos -- --seed N --kills 10 --tasks 1000
    expect({ faults, lost, doubled }, diary.lines.join('\n')).toEqual({ faults: [], lost: 0, doubled: 0 })
    expect(deaths).toHaveLength(10)
    expect(played.tasks).toBeGreaterThan(900)
  },
)

test('nor is anything without a secure context, where all tabs are hosts and leases decide', {
  timeout: 120_000,
}, async () => {
  const played = await play(site, { seed: 4, kills: 10, tasks: 1_000, secure: false })
  const { faults, lost, doubled, deaths, diary } = played
  expect({ faults, lost, doubled }, diary.lines.join('\n')).toEqual({ faults: [], lost: 0, doubled: 0 })
  expect(deaths).toHaveLength(10)
  expect(played.tasks).toBeGreaterThan(900)
})

test('where there is no Web Worker to kill a tab is closed, and counted as that', { timeout: 60_000 }, async () => {
  const scene = new Scene(site, 'nobody')
  try {
    await scene.start()
    const onlooker = await scene.open(0)
    onlooker.started = true
    const kill = { kind: 'web worker', how: 'terminate', target: 'host', which: 0 } as const
    expect(await perform(kill, scene)).toMatchObject({ kind: 'close', life: scene.lifeOf(onlooker) })
    expect(scene.tabs.size).toBe(0)
    await expect(perform(kill, scene)).rejects.toThrow('nothing to kill')
  } finally {
    await scene.end()
  }
})
