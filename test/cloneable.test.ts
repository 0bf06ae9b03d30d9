import { describe, expect, it } from 'vitest'
import { assertCloneable, cloneOf, whyUncloneable } from '../src/cloneable.js'
import { InvalidInputError } from '../src/errors.js'
import { roughSize } from '../src/rough-size.js'

function pathOf(value: unknown): string | undefined {
  try {
    assertCloneable(value, 'input')
    return undefined
  } catch (error) {
    if (error instanceof InvalidInputError) return error.path
    throw error
  }
}

class Invoice {
  lines = [1]
  total(): number {
    return this.lines.length
  }
}

class Live {
  inner = { listen: () => {} }
}

describe('assertCloneable', () => {
  const cyclic: Record<string, unknown> = { deep: { list: [1] } }
  cyclic.self = cyclic
  cyclic.deep = { list: [cyclic] }
  const twins = { shared: true }

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'x'],
    ['a bigint', 1n],
    ['plain data', { id: 1, data: { tags: ['a', null, undefined] } }],
    ['an object without prototype', Object.assign(Object.create(null), { a: 1 })],
    ['a cycle', cyclic],
    ['one object twice', [twins, twins]],
    ['dates, patterns and errors', [new Date(), /x/g, new Error('x')]],
    ['maps and sets', new Map<unknown, unknown>([['a', new Set([{ b: 1 }])]])],
    [
      'buffers and views',
      { buffer: new ArrayBuffer(8), view: new Uint8Array(4), data: new DataView(new ArrayBuffer(2)) },
    ],
    ['an empty buffer', new ArrayBuffer(0)],
    ['a Blob', new Blob(['x'])],
    ['an instance of a class, as plain data', new Invoice()],
    ['a property that symbols name', { [Symbol('hidden')]: () => {} }],
  ])('takes %s', (_, value) => {
    expect(pathOf(value)).toBeUndefined()
    expect(() => structuredClone(value)).not.toThrow()
  })

  const detached = new ArrayBuffer(8)
  const orphan = new Uint8Array(detached)
  structuredClone(detached, { transfer: [detached] })

  it.each<[string, unknown, string]>([
    ['a function', () => {}, 'input'],
    ['a symbol', Symbol('x'), 'input'],
    ['a method of plain data', { user: { save() {} } }, 'input.user.save'],
    ['a function in an array', { list: [1, [() => {}]] }, 'input.list[1][0]'],
    ['an odd key', { 'first name': { 'a"b': Symbol('x') } }, 'input["first name"]["a\\"b"]'],
    ['a promise', { later: Promise.resolve() }, 'input.later'],
    ['a WeakMap', { weak: new WeakMap() }, 'input.weak'],
    ['a function behind a cycle', { cyclic, f: () => {} }, 'input.f'],
    ['a function in a Map', { map: new Map([['k', { f: () => {} }]]) }, 'input.map.get("k").f'],
    ['a symbol in a Set', { set: new Set([Symbol('x')]) }, 'input.set'],
    ['a field of a class', { live: new Live() }, 'input.live.inner.listen'],
    ['a detached buffer', { bytes: detached }, 'input.bytes'],
    ['a view of a detached buffer', { bytes: orphan }, 'input.bytes'],
    [
      'a getter that throws',
      {
        user: {
          get name() {
            throw new Error('not yet')
          },
        },
      },
      'input.user.name',
    ],
  ])('refuses %s', (_, value, path) => {
    expect(pathOf(value)).toBe(path)
  })

  it('refuses shared memory, which can be posted but not stored', ({ skip }) => {
    if (typeof SharedArrayBuffer === 'undefined') return skip('this page is not cross-origin isolated')
    expect(pathOf({ memory: new SharedArrayBuffer(8) })).toBe('input.memory')
    expect(pathOf({ view: new Uint8Array(new SharedArrayBuffer(8)) })).toBe('input.view')
  })

  it('refuses what can be posted and not stored, wherever it is', () => {
    const module = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))
    class Holder {
      inner = { module }
    }
    expect(() => structuredClone(module)).not.toThrow()
    expect(pathOf(module)).toBe('input')
    expect(pathOf({ list: [1, { module }] })).toBe('input.list[1].module')
    expect(pathOf({ holder: new Holder() })).toBe('input.holder.inner.module')
    expect(() => cloneOf({ module }, 'output')).toThrow(
      /^output\.module cannot be stored: it is a WebAssembly\.Module\./,
    )
    expect(whyUncloneable(new Map([['k', module]]), 'input')?.path).toBe('input.get("k")')
    class Deep {
      constructor(readonly inner: unknown) {}
    }
    const deep = new Deep(new Map([['k', new Deep(module)]]))
    expect(pathOf(deep)).toBe('input.inner.get("k").inner')
    expect(pathOf(new Error('x', { cause: new Error('y', { cause: deep }) }))).toBe('input.inner.get("k").inner')
  })

  it('refuses a revoked Proxy instead of breaking', () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(() => assertCloneable({ proxy }, 'input')).toThrow(/^input\.proxy cannot be stored: it is not readable/)
    expect(whyUncloneable([proxy], 'input')).toBeInstanceOf(InvalidInputError)
  })

  it('refuses what is nested too deeply, whatever the stack would bear', () => {
    let nested: unknown = 1
    for (let i = 0; i < 200_000; i++) nested = [nested]
    expect(() => assertCloneable(nested, 'input')).toThrow(InvalidInputError)
    expect(() => cloneOf(nested, 'input')).toThrow(InvalidInputError)
  })

  it('clones no part of what it has cloned, however deep it is', () => {
    let reads = 0
    class Counted {
      constructor(readonly inner: unknown) {
        Object.defineProperty(this, 'reads', { enumerable: true, get: () => ++reads })
      }
    }
    const nested = (depth: number, last: unknown) => {
      let value = last
      for (let i = 0; i < depth; i++) value = new Counted(i % 2 === 0 ? value : new Map([['k', value]]))
      return value
    }
    expect(pathOf(nested(200, 1))).toBe(undefined)
    expect(reads).toBeLessThanOrEqual(2 * 200)
    reads = 0
    expect(pathOf(nested(1_000, 1))).toBe('input')
    expect(reads).toBeLessThanOrEqual(2 * 1_000)
  })

  it('refuses an error with a thousand causes as quickly as it is read', () => {
    let reads = 0
    let error = new Error('first', { cause: Object.defineProperty({}, 'n', { enumerable: true, get: () => ++reads }) })
    for (let i = 0; i < 1_000; i++) error = new Error('next', { cause: error })
    expect(pathOf(error)).toBe('input')
    expect(reads).toBeLessThanOrEqual(2)
  })

  it('says what it met and what to do', () => {
    expect(() => assertCloneable({ onDone() {} }, 'input')).toThrow(
      /^input\.onDone cannot be stored: it is a function\. Use plain data/,
    )
  })

  it.runIf(typeof document !== 'undefined')('refuses DOM nodes and windows', () => {
    expect(pathOf({ el: document.createElement('p') })).toBe('input.el')
    expect(pathOf([document])).toBe('input[0]')
  })
})

