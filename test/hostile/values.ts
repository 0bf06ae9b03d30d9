/** Values that few would think of, each made anew: one that is given to someone may be changed. */

class Account {
  owner = 'Ada'
  readonly #secret = 'hidden'
  get masked(): string {
    return this.#secret.slice(0, 1)
  }
  toJSON(): never {
    throw new Error('toJSON was called')
  }
}

const cyclic = () => {
  const self: Record<string, unknown> = { list: [] as unknown[] }
  self.self = self
  self.list = [self, new Map([['self', self]]), new Set([self])]
  return self
}

const sharing = () => {
  const shared = { x: 1 }
  return { a: shared, b: [shared, shared] }
}

const nested = (levels: number) => {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

const caused = () => new RangeError('outer', { cause: new Error('inner') })

/** WebKitGTK (2.50) clones no cause: it makes a text of it. */
function causedClone(): Error {
  const { cause } = structuredClone(caused())
  return typeof cause === 'string' ? new RangeError('outer', { cause: 'Error: inner' }) : caused()
}

/** Those that can be stored, and what arrives. */
export const kept: [what: string, make: () => unknown, arrives?: unknown][] = [
  ['undefined', () => undefined],
  ['NaN, −0 and infinities', () => [Number.NaN, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
  ['a large BigInt', () => 2n ** 1_000n],
  ['an invalid Date', () => new Date(Number.NaN)],
  ['a RegExp', () => /a[\]]+/giu],
  ['lone surrogates and NUL', () => ({ 'a\u0000\ud800': '\udc00\u0000' })],
  ['a null-prototype object, as a plain one', () => Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ['an instance of a class, as its own fields', () => new Account(), { owner: 'Ada' }],
  ['cycles through objects, Maps and Sets', cyclic],
  ['shared references', sharing],
  ['a sparse array', () => Object.assign([], { 5: 'five' })],
  ['own keys that prototypes have', () => JSON.parse('{"__proto__":{"polluted":1},"constructor":1,"toString":null}')],
  ['an accessor, as what it gives', () => Object.defineProperty({}, 'x', { get: () => 5, enumerable: true }), { x: 5 }],
  ['a frozen object', () => Object.freeze({ a: Object.freeze([1]) })],
  [
    'typed arrays, DataViews and parts of buffers',
    () => [
      new Uint8Array([1, 2, 3]).subarray(1),
      new Float64Array([Number.NaN]),
      new BigInt64Array([-1n]),
      new DataView(new ArrayBuffer(4), 1, 2),
    ],
  ],
  ['an Error with a cause', caused, causedClone()],
  ['boxed values', () => [Object(1), Object('x'), Object(true), Object(1n)]],
  [
    'Proxies, as the plain data they show',
    () => new Proxy({ state: [new Proxy({ a: 1 }, {})] }, {}),
    { state: [{ a: 1 }] },
  ],
  ['10,000 keys', () => Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, i]))],
  ['499 levels', () => nested(499)],
  [
    '499 levels of objects, Maps and Sets',
    () => {
      let value: unknown = 1
      for (let i = 0; i < 166; i++) value = { a: new Map([['k', new Set([value])]]) }
      return [value]
    },
  ],
]

/** Compared by its keys: a matcher would look at every index. */
export const long = () => Object.assign([], { length: 4_000_000_000, 7: 'x', 3999999999: { y: 1 } })

/** Chromium says that it is one too. These files run in Node and in Web Workers, where nobody else tells which engine it is. */
export const isWebKit = /AppleWebKit(?!.*Chrome)/.test(globalThis.navigator?.userAgent ?? '')
/** The engine alone takes two minutes for one of them, at each clone: 30 ns an index. */
export const longClones = [isWebKit, 'structured clone looks at each index of an array, items or not'] as const

const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const throwing = () =>
  new Proxy(
    {},
    {
      ownKeys() {
        throw new Error('trap')
      },
    },
  )

const detached = () => {
  const buffer = new ArrayBuffer(8)
  structuredClone(buffer, { transfer: [buffer] })
  return buffer
}

const module = () => new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))

/** Those that cannot, and the path to the part that cannot, seen from the value. */
export const refused: [what: string, make: () => unknown, path: string][] = [
  ['a function', () => () => {}, ''],
  ['a symbol deep in it', () => ({ a: [{ b: Symbol('x') }] }), '.a[0].b'],
  ['a promise', () => ({ later: Promise.resolve() }), '.later'],
  ['a WeakMap', () => [new WeakMap()], '[0]'],
  ['a WeakRef', () => ({ ref: new WeakRef({}) }), '.ref'],
  ['a generator', () => ({ rows: (function* () {})() }), '.rows'],
  ['a Proxy beside what is no plain data', () => ({ at: new Date(), state: new Proxy({ a: 1 }, {}) }), '.state'],
  ['a revoked Proxy', () => ({ state: [revoked()] }), '.state[0]'],
  ['a Proxy whose traps throw', () => ({ state: throwing() }), '.state'],
  ['a detached buffer', () => ({ bytes: detached() }), '.bytes'],
  ['a stream', () => ({ body: new ReadableStream() }), '.body'],
  ['a port', () => ({ port: new MessageChannel().port1 }), '.port'],
  ['compiled WebAssembly', () => ({ module: module() }), '.module'],
  ['501 levels', () => nested(501), ''],
  ['100,000 levels', () => nested(100_000), ''],
  [
    'an Error with 1,000 causes',
    () => {
      let error = new Error('last')
      for (let i = 0; i < 1_000; i++) error = new Error(String(i), { cause: error })
      return error
    },
    '',
  ],
  ['an array with a method', () => Object.assign([1], { sum() {} }), '.sum'],
  [
    'a Map with a function behind a cycle',
    () => {
      const map = new Map<string, unknown>([['f', () => {}]])
      return { map: map.set('self', map) }
    },
    '.map.get("f")',
  ],
  [
    'a getter that throws',
    () => ({
      get late() {
        throw new Error('not yet')
      },
    }),
    '.late',
  ],
  [
    'a getter that gives something else each time, and nothing that can be stored the second time',
    () => {
      let reads = 0
      return {
        at: new Date(),
        get x() {
          return reads++ === 0 ? 1 : () => {}
        },
      }
    },
    '.x',
  ],
]
