import { describe, expect, it } from 'vitest'
import { Deadlines } from '../src/execute/deadlines.js'
import { Throttle } from '../src/execute/throttle.js'
import { ManualClock, settle } from './support/clock.js'

describe('Deadlines', () => {
  it('fire in time, once, unless called off', async () => {
    const clock = new ManualClock()
    const deadlines = new Deadlines(clock)
    const fired: string[] = []
    deadlines.in(20, () => fired.push('b'))
    deadlines.in(10, () => fired.push('a'))
    const callOff = deadlines.in(15, () => fired.push('never'))
    callOff()
    callOff()
    await clock.advance(100)
    deadlines.sweep()
    expect(fired).toEqual(['a', 'b'])
    expect(clock.timers).toBe(0)
  })

  it('hear what arrived during a pause of the thread before they fire', async () => {
    const clock = new ManualClock()
    const deadlines = new Deadlines(clock)
    const fired: string[] = []
    const callOff = deadlines.in(10, () => fired.push('timeout'))
    // The message that it ended was there all the time; the timer only comes first.
    const channel = new MessageChannel()
    channel.port1.onmessage = () => {
      callOff()
      channel.port1.close()
    }
    channel.port2.postMessage('ended')
    await clock.freeze(5_000)
    await settle()
    expect(fired).toEqual([])
  })

  it('can be told the time where timers are held back', () => {
    const clock = new ManualClock()
    const deadlines = new Deadlines(clock)
    let fired = 0
    deadlines.in(1_000, () => fired++)
    deadlines.sweep()
    expect(fired).toBe(0)
    clock.freeze(60_000)
    deadlines.sweep()
    deadlines.sweep()
    expect(fired).toBe(1)
  })

  it('leave nothing behind', () => {
    const clock = new ManualClock()
    const deadlines = new Deadlines(clock)
    deadlines.in(1, () => {})
    deadlines.in(2, () => {})
    deadlines.clear()
    expect(clock.timers).toBe(0)
  })
})

describe('Throttle', () => {
  it('acts at once, then once per interval, and once more after the last request', async () => {
    const clock = new ManualClock()
    const times: number[] = []
    const throttle = new Throttle(clock, 100, () => times.push(clock.monotonic()))
    for (let i = 0; i < 25; i++) {
      throttle.request()
      await clock.advance(10)
    }
    await clock.advance(1_000)
    expect(times).toEqual([0, 100, 200, 300])
    throttle.request()
    throttle.stop()
    expect(clock.timers).toBe(0)
  })
})