describe('cloneOf', () => {
  it('copies, so that later changes do not reach what was given', () => {
    const input = { list: [1] }
    const copy = cloneOf(input, 'input')
    input.list.push(2)
    expect(copy).toEqual({ list: [1] })
  })

  const twin = { n: 1 }
  const loop: Record<string, unknown> = { list: [1, { deep: true }], nothing: null }
  loop.self = loop
  const looped: unknown[] = [1, { deep: [2] }]
  looped.push(looped, { looped })
  const own = Object.create(null, { ['__proto__']: { value: { polluted: true }, enumerable: true } })

  it.each<[string, unknown]>([
    ['one object twice, and cycles', { twins: [twin, twin], loop }],
    ['a key that is __proto__', own],
    ['holes', Object.assign(Array(4), { 0: 1, 2: undefined, 3: 3 })],
    ['what an array has beside its items', Object.assign([1, 2], { note: 'x' })],
    ['a hole that another key makes up for', Object.assign(Array(1), { note: 'x' })],
    ['holes that other keys make up for, behind items', Object.assign([1, 2, 3], { 5: 6, a: 4, b: 5 })],
    ['an array in itself', looped],
    ['arrays and objects by turns, and again', [[twin, [twin]], { list: [{ list: [[]] }] }, twin, []]],
    ['an array beside a hidden key', Object.defineProperty([1, 2], 'hidden', { value: 'x' })],
    ['an array whose item is read by a getter', Object.defineProperty([1, 2], 1, { get: () => 7, enumerable: true })],
    ['an array whose item is hidden', Object.defineProperty([1, 2], 1, { value: 2, enumerable: false })],
    ['what is no plain data, beside what is', { at: new Date(5), list: [new Map([['k', twin]]), twin] }],
  ])('copies %s as structuredClone does', (_, value) => {
    const copy = cloneOf(value, 'input')
    expect(copy).toEqual(structuredClone(value))
    expect(Reflect.ownKeys(Object(copy)).filter((key) => typeof key === 'string')).toEqual(
      Reflect.ownKeys(Object(structuredClone(value))),
    )
  })

  it('keeps what is the same the same', () => {
    const copy = cloneOf({ twins: [twin, twin], loop }, 'input')
    expect(copy.twins[0]).toBe(copy.twins[1])
    expect(copy.twins[0]).not.toBe(twin)
    expect(copy.loop.self).toBe(copy.loop)
  })

  it('reads everything once', () => {
    let reads = 0
    const input = {
      inner: {
        get n() {
          return ++reads
        },
      },
    }
    expect(cloneOf(input, 'input')).toEqual({ inner: { n: 1 } })
  })

  it('reads every item of an array once', () => {
    const read: string[] = []
    const list = new Proxy([1, 2, 3], {
      get(target, key) {
        read.push(String(key))
        return Reflect.get(target, key)
      },
    })
    expect(cloneOf(list, 'input')).toEqual([1, 2, 3])
    expect(read.filter((key) => /\d/.test(key))).toEqual(['0', '1', '2'])
  })

  it('takes Proxies for the plain data they show', () => {
    const reactive = { state: new Proxy([new Proxy({ name: 'Ada' }, {})], {}) }
    expect(structuredClone(cloneOf(reactive, 'input'))).toEqual({ state: [{ name: 'Ada' }] })
  })

  it('finds Proxies, which a walk cannot see, and leads to them where they are in the way', () => {
    const reactive = { state: [{ user: new Proxy({ name: 'Ada' }, {}) }] }
    expect(pathOf(reactive)).toBeUndefined()
    expect(() => cloneOf({ ...reactive, at: new Date() }, 'input')).toThrow(
      expect.objectContaining({ path: 'input.state[0].user' }),
    )
    expect(whyUncloneable(reactive, 'input')?.path).toBe('input.state[0].user')
    expect(whyUncloneable({ fine: true }, 'input')).toBeUndefined()
  })
})

