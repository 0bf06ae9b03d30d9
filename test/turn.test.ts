import { afterEach, describe, expect, it, vi } from 'vitest'
import { nextTurn } from '../src/turn.js'

/** How many turns it takes until a timer of 0 ms has fired; as many as are allowed if it never does. */
async function turnsUntilTimer(most = 100_000): Promise<number> {
  let fired = false
  setTimeout(() => {
    fired = true
  }, 0)
  let turns = 0
  while (!fired && turns < most) {
    await nextTurn()
    turns++
  }
  return turns
}

describe('a turn', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('lets timers fire, however many follow each other', async () => {
    expect(await turnsUntilTimer()).toBeLessThan(100_000)
  })

  it('lets them fire before it goes on, while there is work in each', async () => {
    let fired = 0
    const timer = setInterval(() => fired++, 0)
    for (let i = 0; i < 10; i++) {
      const until = performance.now() + 10
      while (performance.now() < until);
      await nextTurn()
    }
    clearInterval(timer)
    expect(fired).toBeGreaterThanOrEqual(5)
  })

  it('does so where there are no messages', async () => {
    vi.stubGlobal('setImmediate', undefined)
    vi.stubGlobal('MessageChannel', undefined)
    expect(await turnsUntilTimer()).toBeLessThan(100)
  })

  it('does so where messages are microtasks, as in workerd', async () => {
    vi.stubGlobal('setImmediate', undefined)
    vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' })
    vi.stubGlobal(
      'MessageChannel',
      class {
        port1 = { onmessage: () => {}, close() {} }
        port2 = { postMessage: () => queueMicrotask(() => this.port1.onmessage()) }
      },
    )
    expect(await turnsUntilTimer()).toBeLessThan(100)
  })
})
