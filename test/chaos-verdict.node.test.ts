import { describe, expect, test } from 'vitest'
import { Looks } from './chaos/looks.js'
import type { Counted } from './chaos/pages/recount.js'
import type { Verdict } from './chaos/verdict.js'
import { type Claim, id, place, Story, task } from './support/story.js'

// Who judges the kill suite's seeds must find what is wrong: stories that are told to it, right ones and those with a lie in them.

const calm = () => new Story().claim('p').run('p').settle('p', 'completed')
const story = (tell: (story: Story) => Story) => tell(new Story()).judge()

describe('finds nothing wrong', () => {
  test.each<[string, Story]>([
    ['where nothing dies', calm()],
    [
      'where a host dies and another runs what it held',
      new Story()
        .claim('p')
        .run('p')
        .wait()
        .dies('close', 'p')
        .claim('q')
        .run('q')
        .settle('q', 'completed')
        .found({ ...task, run: 1 }),
    ],
    [
      'where a crash charges what was held',
      new Story()
        .claim('p')
        .run('p')
        .wait()
        .dies('crash', 'p')
        .claim('q', { crashes: 1 })
        .run('q')
        .settle('q', 'completed')
        .found({ ...task, run: 1 }),
    ],
    [
      'where a Web Worker dies and another runs it',
      new Story()
        .claim('p')
        .run('p', 1)
        .wait()
        .dies('web worker', 'p', 1)
        .run('p', 2)
        .settle('p', 'completed')
        .found({ ...task, run: 1 }),
    ],
    [
      'where what it told is heard after that',
      new Story().claim('p').wait().dies('web worker', 'p', 1).run('p', 2).ran('p', 1).settle('p', 'completed'),
    ],
    [
      'where all dies before anything is known of it',
      new Story().wait().dies('browser').claim('q', { crashes: 1 }).run('q').settle('q', 'completed'),
    ],
  ])('%s', (_, told) => {
    expect(told.judge()).toMatchObject({ lost: 0, doubled: 0, faults: [] })
  })
})

