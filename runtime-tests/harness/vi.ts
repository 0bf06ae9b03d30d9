import { fn, restoreAllMocks, spyOn } from '@vitest/spy'
import { until } from './until.js'

const stubbed = new Map<string, PropertyDescriptor | undefined>()

export const vi = {
  fn,
  spyOn,
  restoreAllMocks,
  stubGlobal(name: string, value: unknown): void {
    if (!stubbed.has(name)) stubbed.set(name, Object.getOwnPropertyDescriptor(globalThis, name))
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: true })
  },
  unstubAllGlobals(): void {
    for (const [name, before] of stubbed) {
      if (before) Object.defineProperty(globalThis, name, before)
      else Reflect.deleteProperty(globalThis, name)
    }
    stubbed.clear()
  },
  waitFor: until,
  waitUntil: <T>(read: () => T | Promise<T>, limits?: { timeout?: number; interval?: number }): Promise<T> =>
    until(async () => {
      const value = await read()
      if (!value) throw new Error('It does not come true.')
      return value
    }, limits),
}
