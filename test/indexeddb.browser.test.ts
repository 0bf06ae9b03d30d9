import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { cdp, commands, server } from 'vitest/browser'
import type { Hint } from '../src/channel.js'
import { systemClock } from '../src/clock.js'
import { whyUncloneable } from '../src/cloneable.js'
import { StorageError } from '../src/errors.js'
import type { Executor } from '../src/executor.js'
import { broadcastChannel } from '../src/indexeddb/channel.js'
import { IndexedDBBackend } from '../src/indexeddb/index.js'
import type { DatabaseEvent } from '../src/indexeddb/link.js'
import { webLocks } from '../src/indexeddb/locks.js'
import { estimate, persist } from '../src/indexeddb/persistence.js'
import { IndexedDBStorage } from '../src/indexeddb/storage.js'
import { inline } from '../src/inline.js'
import type { Key } from '../src/keys.js'
import { stores } from '../src/plan/records.js'
import { TaskQueue } from '../src/queue.js'
import { KeyTakenError, type Plan, type Read, type Write } from '../src/storage.js'
import { TaskWorker } from '../src/worker.js'

// What only a real browser shows. The rest of IndexedDB's tests run in Node too: indexeddb.test.ts, storage.test.ts.

const all = { stores, write: true }
const writing = (...writes: Write[]) =>
  function* (): Plan<string> {
    yield []
    return { writes, value: 'done' }
  }
const record = (key: Key, value: unknown, kind: 'put' | 'add' = 'put'): Write => ({
  kind,
  store: 'marks',
  key,
  record: value,
})

function make(name = crypto.randomUUID()) {
  const events: DatabaseEvent['event'][] = []
  const storage = new IndexedDBStorage({ name, onEvent: ({ event }) => events.push(event) })
  onTestFinished(() => storage.destroy())
  const find = (key: Key) =>
    storage.run(
      function* (): Plan<unknown> {
        const read: Read = { table: 'raw', store: 'marks', key, keys: [], found: [] }
        yield [read]
        return { writes: [], value: read.found[0] }
      },
      { stores, write: false },
    )
  return { name, storage, events, find }
}

const noProtocol = [server.browser !== 'chromium', 'it takes the DevTools protocol'] as const
const noCrashes = [server.browser === 'webkit', 'its WebDriver ends the session when a page crashes'] as const

describe('IndexedDB in a browser', () => {
  it('goes on after the browser closed the connection and deleted the data', async ({ skip }) => {
    skip(...noProtocol)
    const { storage, events, find } = make()
    await storage.run(writing(record(1, 'kept')), all)
    await cdp().send('Storage.clearDataForOrigin', { origin: location.origin, storageTypes: 'indexeddb' })
    await expect.poll(() => events).toEqual(['lost'])
    await expect(find(1)).rejects.toMatchObject({ code: 'lost' })
    expect(await find(1)).toBeUndefined()
    expect(storage.generation).toBe(2)
  })

  it('repeats writes whose commit was not answered', async () => {
    const { storage, events, find } = make()
    await storage.open()
    const restore = loseAnswers(1)
    let runs = 0
    const counting = storage.run(function* (): Plan<number> {
      runs++
      const read: Read = { table: 'raw', store: 'marks', key: 'n', keys: [], found: [] }
      yield [read]
      const found: unknown = read.found[0]
      const count = typeof found === 'number' ? found : 0
      return { writes: [record('n', count + 1)], value: count + 1 }
    }, all)
    // This plan is none that can be repeated: it shows that the first run was stored.
    expect(await counting).toBe(2)
    expect(runs).toBe(2)
    expect(events).toEqual(['lost', 'reopened'])

    restore()
    loseAnswers(1)
    const added = storage.run(writing(record(7, 'mine', 'add')), all)
    await expect(added).rejects.toMatchObject({ code: 'lost', cause: expect.any(KeyTakenError) })
    expect(await find(7)).toBe('mine')
  })

  it('says "lost" if the repetition was not answered either', async () => {
    const { storage } = make()
    await storage.open()
    loseAnswers(2)
    const error: unknown = await storage.run(writing(record(1, 1)), all).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(StorageError)
    expect(error).toMatchObject({ code: 'lost' })
  })

  it('refuses what goes beyond the quota, keeps what was stored, and goes on when there is space', async ({ skip }) => {
    skip(...noProtocol)
    const { origin } = location
    // Chromium asks for the space left only now and then; after this it has to.
    await cdp().send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' })
    await cdp().send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1_000_000 })
    onTestFinished(async () => {
      await cdp().send('Storage.overrideQuotaForOrigin', { origin })
    })
    const { storage, events, find } = make()
    await storage.run(writing(record(1, 'kept')), all)
    const large = crypto.getRandomValues(new Uint8Array(65_536))
    const writes = Array.from({ length: 100 }, (_, i) => record(['large', i], large))
    await expect(storage.run(writing(record(2, 'with it'), ...writes), all)).rejects.toMatchObject({ code: 'quota' })
    expect(events).toEqual(['quota'])
    expect([await find(1), await find(2)]).toEqual(['kept', undefined])
    await cdp().send('Storage.overrideQuotaForOrigin', { origin })
    expect(await storage.run(writing(...writes), all)).toBe('done')
  })

  it('finishes the transactions under way when another tab deletes or upgrades', async () => {
    const { name, storage } = make()
    await storage.open()
    const values = Promise.all(Array.from({ length: 20 }, (_, i) => storage.run(writing(record(i, i)), all)))
    await new IndexedDBStorage({ name }).destroy()
    expect(await values).toEqual(Array.from({ length: 20 }, () => 'done'))
  })

  it('passes the durability on', async () => {
    const strict = new IndexedDBStorage({ name: crypto.randomUUID(), durability: 'strict' })
    onTestFinished(() => strict.destroy())
    const { storage } = make()
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction')
    onTestFinished(() => transaction.mockRestore())
    await strict.run(writing(record(1, 1)), all)
    await strict.run(writing(record(1, 1)), { ...all, durability: 'relaxed' })
    await storage.run(writing(record(1, 1)), all)
    expect(transaction.mock.results.map(({ value }) => value.durability)).toEqual(['strict', 'relaxed', 'relaxed'])
  })

  it('asks for persistence and tells the space', async () => {
    expect(await persist()).toBeTypeOf('boolean')
    const space = await estimate()
    // WebKitGTK has none of it.
    if (!('storage' in navigator)) return expect(space).toBeUndefined()
    const { usage, quota } = space ?? {}
    expect(usage).toBeGreaterThanOrEqual(0)
    expect(quota).toBeGreaterThan(0)
  })
})

