import { describe, expect, it } from 'vitest'
import { InvalidOptionError, PerformanceMonitor } from '../src/index.js'

const nothing = { p50: 0, p95: 0 }

describe('PerformanceMonitor', () => {
  it('reports zeros when nothing was recorded', () => {
    expect(new PerformanceMonitor().report()).toEqual({
      batchesProcessed: 0,
      totalTasks: 0,
      totalTimeSeconds: 0,
      tasksPerSecond: 0,
      averageBatchTimeSeconds: 0,
      errorRatePercent: 0,
      waiting: nothing,
      running: nothing,
    })
  })

  it('adds up three jobs', () => {
    const monitor = new PerformanceMonitor()
    monitor.record({ tasks: 20, ms: 123.4 })
    monitor.record({ tasks: 15, ms: 67.8, errors: 0 })
    monitor.record({ tasks: 100, ms: 1_000, errors: 2 })
    expect(monitor.report()).toEqual({
      batchesProcessed: 3,
      totalTasks: 135,
      totalTimeSeconds: 1.19,
      tasksPerSecond: 113.33,
      averageBatchTimeSeconds: 0.4,
      errorRatePercent: 1.48,
      waiting: nothing,
      running: nothing,
    })
  })

  it('takes work that took no time', () => {
    const monitor = new PerformanceMonitor()
    monitor.record({ tasks: 0, ms: 0 })
    monitor.record({ tasks: 5, ms: 0 })
    expect(monitor.report()).toMatchObject({
      batchesProcessed: 2,
      totalTasks: 5,
      tasksPerSecond: 0,
      errorRatePercent: 0,
    })
  })

  it.each([
    ['tasks', { tasks: -1, ms: 5 }],
    ['tasks', { tasks: 1.5, ms: 5 }],
    ['ms', { tasks: 1, ms: Number.NaN }],
    ['ms', { tasks: 1, ms: Number.POSITIVE_INFINITY }],
    ['errors', { tasks: 1, ms: 5, errors: 2 }],
  ])('refuses %s that cannot be', (option, measurement) => {
    const monitor = new PerformanceMonitor()
    expect(() => monitor.record(measurement)).toThrow(expect.objectContaining({ option, name: 'InvalidOptionError' }))
    expect(monitor.report().batchesProcessed).toBe(0)
    expect(InvalidOptionError).toBeDefined()
  })

  it('tells how long tasks waited and ran', () => {
    const monitor = new PerformanceMonitor()
    for (let i = 1; i <= 100; i++) monitor.observe({ enqueuedAt: 0, startedAt: i, finishedAt: i + 2 * i })
    monitor.observe({ enqueuedAt: 0, finishedAt: 1_000_000 }) // cancelled before it started
    monitor.observe({ enqueuedAt: 100, startedAt: 50, finishedAt: 40 }) // the clock went back
    expect(monitor.report().waiting).toEqual({ p50: 50, p95: 95 })
    expect(monitor.report().running).toEqual({ p50: 100, p95: 190 })
  })

  it('stays small and fair for any number of results', () => {
    let seed = 1
    const random = () => {
      seed = (seed * 16_807) % 2_147_483_647
      return seed / 2_147_483_647
    }
    const monitor = new PerformanceMonitor({ random })
    for (let i = 0; i < 50_000; i++) monitor.observe({ enqueuedAt: 0, startedAt: i, finishedAt: i })
    const { waiting } = monitor.report()
    expect(Math.abs(waiting.p50 - 25_000)).toBeLessThan(2_500)
    expect(Math.abs(waiting.p95 - 47_500)).toBeLessThan(1_000)
  })
})
