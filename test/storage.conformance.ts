import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Key } from '../src/keys.js'
import { type Block, type Outcome, stores } from '../src/plan/records.js'
import { blockAt, ceiling, LAST, lastBlock, add as newRecord, one, put, range, remove } from '../src/plan/tables.js'
import {
  type Add,
  KeyTakenError,
  type Plan,
  type RawRead,
  type Read,
  type Storage,
  type Write,
} from '../src/storage.js'

/** What a storage offers beside the contract. */
export type TestedStorage = Storage & { readonly generation: number }

const all = { stores, write: true }
const reading = { stores, write: false }

const block = (from: number, to: number, inputs: unknown[] = Array(to - from).fill(0)): Block => ({
  lane: 1,
  from,
  to,
  at: 0,
  nonce: '',
  inputs,
  name: 'handler',
})
const outcome = (from: number, to: number): Outcome => ({ lane: 1, from, to, at: 0, kinds: 2 })

const putting = (...writes: Write[]) =>
  function* (): Plan<void> {
    yield []
    return { writes, value: undefined }
  }

const rawAdd = (key: Key, record: unknown): Add => ({ kind: 'add', store: 'marks', key, record })
const rawPut = (key: Key, record: unknown): Write => ({ kind: 'put', store: 'marks', key, record })

/** Reads of records that are of no table. */
const raw = (key: Key, to?: Key, options: { limit?: number; reverse?: boolean } = {}): RawRead => ({
  table: 'raw',
  store: 'marks',
  key,
  ...(to === undefined ? {} : { to }),
  ...options,
  keys: [],
  found: [],
})

const finding = (read: Read) =>
  function* (): Plan<unknown[]> {
    yield [read]
    return { writes: [], value: read.found }
  }

/** Adds one to a number under a key, reading and writing in one transaction. */
const counting = (key: Key, waves = 1) =>
  function* (): Plan<number> {
    let count = 0
    for (let wave = 0; wave < waves; wave++) {
      const read = raw(key)
      yield [read]
      const found: unknown = read.found[0]
      count = typeof found === 'number' ? found : 0
    }
    return { writes: [rawPut(key, count + 1)], value: count + 1 }
  }

