import { expect, it } from 'vitest'
import type { EndedRun } from '../src/executor.js'
import type { ToPage, ToWorker, WireRun } from '../src/web-worker/protocol.js'
import { packedToPage, packedToWorker, unpackedToPage, unpackedToWorker } from '../src/web-worker/wire.js'
import { runOf } from './support/recorder.js'

const toWorker = (message: ToWorker) => unpackedToWorker(structuredClone(packedToWorker(message)))
const toPage = (message: ToPage) => unpackedToPage(structuredClone(packedToPage(message)))

it.each<[string, WireRun[]]>([
  ['none', []],
  ['alike', [runOf(1, 'work', { n: 1 }), runOf(2, 'work', null), runOf(3, 'work', undefined)]],
  ['of several names', [runOf(1, 'work', 'a'), runOf(2, 'other', 'b')]],
  [
    'with what few have',
    [
      runOf(1, 'work', 1, { attempt: 3, meta: { of: 'one' } }),
      { ...runOf(2, 'work', 2, { timeout: 0 }), mark: true },
      runOf(3, 'work', 3, { timeout: 50 }),
    ],
  ],
])('runs arrive as they were given: %s', (_, runs) => {
  expect(toWorker({ type: 'give', runs })).toStrictEqual({ type: 'give', runs })
})

it('inputs that share a part still do: whoever may change them looks for that', () => {
  const shared = { config: true }
  const message = toWorker({ type: 'give', runs: [runOf(1, 'work', { shared }), runOf(2, 'work', { shared })] })
  const inputs = message.type === 'give' ? message.runs.map(({ input }) => Object(input).shared) : []
  expect(inputs[0]).toEqual(shared)
  expect(inputs[0]).toBe(inputs[1])
})

it('ends arrive as they were told, whatever they came to', () => {
  const times = { startedAt: 1_700_000_000_000, finishedAt: 1_700_000_000_007 }
  const followUps = [{ name: 'next', input: 1 }]
  const ended: EndedRun[] = [
    { key: 1, ...times, ok: true, value: { deep: [1, 2] } },
    { key: 2, ...times, ok: true, value: undefined },
    { key: 3, ...times, ok: false, error: { name: 'Error', message: 'no', code: 'bang' } },
    { key: 4, ...times, ok: false, misfit: 'not a number' },
    { key: 5, ...times, ok: true, value: 5, followUps },
    { key: 6, ...times, ok: true, value: 6, endBatches: ['b'] },
  ]
  const started = { key: 7, at: 1_700_000_000_008 }
  expect(toPage({ type: 'progress', ended, started })).toStrictEqual({ type: 'progress', ended, started })
  expect(toPage({ type: 'tick' })).toEqual({ type: 'tick' })
})
