import { describe, expect, it } from 'vitest'
import { touchedBy } from './globals.js'

/** Each by the package's name, as an app does, and in this order: nothing is imported before. */
describe('importing', () => {
  it.each([
    ['sitq', () => import('sitq')],
    ['sitq/indexeddb', () => import('sitq/indexeddb')],
    ['sitq/web-worker', () => import('sitq/web-worker')],
  ])('%s touches no global, be it there or not', async (_, load) => {
    let exported: object = {}
    const touched = await touchedBy(async () => {
      exported = await load()
    })
    expect(touched).toEqual([])
    expect(Object.keys(exported)).not.toEqual([])
  })
})

describe('the globals', () => {
  it('are watched', async () => {
    expect(await touchedBy(() => typeof navigator)).toEqual(['navigator'])
    expect(await touchedBy(() => Reflect.get(globalThis, 'indexedDB'))).toEqual(['indexedDB'])
    expect(await touchedBy(() => Promise.resolve())).toEqual([])
  })
})

describe('making', () => {
  it('a queue, a worker and their parts touches nothing that any runtime lacks', async () => {
    const { inline, MemoryBackend, PerformanceMonitor, pipeline, TaskQueue, TaskWorker } = await import('sitq')
    const { IndexedDBBackend } = await import('sitq/indexeddb')
    const { webWorkers } = await import('sitq/web-worker')
    const touched = await touchedBy(() => {
      const queue = new TaskQueue({ backend: new MemoryBackend() })
      new TaskWorker(queue, { executor: inline({ work: () => 1 }) })
      new TaskWorker(queue, { executor: webWorkers(() => new Worker('data:,')) })
      new PerformanceMonitor()
      pipeline('p').map('a')
    })
    expect(touched.filter((name) => name !== 'AbortController')).toEqual([])
    // It looks whether there are locks, and takes their absence as it is.
    const asked = await touchedBy(() => new IndexedDBBackend({ name: 'smoke' }))
    expect(asked.filter((name) => !['AbortController', 'isSecureContext', 'navigator'].includes(name))).toEqual([])
  })
})

describe('IndexedDB', () => {
  it.runIf(typeof indexedDB === 'undefined')('where there is none, an error names another backend', async () => {
    const { TaskQueue } = await import('sitq')
    const { IndexedDBBackend } = await import('sitq/indexeddb')
    const queue = new TaskQueue({ backend: new IndexedDBBackend({ name: 'smoke' }) })
    await expect(queue.enqueue('work', 1)).rejects.toThrow('There is no IndexedDB here: use another backend, such as')
    await queue.close()
  })
})
