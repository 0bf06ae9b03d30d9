import { describe, expect, it } from 'vitest'
import { Line } from '../src/execute/line.js'
import { keys, runOf } from './support/recorder.js'

const any = () => 'take' as const

function lineOf(...names: string[]): Line {
  const line = new Line()
  for (const [key, name] of names.entries()) line.push(runOf(key, name))
  return line
}
const drain = (line: Line, judge: Parameters<Line['take']>[0] = any) => {
  const taken: number[] = []
  for (let run = line.take(judge); run; run = line.take(judge)) taken.push(run.key)
  return taken
}

describe('Line', () => {
  it('is first in, first out', () => {
    const line = lineOf('a', 'b', 'a')
    expect(line.size).toBe(3)
    expect(drain(line)).toEqual([0, 1, 2])
    expect(line.size).toBe(0)
  })

  it('lets others pass those that step aside, which come first once there is room, in order', () => {
    const line = lineOf('full', 'b', 'full', 'b', 'full')
    const full = ({ name }: { name: string }) => (name === 'full' ? ('aside' as const) : ('take' as const))
    expect(drain(line, full)).toEqual([1, 3])
    expect(line.size).toBe(3)
    expect(line.has(full)).toBe(false)
    expect(line.has(any)).toBe(true)
    line.push(runOf(5, 'full'))
    line.push(runOf(6, 'b'))
    expect(drain(line)).toEqual([0, 2, 4, 5, 6])
    expect(line.size).toBe(0)
  })

  it('stops where it is told to', () => {
    const line = lineOf('a', 'b', 'a')
    expect(drain(line, ({ name }) => (name === 'b' ? 'stop' : 'take'))).toEqual([0])
    expect(line.size).toBe(2)
  })

  it('takes runs back to the front', () => {
    const line = lineOf('a', 'a')
    line.putBack([runOf(7, 'a'), runOf(8, 'a')])
    line.putBack([runOf(5, 'a')])
    expect(line.size).toBe(5)
    expect(drain(line)).toEqual([5, 7, 8, 0, 1])
  })

  it('forgets what is removed, wherever it waits', () => {
    const line = lineOf('full', 'a', 'b')
    line.putBack([runOf(9, 'c')])
    expect(line.take(({ name }) => (name === 'full' ? 'aside' : 'take'))?.key).toBe(9)
    expect(line.take(({ name }) => (name === 'full' ? 'aside' : 'take'))?.key).toBe(1)
    expect(line.remove(0)?.key).toBe(0)
    expect(line.remove(0)).toBeUndefined()
    expect(line.size).toBe(1)
    expect(line.clear().map(({ key }) => key)).toEqual([2])
    expect(line.size).toBe(0)
  })

  it('costs the same however many step aside', () => {
    const line = new Line()
    for (const key of keys(0, 20_000)) line.push(runOf(key, key % 2 ? 'b' : 'full'))
    let judged = 0
    const taken = drain(line, ({ name }) => {
      judged++
      return name === 'full' ? 'aside' : 'take'
    })
    expect(taken).toHaveLength(10_000)
    expect(judged).toBeLessThan(25_000)
  })
})
