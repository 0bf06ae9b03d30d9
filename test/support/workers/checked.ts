import { defineHandlers, type StandardSchema } from '../../../src/handlers.js'

export interface Letter {
  to: string
  copies: number
}

/** What a schema library would make: takes letters, and takes a number of copies as text. */
function letters(made: (stored: unknown) => unknown = (stored) => stored): StandardSchema<Letter>['~standard'] {
  return {
    version: 1,
    vendor: 'test',
    validate: (stored) => {
      const { to, copies } = Object(made(stored))
      const issues = [
        ...(typeof to === 'string' ? [] : [{ message: 'expected string', path: ['to'] }]),
        ...(Number.isInteger(Number(copies)) ? [] : [{ message: 'expected integer', path: [{ key: 'copies' }] }]),
      ]
      return issues.length > 0 ? { issues } : { value: { to, copies: Number(copies) } }
    },
  }
}

let calls = 0
const run = (letter: Letter) => {
  calls++
  return letter
}

/** Handlers that say what they take. */
export const checked = defineHandlers({
  calls: () => calls,
  bySchema: { run, input: { '~standard': letters() } },
  /** As arktype's are. */
  byCallable: { run, input: Object.assign((_: unknown) => 'not asked', { '~standard': letters() }) },
  bySlowSchema: {
    run,
    input: {
      '~standard': {
        ...letters(),
        validate: async (stored: unknown) => {
          await new Promise((resolve) => setTimeout(resolve))
          return letters().validate(stored)
        },
      },
    },
  },
  /** From the form of an older version, which was text alone. */
  byFunction: {
    run,
    input: (stored: unknown): Letter => {
      if (typeof stored === 'string') return { to: stored, copies: 1 }
      throw new TypeError(`expected text, not ${typeof stored}`)
    },
  },
  byAsyncFunction: {
    run,
    input: async (stored: unknown): Promise<Letter> => {
      if (typeof stored !== 'string') throw 'expected text'
      return { to: stored, copies: 1 }
    },
  },
  /** What `schema.parse` throws has issues. */
  byParse: {
    run,
    input: (): Letter => {
      throw Object.assign(new Error('[{"a":"lot of JSON"}]'), {
        issues: [
          { message: 'too long', path: ['list', 3, 'first name'] },
          { message: 'no', path: [] },
          { message: 'no path' },
          { message: 'one more' },
          { message: 'and one' },
        ],
      })
    },
  },
  changesInput: {
    run: ({ list }: { list: number[] }) => list.length,
    input: (stored: unknown): { list: number[] } => {
      const { list } = Object(stored)
      list.push(1)
      return { list }
    },
  },
  /** Breaks rules, as `how` says. */
  hostile: {
    run: () => 'ran',
    input: (how: unknown): undefined => {
      if (how === 'throws nothing') throw undefined
      if (how === 'throws a trap') {
        throw new Proxy(
          {},
          {
            get() {
              throw new Error('trap')
            },
          },
        )
      }
      if (how === 'throws much') throw new Error('x'.repeat(5_000_000))
      if (how === 'throws odd issues') throw { issues: [null, { message: 5, path: 'x' }, { path: [Symbol('s')] }] }
      return undefined
    },
  },
  answersNothing: {
    run,
    input: { '~standard': { ...letters(), validate: () => JSON.parse('null') } },
  },
  hangs: { run: () => 'ran', input: () => new Promise<undefined>(() => {}), timeout: 50 },
})
