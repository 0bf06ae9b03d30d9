import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Departures, Locks } from '../src/backend.js'
import { pageDepartures } from '../src/indexeddb/departures.js'
import { messagesHeard } from '../src/indexeddb/echo.js'
import { webLocks } from '../src/indexeddb/locks.js'
import { OriginMark } from '../src/indexeddb/marks.js'
import { memoryDepartures, memoryLocks } from '../src/memory/locks.js'

/** A promise that the test ends when it likes. */
function latch() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

/** Takes the lock and keeps it until `release`; `got` resolves with the signal of its loss. */
function holding(locks: Locks, options: Parameters<Locks['hold']>[0] = {}) {
  const { open: release, opened } = latch()
  let give = (_: AbortSignal) => {}
  const got = new Promise<AbortSignal>((resolve) => {
    give = resolve
  })
  const ended = locks.hold(options, (lost) => {
    give(lost)
    return opened
  })
  return { got, release, ended }
}

/** One on a lock of its own name; undefined where there are no Web Locks, as in Node. */
const web = () => webLocks(crypto.randomUUID())
const kinds: { name: string; make: () => Locks | undefined }[] = [{ name: 'memory', make: memoryLocks }]
if (web()) kinds.push({ name: 'web', make: web })

describe.each(kinds)('locks: $name', ({ make }) => {
  const fresh = () => {
    const locks = make()
    if (!locks) throw new Error('There are no locks here any more.')
    return locks
  }

  it('gives the lock to one at a time, in the order they asked', async () => {
    const locks = fresh()
    const order: number[] = []
    let inside = 0
    const results = await Promise.all(
      [1, 2, 3, 4].map((n) =>
        locks.hold({}, async () => {
          expect(++inside).toBe(1)
          order.push(n)
          await new Promise((resolve) => setTimeout(resolve))
          inside--
        }),
      ),
    )
    expect(order).toEqual([1, 2, 3, 4])
    expect(results).toEqual([true, true, true, true])
  })

  it('with ifAvailable takes it if it is free, and else resolves to false without calling', async () => {
    const locks = fresh()
    const first = holding(locks, { ifAvailable: true })
    await first.got
    expect(await locks.hold({ ifAvailable: true }, () => Promise.reject(new Error('called')))).toBe(false)
    first.release()
    expect(await first.ended).toBe(true)
    expect(await locks.hold({ ifAvailable: true }, async () => {})).toBe(true)
  })

  it('is freed by who fails, and the failure is told', async () => {
    const locks = fresh()
    const failed = locks.hold({}, () => Promise.reject(new RangeError('a bug')))
    const next = holding(locks)
    await expect(failed).rejects.toThrow('a bug')
    await next.got
    next.release()
    await next.ended
    const aborted = locks.hold({}, () => Promise.reject(new DOMException('its own', 'AbortError')))
    await expect(aborted).rejects.toThrow('its own')
  })

  it('lets who waits give up, and nobody else', async () => {
    const locks = fresh()
    const first = holding(locks)
    await first.got
    const giveUp = new AbortController()
    const second = holding(locks, { signal: giveUp.signal })
    const third = holding(locks)
    giveUp.abort()
    expect(await second.ended).toBe(false)
    first.release()
    await third.got
    third.release()
    expect(await third.ended).toBe(true)
    expect(await locks.hold({ signal: AbortSignal.abort() }, async () => {})).toBe(false)
  })

  it('takes no notice of the signal once the lock is held', async () => {
    const locks = fresh()
    const control = new AbortController()
    const first = holding(locks, { signal: control.signal })
    const lost = await first.got
    control.abort()
    expect(await locks.hold({ ifAvailable: true }, async () => {})).toBe(false)
    expect(lost.aborted).toBe(false)
    first.release()
    expect(await first.ended).toBe(true)
  })

  it('can be stolen: the holder is told and goes on, the thief comes before those who wait', async () => {
    const locks = fresh()
    const first = holding(locks)
    const lost = await first.got
    const waiting = holding(locks)
    let early = true
    const waited = waiting.got.then((lost) => {
      expect(early).toBe(false)
      return lost
    })
    const thief = holding(locks, { steal: true })
    const stolen = await thief.got
    await expect.poll(() => lost.aborted).toBe(true)
    expect(stolen.aborted).toBe(false)

    // The end of the robbed one does not free the thief's lock.
    first.release()
    expect(await first.ended).toBe(true)
    expect(await locks.hold({ ifAvailable: true }, async () => {})).toBe(false)

    early = false
    thief.release()
    expect((await waited).aborted).toBe(false)
    waiting.release()
    expect(await Promise.all([thief.ended, waiting.ended])).toEqual([true, true])
  })

  it('tells what the robbed one failed with, not that it was robbed', async () => {
    const locks = fresh()
    const failing = locks.hold(
      {},
      (lost) => new Promise((_, reject) => lost.addEventListener('abort', () => reject(new RangeError('a bug')))),
    )
    const outcome = failing.catch((error: unknown) => error)
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(await locks.hold({ steal: true }, async () => {})).toBe(true)
    expect(await outcome).toBeInstanceOf(RangeError)
  })

  it('has never two holders, also when the lock changes hands', async () => {
    const locks = fresh()
    const first = holding(locks)
    await first.got
    const waiting = holding(locks)
    first.release()
    // Asks in every microtask around the hand-over.
    const others: Promise<boolean>[] = []
    for (let i = 0; i < 20; i++) {
      others.push(locks.hold({ ifAvailable: true }, async () => {}))
      await Promise.resolve()
    }
    const lost = await waiting.got
    expect(lost.aborted).toBe(false)
    expect(await Promise.all(others)).toEqual(others.map(() => false))
    waiting.release()
    await waiting.ended
  })
})