describe('roughSize', () => {
  const within = (value: unknown, low: number, high: number) => {
    expect(roughSize(value)).toBeGreaterThanOrEqual(low)
    expect(roughSize(value)).toBeLessThanOrEqual(high)
  }

  it('counts a byte a character, and buffers and Blobs whole', () => {
    within('x'.repeat(1_000), 1_000, 1_010)
    within({ bytes: new Uint8Array(5_000) }, 5_000, 5_050)
    within([new ArrayBuffer(70_000)], 70_000, 70_050)
    within({ meta: { kind: 'image' }, file: new Blob(['x'.repeat(9_000)]) }, 9_000, 9_100)
    within(new Map([['k', 'x'.repeat(100)]]), 100, 130)
    within(undefined, 0, 8)
  })

  it('takes long arrays to be like their parts', () => {
    within(new Array(10_000).fill('x'.repeat(10)), 100_000, 130_000)
    const people = Array.from({ length: 1_000 }, (_, i) => ({ id: i, name: 'x'.repeat(30), mail: 'y'.repeat(30) }))
    const json = JSON.stringify(people).length
    within(people, json * 0.6, json * 1.6)
    within(new Set(people), json * 0.6, json * 1.6)
    within(
      Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => 1)),
      40_000,
      120_000,
    )
  })

  it('sees a large part beside a long array', () => {
    within({ rows: new Array(1_000).fill(1), image: new Uint8Array(1_000_000) }, 1_000_000, 1_020_000)
  })

  it('ends on cycles', () => {
    const cyclic: Record<string, unknown> = { name: 'x' }
    cyclic.self = cyclic
    within(cyclic, 1, 2_000)
  })
})
