import type { Storage } from '../../src/storage.js'

/**
 * A storage that commits every plan that writes, loses the answer, and runs the plan again: what IndexedDB does when its
 * connection breaks in a commit. Whatever is stored must be as if it had run once. `lose` says which runs, default all.
 */
export function repeating<S extends Storage>(storage: S, lose: () => boolean = () => true): S {
  const run: Storage['run'] = async (plan, options) => {
    if (options.write && lose()) await storage.run(plan, options)
    return storage.run(plan, options)
  }
  return new Proxy(storage, {
    get: (target, key) => {
      if (key === 'run') return run
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