describe('finds', () => {
  const held = (s: Story) => s.claim('p').run('p').wait()
  const again = (s: Story, o: Claim = {}) =>
    s
      .claim('q', o)
      .run('q', 1, o.attempt)
      .settle('q', 'completed')
      .found({ ...task, run: 1 })

  test.each<[string, string, Verdict]>([
    ['a task that is gone', 'acknowledged', story((s) => s.claim('p').run('p').settle('p', 'completed').found())],
    [
      'one that never ended',
      'acknowledged',
      story((s) =>
        s
          .claim('p')
          .run('p')
          .found({ ...task, state: 'line' }),
      ),
    ],
    ['one without an execution', 'without an execution', story((s) => s.claim('p').settle('p', 'completed'))],
    [
      "one with another's outcome",
      "another's",
      calm()
        .found({ ...task, run: 7 })
        .judge(),
    ],
    ['an execution without a claim', 'without a claim', story((s) => s.run('p').settle('p', 'completed'))],
    ['a task taken from a page that lives', 'which lived', story((s) => again(held(s)))],
    [
      'one taken from a page because another one died',
      'which lived',
      story((s) => again(held(s).dies('close', 'other'))),
    ],
    ['one taken from a page that slept a moment', 'which lived', story((s) => again(held(s).dies('freeze', 'p')))],
    [
      'one taken from a page of which a Web Worker died',
      'which lived',
      story((s) => again(held(s).dies('web worker', 'p', 1))),
    ],
    [
      'one claimed again after it was recorded',
      'after it was recorded',
      story((s) => again(held(s).settle('p', 'completed').dies('browser'))),
    ],
    [
      'one that runs again after it was recorded',
      'after it was recorded there',
      story((s) => s.claim('p').run('p').settle('p', 'completed').wait().dies('web worker', 'p', 1).run('p', 2)),
    ],
    [
      'one that runs twice in Web Workers that live',
      'lived',
      story((s) => held(s).run('p', 2).settle('p', 'completed')),
    ],
    ['one given back although it had begun', 'was given back', story((s) => again(held(s).settle('p', 'aside')))],
    [
      'a crash charged to a page that was closed',
      'was charged 1',
      story((s) => again(held(s).dies('close', 'p'), { crashes: 1 })),
    ],
    ['two crashes charged for one', 'was charged 2', story((s) => again(held(s).dies('crash', 'p'), { crashes: 2 }))],
    [
      "a crash charged for another page's Web Worker",
      'was charged 1',
      story((s) => again(held(s).dies('close', 'p').dies('web worker', 'other', 1), { crashes: 1 })),
    ],
    [
      'a crash charged for a handler whose time was up',
      'was charged 1',
      story((s) => again(held(s).dies('close', 'p').dies('spin', 'p', 1), { crashes: 1 })),
    ],
    [
      'an attempt charged for a death',
      'was charged 1 attempts',
      story((s) => again(held(s).dies('crash', 'p'), { attempt: 2 })),
    ],
  ])('%s', (_, fault, { faults }) => {
    expect(faults.join('\n')).toContain(fault)
  })

  test('what was recorded by two hosts, and what is stored twice', () => {
    const twice = again(held(new Story()).dies('steal')).settle('p', 'completed')
    expect(twice.judge().doubled).toBe(1)
    expect(
      calm()
        .found(task, { ...task, place: '0:1' })
        .judge(),
    ).toMatchObject({ doubled: 1 })
    expect(
      calm()
        .found({ ...task, place: '0:1' })
        .judge(),
    ).toMatchObject({ lost: 1 })
  })

  test('follow-ups that are missing, doubled, in another batch, or of a parent that failed', () => {
    const parent = (children: Counted[], state: Counted['state'] = 'completed') => {
      const told = calm().found({ ...task, name: 'parent', state }, ...children)
      told.singles[0] = { name: 'parent', item: { key: 'a', children: 1, batch: 'b' } }
      return told.judge().faults.join('\n')
    }
    const child: Counted = { ...task, place: '0:1', key: 'a/0', batch: 'b' }
    expect(parent([child])).not.toContain('a/0 was enqueued')
    expect(parent([])).toContain('a/0 was enqueued 0 times')
    expect(parent([child, { ...child, place: '0:2' }])).toContain('a/0 was enqueued 2 times')
    expect(parent([{ ...child, batch: 'c' }])).toContain('in batch c, not b')
    expect(parent([child], 'failed')).toContain('a/0 was enqueued 1 times')
  })

  test('inputs of an import that are missing, and batches that are counted wrongly', () => {
    const told = calm()
    const input: Counted = { ...task, key: 'i:0', batch: 'i' }
    const counted = { id: 'i', total: 1, completed: 1, failed: 0, cancelled: 0, dropped: 0, open: false, endedAt: 1 }
    told.jobs.push({ type: 'import', id: 'i', queue: 'default', total: 1, chunkSize: 1, ms: 0 })
    told.books.acknowledged.clear()
    const faults = (tasks: Counted[], batch: object) => {
      told.recount.batches = [{ ...counted, ...batch }]
      return told
        .found(...tasks)
        .judge()
        .faults.join('\n')
    }
    expect(faults([input], {})).toBe('')
    expect(faults([], {})).toContain('i:0 is gone')
    expect(faults([{ ...input, attempts: 2 }], {})).toContain('i:0 is {')
    expect(faults([input], { total: 2 })).toContain('i of 1 is')
    expect(faults([input], { completed: 0, failed: 1 })).toContain('i of 1 is')
  })

  test('a pipeline whose output is not that of an undisturbed run', () => {
    const told = calm()
    const total = 2 // the first item is filtered out
    told.jobs.push({ type: 'flow', id: 'f', total, ms: 0 })
    told.books.acknowledged.clear()
    const at = (key: string, name: string): Counted => ({ place, key, name, state: 'completed', attempts: 1 })
    const whole = [at('f:0', 'check'), at('f:1', 'check'), at('f:1', 'finish')]
    const counted = { id: 'f', total, completed: 1, failed: 0, cancelled: 0, dropped: 1, open: false, endedAt: 1 }
    const faults = (tasks: Counted[], o: { batch?: object; results?: number | string } = {}) => {
      told.recount.batches = [{ ...counted, ...o.batch }]
      told.flows.set('f', o.results ?? 1)
      return told
        .found(...tasks)
        .judge()
        .faults.join('\n')
    }
    const without = (left: number) => whole.filter((_, i) => i !== left)
    expect(faults(whole)).not.toContain('f:')
    expect(faults(whole)).not.toContain('f of')
    expect(faults(without(0))).toContain('f:0 is gone at its first stage')
    expect(faults(without(2))).toContain('f:1 came 0 times to its last stage')
    expect(faults([...whole, at('f:0', 'finish')])).toContain('f:0 came 1 times to its last stage')
    expect(faults(whole, { batch: { dropped: 0 } })).toContain('f of 2 is')
    expect(faults(whole, { results: 'item 1: undefined' })).toContain('f ended with item 1')
  })

  test('what is left over when all is quiet', () => {
    const told = calm()
    Object.assign(told.counts, { running: 1, completed: 2 })
    told.recount.hosts = { 'host of p': 1, 'host of q': 0 }
    const faults = told.judge().faults.join('\n')
    expect(faults).toContain('1 tasks are counted as running')
    expect(faults).toContain('counts() says')
    expect(faults).toContain('host host of p holds 1')
    expect(faults).toContain('host host of q is dead')
  })

  test('between two looks: what was acknowledged and is gone, and outcomes that change', () => {
    const acknowledged = new Map([['a', id]])
    const looks = new Looks()
    const look = (...tasks: Counted[]) => looks.compare({ ...new Story().recount, tasks }, acknowledged)
    expect(look({ ...task, state: 'leased' })).toEqual([])
    expect(look(task)).toEqual([])
    expect(look(task)).toEqual([])
    expect(look({ ...task, run: 3 })).toEqual([expect.stringContaining('had ended as')])
    expect(look({ ...task, state: 'line' })).toEqual([expect.stringContaining('had ended as')])
    expect(look()).toHaveLength(2)
  })
})
