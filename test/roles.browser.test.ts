import { expect, onTestFinished, test } from 'vitest'
import { IndexedDBBackend } from '../src/indexeddb/index.js'
import { TaskWorker, type TaskWorkerOptions } from '../src/worker.js'
import { ManualClock } from './support/clock.js'
import { ScriptedExecutor } from './support/executor.js'
import { TestBackend } from './support/world.js'

/** Real Web Locks, BroadcastChannel and IndexedDB: each worker has a backend of its own, as in a tab of its own. */
function tab(name: string, clock: ManualClock, options: Partial<TaskWorkerOptions> = {}) {
  const inner = new IndexedDBBackend({ name, clock })
  const backend = new TestBackend(inner, inner.locks)
  const executor = new ScriptedExecutor({ clock })
  const warnings: string[] = []
  const warn = (message: string) => warnings.push(message)
  const worker = new TaskWorker({ backend, clock }, { executor, warn, ...options })
  const add = async (input: unknown) => {
    const ids = await inner.add([{ queue: 'default', name: 'work', priority: 0, input }], { now: clock.now() })
    inner.channel.post({ type: 'added', queues: ['default'] })
    return ids.map(String)
  }
  onTestFinished(async () => {
    await worker.stop({ grace: 0 })
    await inner.destroy()
  })
  return { worker, executor, backend, inner, warnings, add }
}

const patience = 20
const fresh = () => `roles-${crypto.randomUUID()}`

test('one is host, the other takes over when it stops', async () => {
  const name = fresh()
  const clock = new ManualClock()
  const [a, b] = [tab(name, clock), tab(name, clock)]
  expect(await a.worker.start()).toBe('host')
  expect(await b.worker.start()).toBe('standby')
  await clock.until(() => b.warnings.length, { patience })
  const first = await a.add({ do: 'ok' })
  await clock.until(async () => (await a.inner.results(first))[0], { patience })
  expect(a.executor.began).toHaveLength(1)
  const second = await b.add({ do: 'hang' })
  await clock.until(() => a.executor.running, { patience })
  await a.worker.stop({ grace: 0 })
  await clock.until(() => b.executor.running, { patience })
  expect(b.worker.role).toBe('host')
  expect(await b.inner.get(second)).toMatchObject([{ state: 'running', attempt: 1, crashes: 0 }])
})

test('a host that does not answer any more loses its lock, and stands by', async () => {
  const name = fresh()
  const [clock, stopped] = [new ManualClock(), new ManualClock()]
  const [a, b] = [tab(name, stopped), tab(name, clock)]
  await a.worker.start()
  await b.worker.start()
  await clock.until(() => b.warnings.length, { patience })
  a.backend.deaf = true
  await clock.until(() => b.worker.role === 'host', { patience, within: 20_000 })
  await clock.until(() => a.worker.role === 'standby', { patience, within: 0 })
  expect(a.executor.isOpen).toBe(false)
  a.backend.deaf = false
  await b.worker.stop()
  await stopped.until(() => a.worker.role === 'host', { patience, within: 0 })
})

test('a page that is left gives up the role at once; what it ran counts no crash, and it is back in line when shown again', async () => {
  const name = fresh()
  const clock = new ManualClock()
  const [a, b] = [tab(name, clock), tab(name, clock)]
  await a.worker.start()
  const [id] = await a.add({ do: 'hang' })
  await clock.until(() => a.executor.running, { patience })
  window.dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))
  expect(a.inner.departures?.left()).toHaveLength(1)
  // No more than microtasks: the page may stand still from here on.
  for (let i = 0; i < 50; i++) await undefined
  expect([a.worker.role, a.executor.isOpen]).toEqual(['standby', false])
  const { held = [] } = await navigator.locks.query()
  expect(held.filter((lock) => lock.name === `sitq:${name}`)).toEqual([])
  // Nothing is asked for while it is away.
  await clock.advance(60_000)
  expect(a.worker.role).toBe('standby')
  expect(await b.worker.start()).toBe('host')
  window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))
  await clock.until(() => b.executor.running, { patience })
  expect(await a.inner.get([String(id)])).toMatchObject([{ attempt: 1, crashes: 0 }])
  expect(a.inner.departures?.left()).toEqual([])
  await b.worker.stop({ grace: 0 })
  await clock.until(() => a.executor.running, { patience })
  expect(await a.inner.get([String(id)])).toMatchObject([{ attempt: 1, crashes: 0 }])
})
