import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  customMatchers,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from '@vitest/expect'
import { until } from './until.js'

chai.use(JestExtend)
chai.use(JestChaiExpect)
chai.use(JestAsymmetricMatchers)

const base = (value: unknown, message?: string) => chai.expect(value, message)

/** vitest's expect, without what needs its runner: snapshots, counts of assertions, `soft`. */
export const expect = Object.assign(base, chai.expect, Reflect.get(globalThis, ASYMMETRIC_MATCHERS_OBJECT), {
  poll: (read: () => unknown, limits?: { timeout?: number; interval?: number }) => polling(read, limits, false),
})
Reflect.set(globalThis, GLOBAL_EXPECT, expect)
Reflect.apply(Reflect.get(chai.expect, 'extend'), chai.expect, [expect, customMatchers])

/** Every matcher, tried until it holds. */
function polling(read: () => unknown, limits: { timeout?: number; interval?: number } = {}, not: boolean): object {
  return new Proxy(
    {},
    {
      get: (_, matcher) =>
        matcher === 'not'
          ? polling(read, limits, !not)
          : (...given: unknown[]) =>
              until(async () => {
                const assertion = expect(await read())
                const target: object = not ? assertion.not : assertion
                await Reflect.apply(Reflect.get(target, matcher), target, given)
              }, limits),
    },
  )
}
