import { describe, expect, it } from 'vitest'
import { blame } from '../src/web-worker/blame.js'

describe('blame', () => {
  it.each<[string, Parameters<typeof blame>[0], ReturnType<typeof blame>]>([
    ['the one that was announced', { given: [1, 2, 3], marked: [1], sequential: true }, { culprit: 1, suspects: [] }],
    [
      'whoever the last words name',
      { given: [1, 2, 3], marked: [1], sequential: false, running: [2] },
      { culprit: 2, suspects: [] },
    ],
    [
      'nobody if the last words name nobody',
      { given: [1, 2], marked: [], sequential: true, running: [] },
      { suspects: [] },
    ],
    [
      'several if the last words name several',
      { given: [1, 2, 3], marked: [1], sequential: false, running: [1, 3] },
      { suspects: [1, 3] },
    ],
    ['nobody for what it was not given', { given: [1], marked: [], sequential: true, running: [7] }, { suspects: [] }],
    [
      'the only one in a message that could not be read, whatever the last words are',
      { given: [1], marked: [], sequential: true, running: [], unreadable: true },
      { culprit: 1, suspects: [] },
    ],
    [
      'all in messages that could not be read',
      { given: [1, 2], marked: [1], sequential: true, running: [1], unreadable: true },
      { suspects: [1, 2] },
    ],
    ['all, if nothing was announced', { given: [1, 2], marked: [], sequential: true }, { suspects: [1, 2] }],
    ['all, if more than one may have run', { given: [1, 2], marked: [1], sequential: false }, { suspects: [1, 2] }],
    ['the only one, announced', { given: [1], marked: [1], sequential: false }, { culprit: 1, suspects: [] }],
    ['the only one, which may not have begun', { given: [1], marked: [], sequential: true }, { suspects: [1] }],
    [
      'all, if something could not be read',
      { given: [1, 2], marked: [1], sequential: true, running: [1], unreadable: true },
      { suspects: [1, 2] },
    ],
    [
      'the only one, if something could not be read',
      { given: [2], marked: [], sequential: true, running: [], unreadable: true },
      { culprit: 2, suspects: [] },
    ],
    ['nobody if there was nothing', { given: [], marked: [], sequential: true }, { suspects: [] }],
  ])('falls on %s', (_, evidence, verdict) => {
    expect(blame(evidence)).toEqual(verdict)
  })
})
