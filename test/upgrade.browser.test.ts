import { expect, onTestFinished, test } from 'vitest'
import { commands, server } from 'vitest/browser'
import { IndexedDBStorage } from '../src/indexeddb/storage.js'
import { dumpDatabase } from './support/dump.js'
import type { page, StoragePage } from './support/pages/storage.js'

// A deploy that changes the layout, while tabs of the version before are open.

type Page = typeof page

async function open(options: StoragePage) {
  const tab = await commands.openTab(`/test/support/pages/storage.html#${encodeURIComponent(JSON.stringify(options))}`)
  onTestFinished(() => commands.closeTab(tab))
  await commands.evalTab(
    tab,
    'new Promise((done) => { const look = () => globalThis.page ? done() : setTimeout(look, 10); look() })',
  )
  const call = <Name extends keyof Page>(
    name: Name,
    ...args: Parameters<Page[Name]>
  ): Promise<Awaited<ReturnType<Page[Name]>>> =>
    commands.evalTab(tab, `page.${name}(${args.map((arg) => JSON.stringify(arg)).join()})`)
  return { tab, call }
}

function database(): string {
  const name = crypto.randomUUID()
  onTestFinished(() => new Promise((resolve) => (indexedDB.deleteDatabase(name).onsuccess = () => resolve())))
  return name
}

test('an old tab makes way at once: it says so, stops its worker, and what it ran goes on in the new one, uncharged', async () => {
  const name = database()
  const old = await open({ database: name, worker: true })
  expect(await old.call('role')).toBe('host')
  const running = await old.call('wait')
  const done = await old.call('enqueue', 1)
  expect(await old.call('result', done)).toBe('completed')
  const fresh = await open({ database: name, layout: 2, worker: true })
  await expect.poll(() => old.call('events')).toEqual(['closed-by-upgrade'])
  await expect.poll(() => old.call('role')).toBe('stopped')
  expect(await old.call('enqueue', 2)).toBe('newer-version')
  await expect.poll(() => fresh.call('role')).toBe('host')
  await expect.poll(() => fresh.call('counts')).toMatchObject({ completed: 1, running: 1 })
  expect(await fresh.call('crashes', running)).toBe(0)
  expect(await fresh.call('result', await fresh.call('enqueue', 3))).toBe('completed')
  expect(await fresh.call('events')).toEqual([])
  const before = await dumpDatabase(name)
  expect(await old.call('clear')).toBe('newer-version')
  expect(await old.call('destroy')).toBe('newer-version')
  expect(await dumpDatabase(name)).toEqual(before)
}, 30_000)

test('a page that does not let go: the new tab says that it waits, the others are asked to reload, and then it goes on', async () => {
  const name = database()
  const old = await open({ database: name })
  await old.call('enqueue', 1)
  const stubborn = await commands.openTab('/package.json')
  // Also where this fails: whatever waits for it would keep waiting.
  let closed = false
  const letGo = async () => {
    if (!closed) await commands.closeTab(stubborn)
    closed = true
  }
  onTestFinished(letGo)
  await commands.evalTab(
    stubborn,
    `new Promise((done) => { indexedDB.open('${name}').onsuccess = (event) => done(void (globalThis.kept = event.target.result)) })`,
  )
  const fresh = await open({ database: name, layout: 2 })
  const blocked = fresh.call('counts')
  await expect.poll(() => fresh.call('events'), { timeout: 15_000 }).toEqual(['blocked'])
  await expect.poll(() => old.call('events'), { timeout: 15_000 }).toEqual(['closed-by-upgrade', 'upgrade-blocked'])
  expect(await old.call('enqueue', 2)).toBe('newer-version')
  expect(await blocked).toBe('blocked')
  await commands.reloadTab(stubborn)
  await expect.poll(() => fresh.call('counts'), { timeout: 15_000 }).toMatchObject({ available: 1 })
  expect((await dumpDatabase(name)).version).toBe(2)
  await letGo()
}, 60_000)

test('a tab that is closed in the middle of a migration leaves the database as it was', async ({ skip }) => {
  skip(server.browser === 'webkit', 'its WebDriver ends the session when a page crashes')
  const name = database()
  const old = await open({ database: name })
  await old.call('enqueue', 1)
  await new IndexedDBStorage({ name }).close()
  const before = await dumpDatabase(name)
  const fresh = await open({ database: name, layout: 'slow' })
  void fresh.call('counts').catch(() => undefined)
  await expect.poll(() => old.call('events')).toEqual(['closed-by-upgrade'])
  await commands.crashTab(fresh.tab)
  expect(await dumpDatabase(name)).toEqual(before)
  const again = await open({ database: name, layout: 2 })
  expect(await again.call('counts')).toMatchObject({ available: 1 })
}, 30_000)
