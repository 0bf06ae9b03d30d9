import { PermanentError } from '../../src/errors.js'

class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly status = 503
  readonly code = 'E_HTTP'
  readonly retryable = false
  readonly body = { save() {} }
}

const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const trapped = () =>
  new Proxy(new Error('x'), {
    get() {
      throw new Error('trap')
    },
    getPrototypeOf() {
      throw new Error('trap')
    },
  })

/** Causes within causes, the last of which leads back to the first. */
const chain = (length: number) => {
  const first: Error & { cause?: unknown } = new Error('1')
  let last = first
  for (let i = 2; i <= length; i++) {
    const next: Error & { cause?: unknown } = new Error(String(i))
    last.cause = next
    last = next
  }
  last.cause = first
  return first
}

const getters = () => {
  const get = () => {
    throw new Error('getter')
  }
  return Object.defineProperties(
    {},
    { name: { get }, message: { get }, stack: { get }, code: { get }, cause: { get }, toJSON: { get } },
  )
}

/** What handlers throw, and what is recorded of it. */
export const thrown: Record<string, { make: () => unknown; record: object }> = {
  undefined: { make: () => undefined, record: { name: 'Error', message: 'undefined' } },
  null: { make: () => null, record: { name: 'Error', message: 'null' } },
  'a string': { make: () => 'no', record: { name: 'Error', message: 'no' } },
  'an empty string': { make: () => '', record: { name: 'Error', message: '' } },
  'a symbol': { make: () => Symbol('s'), record: { name: 'Error', message: 'Symbol(s)' } },
  'a BigInt': { make: () => 5n, record: { name: 'Error', message: '5' } },
  'an object': { make: () => ({ status: 404 }), record: { name: 'Error', message: '{"status":404}' } },
  'an object that cannot be told': {
    make: () => ({ n: 1n }),
    record: { message: 'an error that cannot be described' },
  },
  'an object whose getters throw': {
    make: getters,
    record: { name: 'Error', message: 'an error that cannot be described' },
  },
  'a revoked Proxy': { make: revoked, record: { name: 'Error', message: 'an error that cannot be described' } },
  'a Proxy whose traps throw': { make: trapped, record: { name: 'Error' } },
  'a frozen error': {
    make: () => Object.freeze(new TypeError('cold')),
    record: { name: 'TypeError', message: 'cold' },
  },
  'a message that is no text': {
    make: () => Object.assign(new Error(), { message: { a: 1 } }),
    record: { name: 'Error', message: '{"message":{"a":1}}' },
  },
  'a message of 50 MB': {
    make: () => new Error('x'.repeat(50_000_000)),
    record: { message: `${'x'.repeat(9_999)}…`, stack: expectShort() },
  },
  'a name and a code of 50 MB': {
    make: () => Object.assign(new Error('long'), { name: 'n'.repeat(50_000_000), code: 'c'.repeat(50_000_000) }),
    record: { name: `${'n'.repeat(199)}…`, code: `${'c'.repeat(199)}…` },
  },
  'a message cut within an emoji': {
    make: () => new Error(`${'x'.repeat(9_998)}😀😀`),
    record: { message: `${'x'.repeat(9_998)}…` },
  },
  'lone surrogates': { make: () => new Error('\ud800'), record: { message: '\ud800' } },
  HTML: { make: () => new Error('<img src=x onerror=alert(1)>'), record: { message: '<img src=x onerror=alert(1)>' } },
  '1,000 causes in a circle': {
    make: () => chain(1_000),
    record: {
      message: '1',
      cause: { message: '2', cause: { message: '3', cause: { message: '4', cause: { message: '5' } } } },
    },
  },
  'an AggregateError': {
    make: () => new AggregateError([new TypeError('first'), new Error('second')], 'all'),
    record: { name: 'AggregateError', message: 'all', cause: { name: 'TypeError', message: 'first' } },
  },
  'a DOMException': {
    make: () => new DOMException('gone', 'NotFoundError'),
    record: { name: 'NotFoundError', message: 'gone', code: '8' },
  },
  'a class of its own': {
    make: () => new HttpError('busy'),
    record: { name: 'HttpError', message: 'busy', code: 'E_HTTP', retryable: false },
  },
  'a PermanentError': {
    make: () => new PermanentError('never'),
    record: { name: 'PermanentError', code: 'permanent', retryable: false },
  },
  'a function': { make: () => () => {}, record: { name: 'Error', message: '() => {}' } },
}

/** A matcher, without vitest: Web Workers import this file too. */
function expectShort(): object {
  // V8 begins it with the message, so there it is cut too.
  const mostlyMessage = (text: string) => !text.includes('xxx') || text.length === 10_000
  return {
    asymmetricMatch: (text: unknown) => typeof text === 'string' && text.length <= 10_000 && mostlyMessage(text),
  }
}