const places: { name: string; make: (name: string) => Departures }[] = [{ name: 'memory', make: memoryDepartures }]
if (typeof window !== 'undefined') places.push({ name: 'page', make: pageDepartures })

describe('messages', () => {
  it.runIf(typeof BroadcastChannel !== 'undefined')(
    'that were posted before are heard before the echo, and the echo comes soon',
    async () => {
      const name = `echo-${crypto.randomUUID()}`
      const [here, there] = [new BroadcastChannel(name), new BroadcastChannel(name)]
      onTestFinished(() => {
        for (const channel of [here, there]) channel.close()
      })
      const heard: unknown[] = []
      here.onmessage = ({ data }) => heard.push(data)
      for (let i = 0; i < 20; i++) {
        there.postMessage(i)
        await messagesHeard()
        expect(heard).toHaveLength(i + 1)
      }
    },
  )

  it('are not waited for where there are none', async () => {
    vi.stubGlobal('BroadcastChannel', undefined)
    onTestFinished(() => {
      vi.unstubAllGlobals()
    })
    await messagesHeard()
  })
})

describe.each(places)('departures: $name', ({ name: kind, make }) => {
  it('are known until they are forgotten', () => {
    const name = crypto.randomUUID()
    const departures = make(name)
    expect(departures.left()).toEqual([])
    departures.leave('a')
    departures.leave('b')
    expect(departures.left().sort()).toEqual(['a', 'b'])
    expect(make(`${name}:other`).left()).toEqual([])
    if (kind === 'page') expect(make(name).left().sort()).toEqual(['a', 'b'])
    departures.forget(['a', 'unknown'])
    expect(departures.left()).toEqual(['b'])
    departures.forget(['b'])
    if (kind === 'page') expect(Object.keys(localStorage).filter((key) => key.includes(name))).toEqual([])
  })

  it('are not mistaken for the marks of a database whose name begins like them', ({ skip }) => {
    skip(kind === 'memory', 'nothing is noted where others could read it')
    const name = crypto.randomUUID()
    const others = [`${name}:left`, `left:${name}`, `left:"${name}"`, `${name}":`].map((other) => new OriginMark(other))
    for (const mark of others) mark.set('origin')
    make(`${name}":b`).leave('c')
    expect(make(name).left()).toEqual([])
    make(`${name}":b`).forget(['c'])
    for (const mark of others) mark.forget()
  })

  it('cost a crash, no more, where nothing can be noted', ({ skip }) => {
    skip(kind === 'memory', 'nothing is noted that could be refused')
    const refuse = vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError')
    })
    onTestFinished(() => refuse.mockRestore())
    const departures = make(crypto.randomUUID())
    departures.leave('a')
    expect(departures.left()).toEqual([])
  })
})
