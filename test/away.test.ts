import { describe, expect, onTestFinished, test } from 'vitest'
import type { Locks } from '../src/backend.js'
import type { HostId } from '../src/task.js'
import { ManualClock } from './support/clock.js'
import { type Tab, World, type WorldOptions } from './support/world.js'

// Hosts that are away, for a while or for good: what they do first when they are back, and what others do meanwhile. The same
// in a real browser: thaw.node.test.ts, insecure.node.test.ts.

/** A frozen page's view of a lock: it hears of a theft after whatever else it does when it wakes. */
function drowsy(locks: Locks): { locks: Locks; hear(): void } {
  let hear = () => {}
  const awake = new Promise<void>((resolve) => {
    hear = resolve
  })
  const hold: Locks['hold'] = (options, held) =>
    locks.hold(options, (lost) => {
      const late = new AbortController()
      lost.addEventListener('abort', () => void awake.then(() => late.abort()))
      return held(late.signal)
    })
  return { locks: { hold }, hear }
}

/** A host with time of its own that runs a task, and another page, beside it or after it. */
async function scene(options: WorldOptions) {
  const w = new World(options)
  onTestFinished(() => w.end())
  const clock = new ManualClock()
  const { locks, hear } = w.locks ? drowsy(w.locks) : { locks: undefined, hear: () => {} }
  const [host, other] = [w.tab({ slots: 1 }, { clock, locks }), w.tab({ slots: 1 })]
  await host.worker.start()
  const [id = ''] = await w.add([{ do: 'hang' }])
  await clock.advance(10)
  await other.worker.start()
  // It answers, or shows its lease, for a while.
  for (let i = 0; i < 20; i++) await Promise.all([clock.advance(1_000), w.clock.advance(1_000)])
  const view = async () => (await w.backend.get([id]))[0]
  expect(await view()).toMatchObject({ state: 'running', crashes: 0 })
  expect(other.executor.began).toEqual([])
  return { w, host, other, id, view, hear }
}

const idOf = ({ backend }: Tab): HostId => backend.exchanges.at(-1)?.host ?? ''

describe('a host that wakes after another took its place', () => {
  test.each([
    { kind: 'its lock was stolen, and it has not heard of that', locks: true },
    { kind: 'no locks, and the lease of the other looks run out by now', locks: false },
  ])('takes nothing from that one, though its look after the dead is overdue: $kind', async ({ locks }) => {
    const { w, host, other, view, hear } = await scene({ locks })
    host.backend.deaf = true
    await w.clock.advance(60_000)
    expect(other.worker.role).toBe('host')
    expect(await view()).toMatchObject({ state: 'running', crashes: 1 })
    host.backend.deaf = false
    const looks = host.backend.recoveries.length
    await host.clock.freeze(200_000)
    // It looked, and that ended it.
    expect(host.backend.recoveries).toHaveLength(looks + 1)
    expect(host.executor.isOpen).toBe(false)
    expect(await view()).toMatchObject({ state: 'running', crashes: 1 })
    expect(other.executor.began).toHaveLength(1)
    hear()
    await w.clock.advance(0)
    expect(other.worker.role).toBe('host')
  })
})

describe('a host that leaves, without locks', () => {
  test('its tasks go on at once where others hear of it, charged nothing', async () => {
    const { w, host, other, id, view } = await scene({ locks: false })
    host.backend.deaf = true
    w.departures.leave(idOf(host))
    w.channel.post({ type: 'left', host: idOf(host) })
    await w.clock.advance(10)
    expect(other.executor.began.map((run) => run.id)).toEqual([id])
    expect(await view()).toMatchObject({ state: 'running', attempt: 1, crashes: 0 })
    expect(w.departures.left()).toEqual([])
  })

  test('its tasks go on at the next look where nobody heard, long before its lease has run out', async () => {
    const { w, host, other, id, view } = await scene({ locks: false })
    host.backend.deaf = true
    w.departures.leave(idOf(host))
    await w.clock.advance(10_000)
    expect(other.executor.began.map((run) => run.id)).toEqual([id])
    expect(await view()).toMatchObject({ state: 'running', attempt: 1, crashes: 0 })
  })

  test('to say so for another does not take from those that live', async () => {
    const { w, other, view } = await scene({ locks: false })
    w.departures.leave('another')
    w.channel.post({ type: 'left', host: 'another' })
    await w.clock.advance(10_000)
    expect(other.executor.began).toEqual([])
    expect(await view()).toMatchObject({ state: 'running', crashes: 0 })
  })
})