describe('locks and marks across tabs', () => {
  const inTab = (name: string, code: string) =>
    `import('/src/indexeddb/locks.ts').then(({ webLocks }) => { const locks = webLocks('${name}'); ${code} })`

  it('are stolen from another tab, which is told, and freed when a tab crashes', async ({ skip }) => {
    skip(...noCrashes)
    const name = crypto.randomUUID()
    const locks = webLocks(name)
    const tab = await commands.openTab('/package.json')
    const hold = `return new Promise((got) => {
      window.ended = locks.hold({}, (lost) => new Promise((end) => { got(); lost.onabort = () => { window.lost = true; end() } }))
    })`
    await commands.evalTab(tab, inTab(name, hold))
    expect(await locks?.hold({ ifAvailable: true }, async () => {})).toBe(false)
    expect(await locks?.hold({ steal: true }, async () => {})).toBe(true)
    expect(await commands.evalTab(tab, 'window.ended.then((held) => [held, window.lost])')).toEqual([true, true])

    await commands.evalTab(tab, inTab(name, hold))
    const next = locks?.hold({}, async () => {})
    await commands.crashTab(tab)
    expect(await next).toBe(true)
  })
})

/** The next answers to commits are lost on the way: the transaction is complete, and its page hears of an abort. */
function loseAnswers(times: number): () => void {
  const { transaction } = IDBDatabase.prototype
  const spy = vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (this: IDBDatabase, ...args) {
    const tx = transaction.apply(this, args)
    if (tx.mode === 'readwrite' && times-- > 0) {
      tx.addEventListener('complete', (event) => {
        event.stopImmediatePropagation()
        tx.dispatchEvent(new Event('abort'))
      })
    }
    return tx
  })
  onTestFinished(() => spy.mockRestore())
  return () => spy.mockRestore()
}

describe('channel', () => {
  const hint: Hint = { type: 'added', queues: ['default'] }

  function listening(name: string) {
    const channel = broadcastChannel(name)
    const heard: Hint[] = []
    const stop = channel.listen((hint) => heard.push(hint))
    onTestFinished(() => channel.close())
    return { channel, heard, stop }
  }

  it('carries hints to all who use the name, the sender too, once each, and no further', async () => {
    const [a, b, other] = [listening('a'), listening('a'), listening('b')]
    a.channel.post(hint)
    await expect.poll(() => [a.heard, b.heard]).toEqual([[hint], [hint]])
    b.stop()
    b.channel.post({ type: 'changed', change: 'pause' })
    await expect.poll(() => a.heard.length).toBe(2)
    expect(b.heard).toHaveLength(1)
    expect(other.heard).toEqual([])
  })

  it('tells other tabs what happened before it is closed', async () => {
    const [a, b] = [listening('d'), listening('d')]
    const ended: Hint = { type: 'ended', intervals: [0, 1, 2], batches: [] }
    b.channel.post(ended)
    b.channel.post(hint)
    b.channel.close()
    await expect.poll(() => a.heard).toEqual([ended, hint])
  })

  it('says nothing of tasks while nobody else listens, and tells who comes then that there may be something', async () => {
    const a = listening('e')
    const raw = new BroadcastChannel('sitq:e')
    onTestFinished(() => raw.close())
    const said: unknown[] = []
    raw.onmessage = ({ data }) => said.push(data)
    const types = () => said.map((message) => (message instanceof Object && 'type' in message ? message.type : message))
    // Whoever is there has 100 ms to answer.
    await expect
      .poll(
        () => {
          said.length = 0
          a.channel.post(hint)
          a.channel.post({ type: 'changed', change: 'resume' })
          return new Promise((resolve) => setTimeout(() => resolve(types()), 100))
        },
        { timeout: 5_000 },
      )
      .toEqual(['changed'])
    said.length = 0
    const b = listening('e')
    await expect.poll(() => b.heard).toEqual([{ type: 'changed', change: 'missed' }])
    a.channel.post(hint)
    await expect.poll(() => b.heard.slice(1)).toEqual([hint])
    b.channel.close()
    await expect.poll(types).toContain('gone')
    said.length = 0
    a.channel.post(hint)
    a.channel.post({ type: 'changed', change: 'pause' })
    await expect.poll(types).toEqual(['changed'])
  })

  it('ignores what is no hint, and what comes after close', async () => {
    const [a, b] = [listening('c'), listening('c')]
    const raw = new BroadcastChannel('sitq:c')
    onTestFinished(() => raw.close())
    for (const junk of [null, 'added', 7, {}, { type: 1 }, { type: 'toString' }, { type: 'from the future' }])
      raw.postMessage(junk)
    raw.postMessage(hint)
    await expect.poll(() => a.heard).toEqual([hint])
    a.channel.close()
    a.channel.post(hint)
    b.channel.post({ type: 'ping', from: 'host' })
    await expect.poll(() => b.heard.length).toBe(2)
    expect(a.heard).toEqual([hint])
  })
})

