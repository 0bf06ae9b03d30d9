import { expect, it } from 'vitest'
import { Neighbours, type Presence } from '../src/indexeddb/neighbours.js'

interface Neighbour {
  neighbours: Neighbours
  missed: number
  said: Presence[]
  deaf: boolean
}

/** Some on one channel; what is said is heard by the others at once, or when it is delivered. */
function street() {
  let now = 0
  const all: Neighbour[] = []
  const move = () => {
    const neighbours = new Neighbours({
      now: () => now,
      say: (presence) => {
        me.said.push(presence)
        for (const other of all) if (other !== me && !other.deaf) other.neighbours.hear(presence)
      },
      missed: () => {
        me.missed++
      },
    })
    const me: Neighbour = { neighbours, missed: 0, said: [], deaf: false }
    all.push(me)
    return me
  }
  const wait = (ms: number) => {
    now += ms
  }
  return { move, wait }
}

it('nobody is alone before everyone had time to answer, nor while somebody is there', () => {
  const { move, wait } = street()
  const a = move()
  expect(a.neighbours.leaveUnsaid()).toBe(false)
  a.neighbours.come()
  wait(99)
  expect(a.neighbours.leaveUnsaid()).toBe(false)
  wait(1)
  expect(a.neighbours.leaveUnsaid()).toBe(true)
  const b = move()
  b.neighbours.come()
  expect(a.neighbours.leaveUnsaid()).toBe(false)
  wait(50_000)
  expect([a, b].map(({ neighbours }) => neighbours.leaveUnsaid())).toEqual([false, false])
  b.neighbours.go()
  expect(a.neighbours.leaveUnsaid()).toBe(true)
  expect(b.neighbours.leaveUnsaid()).toBe(false)
})

it('who comes is told that something was left unsaid lately, once', () => {
  const { move, wait } = street()
  const [a, b, c] = [move(), move(), move()]
  a.neighbours.come()
  wait(2_000)
  expect(a.neighbours.leaveUnsaid()).toBe(true)
  wait(9_999)
  b.neighbours.come()
  expect(a.missed).toBe(1)
  c.neighbours.come()
  expect([a, b, c].map(({ missed }) => missed)).toEqual([1, 0, 0])
  for (const { neighbours } of [b, c]) neighbours.go()
  wait(5_000)
  expect(a.neighbours.leaveUnsaid()).toBe(true)
  wait(10_000)
  b.neighbours.come()
  expect(a.missed).toBe(1)
})

it('one that answers late is told all the same', () => {
  const { move, wait } = street()
  const [a, b] = [move(), move()]
  b.neighbours.come()
  b.deaf = true
  a.neighbours.come()
  wait(3_000)
  expect(a.neighbours.leaveUnsaid()).toBe(true)
  wait(60_000)
  b.deaf = false
  b.neighbours.hear(a.said[0] ?? { type: 'gone', from: '' })
  expect(a.missed).toBe(1)
  expect(a.neighbours.leaveUnsaid()).toBe(false)
})

it('one that went without a word counts as there until it is asked again, a minute later', () => {
  const { move, wait } = street()
  const [a, b, c] = [move(), move(), move()]
  a.neighbours.come()
  b.neighbours.come()
  c.neighbours.come()
  b.deaf = true
  wait(59_000)
  expect(a.neighbours.leaveUnsaid()).toBe(false)
  wait(1_000)
  // The other one answers at once, and has missed nothing.
  expect(a.neighbours.leaveUnsaid()).toBe(false)
  c.neighbours.go()
  expect(a.neighbours.leaveUnsaid()).toBe(false)
  wait(100)
  expect(a.neighbours.leaveUnsaid()).toBe(true)
  expect([a, b, c].map(({ missed }) => missed)).toEqual([0, 0, 0])
  // It had not crashed but stood still: it answers, and is told.
  b.deaf = false
  for (const presence of a.said.slice(1)) b.neighbours.hear(presence)
  expect(a.missed).toBe(1)
  expect(a.neighbours.leaveUnsaid()).toBe(false)
})

it('who comes back asks anew', () => {
  const { move, wait } = street()
  const [a, b] = [move(), move()]
  a.neighbours.come()
  b.neighbours.come()
  a.neighbours.go()
  b.neighbours.go()
  a.neighbours.come()
  wait(100)
  expect(a.neighbours.leaveUnsaid()).toBe(true)
})
