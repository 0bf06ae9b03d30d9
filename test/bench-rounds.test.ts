import { describe, expect, test } from 'vitest'
import { type Goal, type Load, NotHereError, type Row, type Side, WrongOutcomeError } from '../bench/contract.js'
import { lines, markdown } from '../bench/report.js'
import { judge, runRow, type SideResult } from '../bench/rounds.js'

/** A side that takes these times, one in each round, and notes what it was asked. */
function side(name: string, times: readonly number[], asked: string[] = [], most?: number): Side {
  let round = 0
  return {
    name,
    ...(most === undefined ? {} : { most }),
    async measure({ tasks }: Load) {
      asked.push(`${name} ${tasks}`)
      return { 'µs/task': times[round++] ?? Number.NaN }
    },
  }
}

const rowOf = (ours: Side, others: Side[], goals: Goal[]): Row => ({
  name: 'row',
  title: 'a row',
  tasks: 100,
  small: 10,
  ours,
  others,
  goals,
})

const plan = (rounds: number) => ({
  rounds,
  tasks: 100,
  say: () => {},
  measure: (side: Side, load: Load) => side.measure(load),
})

const faster = (goal: Partial<Goal>): Goal => ({ metric: 'µs/task', as: 'faster', against: 'theirs', ...goal })

describe('rounds', () => {
  test('sides take turns, each with at most the tasks it can take', async () => {
    const asked: string[] = []
    await runRow(rowOf(side('ours', [1, 1], asked), [side('theirs', [2, 2], asked, 20)], []), plan(2))
    expect(asked).toEqual(['ours 100', 'theirs 20', 'ours 100', 'theirs 20'])
  })

  test('the verdict is the median of the rounds’ ratios', async () => {
    const { verdicts } = await runRow(
      rowOf(
        side('ours', [1, 2, 4]),
        [side('theirs', [10, 60, 80])],
        [faster({ atLeast: 20 }), faster({ atLeast: 21 })],
      ),
      plan(3),
    )
    expect(verdicts.map(({ values }) => values)).toEqual([
      [10, 30, 20],
      [10, 30, 20],
    ])
    expect(verdicts.map(({ met, value }) => [met, value.median])).toEqual([
      [true, 20],
      [false, 20],
    ])
  })

  test('the docs’ table has a line for each goal, and says which was missed', async () => {
    const goals = [faster({ atLeast: 20 }), faster({ atLeast: 31 }), faster({})]
    const result = await runRow(rowOf(side('ours', [1, 2]), [side('theirs', [20, 60])], goals), plan(2))
    expect(markdown([result]).slice(2)).toEqual([
      '| `row`, µs/task | 1.5 (1–2) | theirs: 40 (20–60) | 25× (20–30) | ≥ 20×, met |',
      '| `row`, µs/task | 1.5 (1–2) | theirs: 40 (20–60) | 25× (20–30) | ≥ 31×, **missed** |',
      '| `row`, µs/task | 1.5 (1–2) | theirs: 40 (20–60) | 25× (20–30) | reported |',
    ])
  })

  test('a wrong outcome fails the run, whichever side it is on', async () => {
    const wrong: Side = { name: 'theirs', measure: () => Promise.reject(new WrongOutcomeError('7 instead of 8')) }
    await expect(runRow(rowOf(side('ours', [1, 1]), [wrong], []), plan(2))).rejects.toThrow('7 instead of 8')
    await expect(runRow(rowOf(wrong, [side('theirs', [1])], []), plan(2))).rejects.toThrow(WrongOutcomeError)
  })

  test('a side that can’t run here is left out, with the reason and without a verdict', async () => {
    const absent: Side = { name: 'theirs', measure: () => Promise.reject(new NotHereError('there is no Redis')) }
    const result = await runRow(rowOf(side('ours', [1, 1]), [absent], [faster({ atLeast: 3 })]), plan(2))
    expect(result.verdicts).toEqual([])
    expect(result.sides.map(({ skipped }) => skipped)).toEqual([undefined, 'there is no Redis'])
    expect(lines(result).join('\n')).toContain('SKIPPED: there is no Redis')
    const without = await runRow(rowOf(absent, [side('theirs', [1, 1])], [faster({ atLeast: 3 })]), plan(2))
    expect(without.skipped).toBe('there is no Redis')
  })
})

describe('verdicts', () => {
  const result = (side: string, rounds: number[]): SideResult => ({
    side,
    tasks: 1,
    rounds: { 'µs/task': rounds },
    metrics: {},
  })
  const sides = [result('ours', [2, 2, 2]), result('theirs', [6, 6, 6])]

  test('faster is theirs by ours, cost ours by theirs, a value ours alone', () => {
    expect(judge(faster({}), sides)?.value.median).toBe(3)
    expect(judge(faster({ as: 'cost' }), sides)?.value.median).toBeCloseTo(1 / 3)
    expect(judge({ metric: 'µs/task', as: 'value' }, sides)?.value.median).toBe(2)
  })

  test('missing a goal is no collapse', () => {
    expect(judge(faster({ atLeast: 20, collapse: 2 }), sides)).toMatchObject({ met: false, collapsed: false })
    expect(judge(faster({ atLeast: 20, collapse: 4 }), sides)).toMatchObject({ met: false, collapsed: true })
    const atMost = { metric: 'µs/task', as: 'value', atMost: 1 } as const
    expect(judge({ ...atMost, collapse: 3 }, sides)).toMatchObject({ met: false, collapsed: false })
    expect(judge({ ...atMost, collapse: 1.5 }, sides)).toMatchObject({ met: false, collapsed: true })
  })

  test('what is no number is a collapse', () => {
    expect(judge(faster({ collapse: 1 }), [result('ours', [0]), result('theirs', [0])])?.collapsed).toBe(true)
  })
})