/** What any storage must do; `make` gives an empty one each time. */
export function storageConformance(name: string, make: () => Promise<TestedStorage>): void {
  describe(`storage: ${name}`, () => {
    let storage: TestedStorage
    beforeEach(async () => {
      storage = await make()
    })
    afterEach(() => storage.close())

    const find = (read: Read) => storage.run(finding(read), reading)
    const fill = (...keys: Key[]) => storage.run(putting(...keys.map((key) => rawPut(key, key))), all)

    it('is opened by open once, by run too, and again after close', async () => {
      expect(storage.generation).toBe(0)
      expect(await storage.open()).toBe(true)
      expect(await storage.open()).toBe(false)
      expect(storage.generation).toBe(1)
      await fill(1)
      await storage.close()
      expect(await find(raw(1))).toEqual([1])
      expect(storage.generation).toBe(2)
      expect(await storage.open()).toBe(false)
      await storage.close()
      expect(await storage.open()).toBe(true)
    })

    it('orders numbers before strings before arrays, arrays item by item, a prefix first', async () => {
      const sorted: Key[] = [
        Number.NEGATIVE_INFINITY,
        -2,
        -1.5,
        0,
        10,
        Number.POSITIVE_INFINITY,
        '',
        '10',
        '9',
        'a',
        'ä',
        '\u{1f600}',
        '\uffff',
        [],
        [1],
        [1, -1],
        [1, 'a'],
        [1, 'a', 0],
        [1, []],
        [1, [0]],
        [2],
        ['a'],
        [[]],
      ]
      await fill(...[...sorted].sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))))
      expect(await find(raw(Number.NEGATIVE_INFINITY, [[[]]]))).toEqual(sorted)
      expect(await find(raw(Number.NEGATIVE_INFINITY, [[[]]], { reverse: true }))).toEqual([...sorted].reverse())
    })

    it('reads ranges with both ends, [] and Infinity as bounds, limits, and from the end', async () => {
      await fill(['a', 1], ['a', 2], ['a', 'x'], ['b'], ['b', 1], ['b', 2], ['b', 3], ['b', 'x', 0])
      expect(await find(raw(['a', 1], ['a', 2]))).toEqual([
        ['a', 1],
        ['a', 2],
      ])
      expect(await find(raw(['a'], ['a', LAST]))).toEqual([
        ['a', 1],
        ['a', 2],
        ['a', 'x'],
      ])
      expect(await find(raw(['b', 0], ['b', Number.POSITIVE_INFINITY]))).toEqual([
        ['b', 1],
        ['b', 2],
        ['b', 3],
      ])
      expect(await find(raw(['b', 0], ['b', LAST], { limit: 2 }))).toEqual([
        ['b', 1],
        ['b', 2],
      ])
      expect(await find(raw(['b', 0], ['b', LAST], { limit: 2, reverse: true }))).toEqual([
        ['b', 'x', 0],
        ['b', 3],
      ])
      expect(await find(raw(['b', 0], ['b', LAST], { limit: 1, reverse: true }))).toEqual([['b', 'x', 0]])
      expect(await find(raw(['b', 4], ['b', 9]))).toEqual([])
      expect(await find(raw(['b', 4], ['b', 9], { limit: 1 }))).toEqual([])
      expect(await find(raw(['b', 4], ['b', 9], { limit: 1, reverse: true }))).toEqual([])
      expect(await find(raw(['nothing']))).toEqual([])
    })

    it('finds nothing between ends that are the wrong way round, nor with a limit of 0', async () => {
      await fill(1, 2, 3)
      for (const options of [{}, { limit: 1 }, { reverse: true }]) expect(await find(raw(3, 1, options))).toEqual([])
      for (const reverse of [true, false]) expect(await find(raw(1, 3, { limit: 0, reverse }))).toEqual([])
      await storage.run(putting({ kind: 'delete', store: 'marks', key: 3, to: 1 }), all)
      expect(await find(raw(1, 3))).toEqual([1, 2, 3])
    })

    it('looks up what covers a position: ceiling and floor', async () => {
      const outcomes = [outcome(0, 10), outcome(10, 11), outcome(20, 30)]
      const blocks = [block(0, 10), block(10, 30)]
      await storage.run(
        putting(
          ...outcomes.map((record) => put('outcome', [1, record.to - 1], record)),
          put('outcome', [2, 0], { ...outcome(0, 1), lane: 2 }),
          ...blocks.map((record) => put('block', [1, record.from], record)),
          put('block', [2, 0], { ...block(0, 1), lane: 2 }),
        ),
        all,
      )
      const found = await storage.run(function* () {
        const ceilings = [0, 9, 10, 11, 29, 30].map((p) => ceiling('outcome', 1, p))
        const floors = [0, 9, 10, 50].map((p) => blockAt(1, p))
        const last = lastBlock(1)
        const none = lastBlock(0)
        yield [...ceilings, ...floors, last, none]
        return {
          writes: [],
          value: [...ceilings, ...floors, last, none].map((read) => read.found.map(({ from }) => from)),
        }
      }, reading)
      expect(found).toEqual([[0], [0], [10], [20], [20], [], [0], [0], [10], [10], [10], []])
    })

    it('puts, replaces and deletes single records and ranges, in the order of the writes', async () => {
      await fill(1, 2, 3, [1], [2], [3])
      await storage.run(
        putting(
          rawPut(2, 'replaced'),
          { kind: 'delete', store: 'marks', key: [1], to: [2] },
          { kind: 'delete', store: 'marks', key: 3 },
          { kind: 'delete', store: 'marks', key: 'nothing' },
          rawPut([2], 'again'),
          rawPut(4, 'gone'),
          { kind: 'delete', store: 'marks', key: 4, to: 'z' },
        ),
        all,
      )
      expect(await find(raw(0, LAST))).toEqual([1, 'replaced'])
      expect(await find(raw([], [LAST]))).toEqual(['again', [3]])
    })

    it('keeps the stores apart', async () => {
      await storage.run(
        putting(put('block', [1, 0], block(0, 1)), put('outcome', [1, 0], outcome(0, 1)), rawPut([1, 0], 'mark')),
        all,
      )
      await storage.run(putting(remove('outcome', [1, 0])), { stores: ['outcomes'], write: true })
      const found = await storage.run(function* () {
        const reads = [one('block', [1, 0]), one('outcome', [1, 0])]
        yield reads
        return { writes: [], value: reads.map((read) => read.found.length) }
      }, reading)
      expect(found).toEqual([1, 0])
      expect(await find(raw([1, 0]))).toEqual(['mark'])
    })

    it('refuses the whole transaction if one added key is taken', async () => {
      await storage.run(putting(newRecord('block', [1, 0], block(0, 1))), all)
      const refused = storage.run(
        putting(
          rawPut(1, 'before'),
          newRecord('block', [1, 5], block(5, 6)),
          newRecord('block', [1, 0], block(0, 9)),
          rawPut(2, ''),
        ),
        all,
      )
      await expect(refused).rejects.toBeInstanceOf(KeyTakenError)
      expect(await find(raw(0, LAST))).toEqual([])
      const blocks = range('block', [1, 0], [1, LAST])
      expect(await find(blocks)).toEqual([block(0, 1)])
    })

    it('counts the earlier writes of the same plan when it adds', async () => {
      await fill(1)
      const add = (key: Key): Write => ({ kind: 'add', store: 'marks', key, record: 'added' })
      await expect(storage.run(putting(add(2), add(2)), all)).rejects.toBeInstanceOf(KeyTakenError)
      expect(await find(raw(2))).toEqual([])
      await storage.run(putting({ kind: 'delete', store: 'marks', key: 0, to: 9 }, add(1)), all)
      expect(await find(raw(1))).toEqual(['added'])
    })

    it('adds first what it is told to, where the plan finds it, and nothing of it when the plan throws', async () => {
      const first = [rawAdd(1, 'early'), rawAdd(2, 'early')]
      const plan = (end: () => void) =>
        function* (): Plan<unknown[]> {
          const read = raw(0, LAST)
          yield [read]
          end()
          return { writes: [rawPut(3, 'late')], value: read.found }
        }
      const thrown = new Error('after what it read')
      const failed = storage.run(
        plan(() => {
          throw thrown
        }),
        { ...all, first },
      )
      await expect(failed).rejects.toBe(thrown)
      expect(await find(raw(0, LAST))).toEqual([])
      const found = await storage.run(
        plan(() => {}),
        { ...all, first },
      )
      expect(found).toEqual(['early', 'early'])
      expect(await find(raw(0, LAST))).toEqual(['early', 'early', 'late'])
    })

    it('writes nothing at all where one of the first finds its key taken, and keeps what was there', async () => {
      await storage.run(putting(rawPut(2, 'old')), all)
      const taken = storage.run(putting(rawPut(3, 'late')), { ...all, first: [rawAdd(1, 'early'), rawAdd(2, 'early')] })
      await expect(taken).rejects.toBeInstanceOf(KeyTakenError)
      expect(await find(raw(0, LAST))).toEqual(['old'])
    })

    it('adds none of the first if the plan is not to be run any more', async () => {
      const first = [rawAdd(1, 'early')]
      const thrown = new Error('before it began')
      const refused = storage.run(
        () => {
          throw thrown
        },
        { ...all, first },
      )
      await expect(refused).rejects.toBe(thrown)
      expect(await find(raw(0, LAST))).toEqual([])
    })

    it('isolates records when they are written and when they are read', async () => {
      const written = block(0, 1, [{ list: [1] }])
      await storage.run(putting(put('block', [1, 0], written)), all)
      written.inputs.push('later')
      const [first] = await storage.run(finding(one('block', [1, 0])), reading)
      expect(first).toEqual(block(0, 1, [{ list: [1] }]))
      Object.assign(first ?? {}, { inputs: 'changed' })
      expect(await find(one('block', [1, 0]))).toEqual([block(0, 1, [{ list: [1] }])])
    })

    it('stores what structured clone can copy', async () => {
      const value = {
        at: new Date(5),
        map: new Map([[1, new Set(['a'])]]),
        parts: new Float64Array([1, Number.NaN]),
        big: 2n,
      }
      await storage.run(putting(rawPut(1, value)), all)
      expect(await find(raw(1))).toEqual([value])
    })

    it('writes nothing if a record cannot be cloned, and says so', async () => {
      const refused = storage.run(
        putting(
          rawPut(1, 'before'),
          rawPut(2, () => {}),
          rawPut(3, 'after'),
        ),
        all,
      )
      await expect(refused).rejects.toMatchObject({
        name: 'StorageError',
        code: 'uncloneable',
        cause: { name: 'DataCloneError' },
      })
      expect(await find(raw(0, LAST))).toEqual([])
    })

    it('writes nothing if the plan throws, and rejects with what it threw', async () => {
      const thrown = new RangeError('a bug')
      await expect(
        storage.run(function* (): Plan<void> {
          yield [raw(1)]
          throw thrown
        }, all),
      ).rejects.toBe(thrown)
      expect(await storage.run(counting(1), all)).toBe(1)
    })

    it('refuses writes of a plan that was to read only, and stores that were not named', async () => {
      await expect(storage.run(putting(rawPut(1, 1)), reading)).rejects.toThrow()
      await expect(storage.run(putting(rawPut(1, 1)), { stores: ['blocks'], write: true })).rejects.toThrow()
      await expect(storage.run(finding(raw(1)), { stores: ['blocks'], write: false })).rejects.toThrow()
      await expect(storage.run(finding(raw(Number.NaN)), reading)).rejects.toThrow()
      await expect(storage.run(putting(rawPut([0, Number.NaN], 1)), all)).rejects.toThrow()
      expect(await find(raw(0, LAST))).toEqual([])
    })

    it('gives each wave its records, many at a time, and takes a wave of none', async () => {
      await fill(...Array.from({ length: 100 }, (_, i) => i))
      const sums = await storage.run(function* () {
        const first = Array.from({ length: 50 }, (_, i) => raw(i))
        yield first
        yield []
        const second = [raw(50, 99), raw(98, 99, { reverse: true }), raw(0, 99, { limit: 1 })]
        yield second
        return {
          writes: [],
          value: [first.flatMap((read): unknown[] => read.found), ...second.map((read) => read.found)],
        }
      }, all)
      expect(sums[0]).toEqual(Array.from({ length: 50 }, (_, i) => i))
      expect(sums.slice(1)).toEqual([Array.from({ length: 50 }, (_, i) => i + 50), [99, 98], [0]])
    })

    it('runs plans that write one after the other, whole: none comes between the waves of another', async () => {
      const counts = await Promise.all(
        Array.from({ length: 60 }, (_, i) => storage.run(counting('n', (i % 4) + 1), all)),
      )
      expect([...counts].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
      expect(await find(raw('n'))).toEqual([60])
    })

    it('shows a reader a whole state, never the middle of a transaction', async () => {
      await fill('a', 'b')
      const seen = await Promise.all(
        Array.from({ length: 40 }, async (_, i) => {
          if (i % 2 === 0) return storage.run(putting(rawPut('a', i), rawPut('b', i)), all).then(() => [i, i])
          return storage.run(function* () {
            const reads = [raw('a'), raw('b')]
            yield reads.slice(0, 1)
            yield reads.slice(1)
            return { writes: [], value: reads.flatMap((read): unknown[] => read.found) }
          }, reading)
        }),
      )
      for (const [a, b] of seen) if (a !== 'a') expect(a).toBe(b)
    })

    it('shows a finished write to whoever comes next', async () => {
      for (let i = 1; i <= 20; i++) {
        await storage.run(counting('n'), { ...all, durability: i % 2 ? 'strict' : 'relaxed' })
        expect(await find(raw('n'))).toEqual([i])
      }
    })
  })
}