describe('what IndexedDB refuses although it can be posted', () => {
  const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])

  it('is refused before it is put, every kind that this browser can make', async () => {
    const { storage } = make()
    const data = new Uint8Array(4)
    const kinds: Record<string, () => unknown> = {
      module: () => new WebAssembly.Module(bytes),
      frame: () => new VideoFrame(data, { format: 'RGBA', codedWidth: 1, codedHeight: 1, timestamp: 0 }),
      audio: () =>
        new AudioData({ format: 'u8', sampleRate: 8_000, numberOfFrames: 4, numberOfChannels: 1, timestamp: 0, data }),
      chunk: () => new EncodedVideoChunk({ type: 'key', timestamp: 0, data }),
      sound: () => new EncodedAudioChunk({ type: 'key', timestamp: 0, data }),
    }
    for (const [name, makeOne] of Object.entries(kinds)) {
      const value = makeOne()
      const stored = storage.run(writing(record(name, { value })), all)
      await expect(stored, name).rejects.toMatchObject({ code: 'uncloneable', cause: { name: 'DataCloneError' } })
      expect(whyUncloneable({ value }, 'input')?.path, name).toBe('input.value')
    }
  })

  it('fails the task that returned it, and no other', async () => {
    const name = crypto.randomUUID()
    const backend = new IndexedDBBackend({ name })
    const queue = new TaskQueue({ backend })
    const compile = () => ({ module: new WebAssembly.Module(bytes) })
    const worker = new TaskWorker(queue, { executor: inline({ compile, echo: (n: number) => n }) })
    onTestFinished(async () => {
      await worker.stop({ grace: 0 })
      await backend.destroy()
    })
    await worker.start()
    const [bad, good] = await Promise.all([queue.enqueue('compile', 1), queue.enqueue('echo', 2)])
    await expect(bad.result()).rejects.toMatchObject({ code: 'uncloneable' })
    expect(await good.result()).toBe(2)
    const later = await queue.enqueue('echo', 3)
    expect(await later.result()).toBe(3)
    await expect(queue.enqueue('echo', { module: new WebAssembly.Module(bytes) })).rejects.toMatchObject({
      code: 'invalid-input',
      path: 'input.module',
    })
  })

  it('is found by halving where nobody saw it coming', async () => {
    const name = crypto.randomUUID()
    const backend = new IndexedDBBackend({ name })
    onTestFinished(() => backend.destroy())
    const task = { queue: 'default', name: 'work', priority: 0 }
    await backend.add(
      Array.from({ length: 9 }, (_, input) => ({ ...task, input })),
      { now: Date.now() },
    )
    const executor = inline({ work: (n: number) => n })
    const worker = new TaskWorker({ backend, clock: systemClock }, { executor: smuggling(executor) })
    expect(await worker.drain()).toMatchObject({ ran: 9, completed: 8, failed: 1 })
    const { items } = await backend.read('tasks', { state: 'failed', limit: 9 })
    expect(items).toMatchObject([{ input: 4, result: { error: { code: 'uncloneable' } } }])
  })

  /** An executor that is not careful with what it reports. */
  function smuggling(executor: Executor): Executor {
    return {
      ...executor,
      slots: 9,
      backlog: 0,
      open: (report, options) =>
        executor.open((told) => {
          if (told.type !== 'ended') return report(told)
          const module = new WebAssembly.Module(bytes)
          report({
            ...told,
            runs: told.runs.map((run) => (run.ok && run.value === 4 ? { ...run, value: module } : run)),
          })
        }, options),
    }
  }
})
