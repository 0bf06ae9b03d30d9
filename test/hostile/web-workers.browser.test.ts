import { describe, expect, test } from 'vitest'
import { IndexedDBBackend } from '../../src/indexeddb/index.js'
import { webWorkers } from '../../src/web-worker/index.js'
import { vandalisms } from '../support/workers/hostile.js'
import { app, backends, leavesPrototypesAlone } from './app.js'
import { thrown } from './thrown.js'
import { isWebKit, kept, long, longClones, refused } from './values.js'

leavesPrototypesAlone()

const spawn = () => new Worker(new URL('../support/workers/hostile.worker.ts', import.meta.url), { type: 'module' })
const indexedDBBackend = () => {
  const backend = backends[1]?.[1]()
  if (!(backend instanceof IndexedDBBackend)) throw new Error('The second backend is IndexedDB.')
  return backend
}
const inWorkers = (size = 1) => app(indexedDBBackend(), webWorkers(spawn, { size }))

const MB = 1_000_000
/** WebKitGTK's (tried: 2.50) are driven in private windows, where it keeps none. */
const storesBlobs = !isWebKit

describe('through real Web Workers and IndexedDB', () => {
  test('values arrive in handlers and come back as they were stored', { timeout: 60_000 }, async () => {
    const { queue, complaints } = await inWorkers()
    for (const [what, value, arrives] of kept) {
      const expected = arrives ?? value()
      expect(await (await queue.enqueue('echo', value())).result(), what).toStrictEqual(expected)
      expect(await (await queue.enqueue('returnsKept', what)).result(), what).toStrictEqual(expected)
    }
    expect(complaints).toEqual([])
  })

  test('what handlers return and cannot be stored fails the task at once, with the path', async () => {
    const { queue, complaints } = await inWorkers()
    for (const [what, , path] of refused) {
      const result = await queue.getResult((await queue.enqueue('returnsRefused', what)).id)
      // Promises are awaited, wherever else they are refused.
      expect(result, what).toMatchObject({ status: 'failed', attempts: 1, error: { code: 'uncloneable' } })
      expect(result?.status === 'failed' && result.error.message, what).toContain(`output${path} cannot be stored`)
    }
    expect(complaints).toEqual([])
  })

  test('what handlers throw is recorded as it is without Web Workers', { timeout: 60_000 }, async () => {
    const { queue, complaints } = await inWorkers()
    for (const [what, { record }] of Object.entries(thrown)) {
      const result = await queue.getResult((await queue.enqueue('throws', what, { retry: { attempts: 1 } })).id)
      expect(result, what).toMatchObject({ status: 'failed', error: record })
    }
    expect(complaints).toEqual([])
  })

  test('handlers may have names that every object has', async () => {
    const { queue } = await inWorkers()
    for (const name of ['__proto__', 'constructor', '\ud800']) {
      expect(await (await queue.enqueue(name, 1)).result()).toEqual([name, 1])
    }
    const unknown = await queue.enqueue('toString')
    await expect.poll(async () => (await unknown.get())?.state).toBe('blocked')
  })

  test('many arrays of 4,000,000,000 in one batch keep nobody busy', async ({ skip }) => {
    skip(...longClones)
    const { queue } = await inWorkers()
    await (
      await queue.enqueueMany(
        'echo',
        Array.from({ length: 50 }, (_, i) => i),
      )
    ).collect()
    const results = await (await queue.enqueueMany('echo', Array.from({ length: 20 }, long))).collect({
      timeout: 10_000,
    })
    for (const result of results) {
      expect(result.status === 'completed' && Object.keys(Object(result.value))).toEqual(['7', '3999999999'])
    }
  })

  test('50 MB of text, bytes or Blob go in and come out', { timeout: 120_000 }, async () => {
    const { queue, complaints } = await inWorkers()
    const size = 50 * MB
    const blobs = storesBlobs ? [new Blob([new Uint8Array(size)])] : []
    const inputs = ['é'.repeat(size), new ArrayBuffer(size), ...blobs]
    for (const input of inputs)
      expect(await (await queue.enqueue('sizeOf', input)).result({ timeout: 30_000 })).toBe(size)
    const text = await (await queue.enqueue('text', size)).result({ timeout: 30_000 })
    expect(String(text).length).toBe(size)
    const bytes = await (await queue.enqueue('bytes', size)).result({ timeout: 30_000 })
    expect(bytes instanceof ArrayBuffer && bytes.byteLength).toBe(size)
    const blob = storesBlobs && (await (await queue.enqueue('blob', size)).result({ timeout: 30_000 }))
    if (storesBlobs) expect(blob instanceof Blob && blob.size).toBe(size)
    expect(complaints).toEqual([])
  })

  test('a Blob that the browser cannot store is refused, and nothing is written', async ({ skip }) => {
    skip(storesBlobs, 'it stores Blobs')
    const { queue } = await inWorkers()
    await expect(queue.enqueue('sizeOf', new Blob(['x']))).rejects.toMatchObject({ code: 'uncloneable' })
    await expect(queue.enqueueMany('sizeOf', [1, new Blob(['x'])])).rejects.toMatchObject({ code: 'uncloneable' })
    expect(await queue.counts()).toMatchObject({ available: 0, completed: 0 })
    expect(await queue.getResult((await queue.enqueue('blob', 1)).id)).toMatchObject({ status: 'failed' })
    expect(await (await queue.enqueue('echo', 1)).result()).toBe(1)
  })

  test('an input with 1,000,000 keys arrives whole', { timeout: 60_000 }, async () => {
    const { queue } = await inWorkers()
    const input = Object.fromEntries(Array.from({ length: MB }, (_, i) => [`key ${i}`, i]))
    expect(await (await queue.enqueue('keyCount', input)).result({ timeout: 30_000 })).toBe(MB)
  })

  test('100,000 follow-ups of one task are stored with its outcome', { timeout: 120_000 }, async () => {
    const { queue, complaints } = await inWorkers(2)
    await queue.enqueueMany('echo', [], { id: 'followed', open: true })
    const task = await queue.enqueue('follow', 100_000)
    await task.result({ timeout: 60_000 })
    const batch = await queue.batch('followed')
    await batch?.end()
    expect(await batch?.progress()).toMatchObject({ total: 100_000 })
    await batch?.collect({ timeout: 60_000 })
    expect(await batch?.progress()).toMatchObject({ completed: 100_000 })
    expect(complaints).toEqual([])
  })

  test.each(vandalisms)('a handler that %s does not stop the queue', { timeout: 30_000 }, async (what) => {
    const { queue } = await inWorkers()
    const vandal = await queue.enqueue('vandalize', what)
    expect(await vandal.result({ timeout: 10_000 })).toBeUndefined()
    const batch = await queue.enqueueMany(
      'echo',
      Array.from({ length: 300 }, (_, i) => ({ i, list: [i] })),
    )
    const results = await batch.collect({ timeout: 10_000 })
    expect(results.map((result) => result.status === 'completed' && result.value)).toEqual(
      Array.from({ length: 300 }, (_, i) => ({ i, list: [i] })),
    )
    const error = await queue.getResult(
      (await queue.enqueue('throws', 'a frozen error', { retry: { attempts: 1 } })).id,
    )
    expect(error).toMatchObject({ status: 'failed', error: { message: 'cold' } })
  })

  test('what only a page has is refused with its path, or kept', async () => {
    const { queue } = await inWorkers()
    const canvas = new OffscreenCanvas(2, 2)
    canvas.getContext('2d')
    const odd: [unknown, string][] = [
      [{ el: document.body }, 'input.el'],
      [[window], 'input[0]'],
      [{ event: new Event('x') }, 'input.event'],
      [{ canvas }, 'input.canvas'],
      [{ list: document.querySelectorAll('p') }, 'input.list'],
      [{ abort: new AbortController().signal }, 'input.abort'],
    ]
    for (const [input, path] of odd) await expect(queue.enqueue('echo', input)).rejects.toMatchObject({ path })
    const image = new ImageData(new Uint8ClampedArray([1, 2, 3, 4]), 1, 1)
    expect(await (await queue.enqueue('echo', image)).result()).toMatchObject({ width: 1, height: 1 })
    if (!storesBlobs) return
    const file = new File(['hello'], '<b>.txt', { type: 'text/plain', lastModified: 5 })
    const back = await (await queue.enqueue('echo', { file })).result()
    const copy: unknown = Object(back).file
    expect(copy instanceof File && [copy.name, copy.type, copy.lastModified, await copy.text()]).toEqual([
      '<b>.txt',
      'text/plain',
      5,
      'hello',
    ])
  })
})
