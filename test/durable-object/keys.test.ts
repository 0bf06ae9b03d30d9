import {
  type Arbitrary,
  array,
  assert,
  constantFrom,
  date,
  double,
  integer,
  letrec,
  oneof,
  property,
  string,
  uint8Array,
} from 'fast-check'
import { describe, expect, it } from 'vitest'
import { after, decodeKey, encodeKey } from '../../src/durable-object/keys.js'
import { compareKeys, type Key } from '../../src/keys.js'

const { key } = letrec<{ key: Key }>((tie) => ({
  key: oneof(
    { maxDepth: 3 },
    double({ noNaN: true }),
    integer({ min: 0, max: 1_000 }),
    constantFrom(0, -0, 1, -1, 0.5, 2 ** 53, Number.MIN_VALUE, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    string({ unit: 'binary' }),
    string({
      unit: constantFrom('', 'a', ' ', '!', '"', '#', '}', '~', '\u007f', '\u0000', '\ud83d\ude00', '\uffff', '\ud800'),
    }),
    date({ noInvalidDate: true }),
    uint8Array({ maxLength: 4 }).map((bytes) => bytes.slice().buffer as ArrayBuffer),
    array(tie('key'), { maxLength: 4 }),
  ) as Arbitrary<Key>,
}))

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

describe('keys as text', () => {
  it('are ordered as the keys are, and each comes back', () => {
    assert(
      property(key, key, (a, b) => {
        const [x, y] = [encodeKey(a), encodeKey(b)]
        expect(order(x, y)).toBe(compareKeys(a, b))
        expect(compareKeys(decodeKey(x), a)).toBe(0)
        // A range that ends with a key has it, and nothing of what comes later.
        expect(order(y, after(x)) < 0).toBe(compareKeys(b, a) <= 0)
      }),
      { numRuns: 5_000 },
    )
  })

  it('are ASCII, where bytes are in the order of code units', () => {
    assert(
      property(key, (a) => {
        expect(encodeKey(a)).toMatch(/^[ -~]+$/)
      }),
    )
  })

  it('are short where keys are', () => {
    expect(encodeKey([3, 256]).length).toBeLessThanOrEqual(14)
  })

  it('of NaN do not exist', () => {
    expect(() => encodeKey([0, Number.NaN])).toThrow('NaN')
  })
})
