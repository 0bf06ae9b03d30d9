import { inline, type QueueEvent, TaskQueue, TaskWorker } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { expect, onTestFinished, test, vi } from 'vitest'
import { cdp, commands, server } from 'vitest/browser'

// What happens to a database while pages have it open.

// Tabs load hundreds of modules, and a busy machine takes its time.
vi.setConfig({ testTimeout: 40_000 })

const handlers = { double: (n: number) => n * 2 }

function setup() {
  const name = crypto.randomUUID()
  const backend = new IndexedDBBackend({ name })
  const queue = new TaskQueue<typeof handlers>({ backend })
  const events: string[] = []
  queue.subscribe((event: QueueEvent) => event.type === 'storage' && events.push(event.event))
  const worker = new TaskWorker(queue, { executor: inline(handlers), onError: () => {} })
  onTestFinished(async () => {
    await worker.stop({ grace: 0 })
    await queue.close()
    await backend.destroy()
  })
  return { name, queue, worker, events }
}

const other = (database: string) => commands.openTab(`/test/support/pages/storage.html#${hash({ database })}`)
const hash = (options: object) => encodeURIComponent(JSON.stringify(options))

test('site data that is cleared under two pages: both hear of it, and go on with a new database', async ({ skip }) => {
  skip(server.browser !== 'chromium', 'it takes the DevTools protocol')
  const { name, queue, worker, events } = setup()
  expect(await worker.start()).toBe('host')
  const tab = await other(name)
  await commands.evalTab(tab, 'page.enqueue(1)')
  await cdp().send('Storage.clearDataForOrigin', { origin: location.origin, storageTypes: 'indexeddb' })
  await expect.poll(() => events).toContain('lost')
  // The host may have been in the middle of something: that alone says so. What comes after it is fine.
  await expect.poll(() => queue.enqueue('double', 1).then((task) => task.result())).toBe(2)
  await expect.poll(() => events).toContain('deleted')
  await commands.evalTab(tab, 'page.counts()')
  await expect.poll(() => commands.evalTab<string[]>(tab, 'page.events()')).toContain('deleted')
  const id = await commands.evalTab<string>(tab, 'page.enqueue(4)')
  expect(await commands.evalTab(tab, `page.result('${id}')`)).toBe('completed')
  await commands.closeTab(tab)
})

test.for([
  'enqueue',
  'counts',
  'put', // nothing but a write: it is committed at once
])(
  'site data that is cleared as a transaction begins (%s): Chromium never answers it, and nobody waits',
  async (what, { skip }) => {
    skip(server.browser !== 'chromium', 'it takes the DevTools protocol')
    const tab = await other(crypto.randomUUID())
    await commands.evalTab(tab, 'page.enqueue(1)')
    const [begun, over] = [crypto.randomUUID(), crypto.randomUUID()]
    const late = commands.evalTab<string>(tab, `page.after(['${begun}', '${over}'], '${what}')`)
    await expect.poll(() => document.cookie).toContain(begun)
    await cdp().send('Storage.clearDataForOrigin', { origin: location.origin, storageTypes: 'indexeddb' })
    await cookieStore.set(over, 'yes')
    expect(await late).toBe('lost')
    await commands.evalTab(tab, 'page.counts()')
    await expect.poll(() => commands.evalTab<string[]>(tab, 'page.events()')).toEqual(['lost', 'reopened', 'deleted'])
    for (const name of [begun, over]) await cookieStore.delete(name)
    await commands.closeTab(tab)
  },
)

test('another page that deletes the database on purpose: what is stored is gone, and nobody cries', async () => {
  const { name, queue, worker, events } = setup()
  await worker.start()
  const tab = await other(name)
  await queue.enqueue('double', 1)
  await commands.evalTab(tab, `new Promise((done) => { indexedDB.deleteDatabase('${name}').onsuccess = () => done() })`)
  await expect.poll(() => queue.enqueue('double', 2).then((task) => task.result())).toBe(4)
  expect(await commands.evalTab(tab, 'page.counts()')).toMatchObject({ completed: 1 })
  expect(events).toContain('lost')
  expect(events).not.toContain('deleted')
  expect(await commands.evalTab(tab, 'page.events()')).not.toContain('deleted')
  await commands.closeTab(tab)
})
