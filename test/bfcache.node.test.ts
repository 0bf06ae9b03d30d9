import type { BrowserContext, Page } from 'playwright'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { labBrowser, openLab, role } from './support/browsers/site.js'
import type { LabOptions } from './support/pages/lab.js'

// The back/forward cache of a real Chromium: pages are left, stand still and come back. The headless shell (which the npm
// package carries) has none; with an installed Chromium or CHROMIUM_BIN these tests run.

const site = labBrowser({ ignoreDefaultArgs: ['--disable-back-forward-cache'], args: ['--js-flags=--expose-gc'] })
let works = false

beforeAll(async () => {
  const page = await site.browser.newPage()
  await page.goto(url('/elsewhere'))
  expect(await page.evaluate(() => typeof globalThis.gc)).toBe('function')
  works = await awayAndBack(page)
  await page.context().close()
}, 60_000)

const url = (path: string) => `http://localhost:${site.port}${path}`

/** Leaves the page and resolves once another one is shown. */
async function leave(page: Page): Promise<void> {
  await page.evaluate(() => {
    const shown = new Promise((resolve) => addEventListener('pageshow', resolve, { once: true }))
    Object.assign(globalThis, { shown })
  })
  await page.goto(url('/elsewhere?away'))
}

/** Comes back. True if the page is the one that was left, else why it is not. */
async function back(page: Page): Promise<unknown> {
  const reasons: unknown[] = []
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Page.enable')
  cdp.on('Page.backForwardCacheNotUsed', ({ notRestoredExplanations }) => reasons.push(...notRestoredExplanations))
  await page.goBack({ waitUntil: 'commit' })
  const persisted = await page.evaluate(async () => {
    const shown: unknown = await Object.getOwnPropertyDescriptor(globalThis, 'shown')?.value
    return shown instanceof PageTransitionEvent && shown.persisted
  })
  await cdp.detach()
  return persisted || reasons
}

async function awayAndBack(page: Page): Promise<boolean> {
  await leave(page)
  return (await back(page)) === true
}

interface Scene {
  database: string
  context: BrowserContext
  tab(tab: string, start?: LabOptions['start']): Promise<Page>
}

async function scene(): Promise<Scene> {
  const context = await site.browser.newContext()
  onTestFinished(() => context.close())
  // Where something is collected while the page is in the cache, a FinalizationRegistry would run script there. When that is, is up to
  // the browser: here it is always.
  await context.addInitScript(() => document.addEventListener('freeze', () => globalThis.gc?.()))
  const database = crypto.randomUUID()
  return {
    database,
    context,
    tab: (tab, start) => openLab(context, url(''), { database, tab, ...(start && { start }) }),
  }
}

const workers = (page: Page) => page.evaluate(() => lab.worker.workers().length)
const locks = (page: Page) =>
  page.evaluate(async () => {
    const { held = [], pending = [] } = await navigator.locks.query()
    return { held: held.map(({ name }) => name), pending: pending.map(({ name }) => name) }
  })

describe('the back/forward cache', () => {
  const cached = test.extend<{ scene: Scene }>({
    scene: async ({ task }, use) => {
      if (!works) task.context.skip('this browser has no back/forward cache')
      await use(await scene())
    },
  })

  cached(
    'keeps the page of a host, also while another tab stands by, which takes over at once; nothing is charged',
    async ({ scene: { database, tab } }) => {
      const host = await tab('host', {})
      const standby = await tab('standby', {})
      expect([await role(host), await role(standby)]).toEqual(['host', 'standby'])
      const id = await host.evaluate(async () => {
        const task = await lab.queue.enqueue('hold', { index: 0 }, { priority: -1 })
        lab.keep('held', task.result())
        const batch = await lab.queue.enqueueMany('work', lab.items(400, 5), { id: 'b' })
        lab.keep(
          'batch',
          batch.collect().then((results) => results.length),
        )
        return task.id
      })
      const state = (page: Page) => page.evaluate((id) => lab.queue.task(id).get(), id)
      await expect.poll(async () => (await state(standby))?.state).toBe('running')
      const at = Date.now()
      await leave(host)
      await expect.poll(() => role(standby), { interval: 20 }).toBe('host')
      console.info(`left for the back/forward cache: the standby is host after at most ${Date.now() - at} ms`)
      await expect.poll(async () => (await state(standby))?.state).toBe('running')
      expect(await state(standby)).toMatchObject({ attempt: 1, crashes: 0 })
      await standby.evaluate((database) => lab.go(database), database)
      await standby.evaluate(async () => (await lab.queue.batch('b'))?.collect())
      expect(await back(host)).toBe(true)
      expect(await role(host)).toBe('standby')
      expect(await workers(host)).toBe(0)
      // What happened meanwhile is heard of: its waits were never called off.
      await expect.poll(() => host.evaluate(() => lab.kept)).toMatchObject({ batch: 400, held: { tab: 'standby' } })
      const results = await host.evaluate(async () => (await lab.queue.batch('b'))?.collect())
      expect(results?.every((result) => result.status === 'completed' && result.attempts === 1)).toBe(true)
      expect(await host.evaluate(() => lab.queue.counts())).toMatchObject({ completed: 401, running: 0, available: 0 })
      expect(await host.evaluate(() => lab.errors)).toEqual([])
      // It is as good a standby as any.
      await standby.close()
      await expect.poll(() => role(host)).toBe('host')
      expect(await host.evaluate(async () => (await lab.queue.enqueue('work', { index: 7 })).result())).toMatchObject({
        tab: 'host',
      })
    },
  )

  cached('brings a lone host back as host; its tasks go on, charged nothing', async ({ scene: { database, tab } }) => {
    const host = await tab('host', {})
    const id = await host.evaluate(async () => {
      const task = await lab.queue.enqueue('hold', { index: 0 })
      lab.keep('held', task.result())
      return task.id
    })
    const state = () => host.evaluate((id) => lab.queue.task(id).get(), id)
    const begun = () =>
      host.evaluate(() => lab.worker.workers().some((one) => one.running.some((run) => run.startedAt !== undefined)))
    for (let i = 0; i < 3; i++) {
      await expect.poll(async () => (await state())?.state).toBe('running')
      await expect.poll(begun).toBe(true)
      await leave(host)
      expect(await back(host)).toBe(true)
      await expect.poll(() => role(host)).toBe('host')
    }
    await expect.poll(async () => (await state())?.state).toBe('running')
    expect(await state()).toMatchObject({ attempt: 1, crashes: 0 })
    await expect.poll(() => workers(host)).toBe(1)
    await host.evaluate((database) => lab.go(database), database)
    await expect.poll(() => host.evaluate(() => lab.kept.held)).toMatchObject({ tab: 'host' })
  })

  cached(
    'holds nothing of a page that is in it: no lock, no request for one, and no connection',
    async ({ scene: { database, tab } }) => {
      const [host, standby, other] = [await tab('host', {}), await tab('standby', {}), await tab('other')]
      await host.evaluate(async () => (await lab.queue.enqueue('work', { index: 0 })).result())
      expect((await locks(other)).pending).toContain(`sitq:${database}`)
      await leave(standby)
      await expect
        .poll(async () => (await locks(other)).pending.filter((name) => name === `sitq:${database}`))
        .toEqual([])
      await leave(host)
      await expect.poll(() => locks(other)).toEqual({ held: [], pending: [] })
      // A connection would have to be closed first, and a page that stands still cannot.
      const deleted = await other.evaluate(async (name) => {
        await lab.queue.close()
        return new Promise((resolve) => {
          const request = indexedDB.deleteDatabase(name)
          request.onsuccess = () => resolve('deleted')
          request.onblocked = () => resolve('blocked')
        })
      }, database)
      expect(deleted).toBe('deleted')
      expect([await back(host), await back(standby)]).toEqual([true, true])
    },
  )

  cached(
    'keeps a page that only looks on, through all that others say; it hears what it missed',
    async ({ scene: { tab } }) => {
      const reader = await tab('reader')
      const host = await tab('host', {})
      const id = await reader.evaluate(async () => {
        lab.queue.subscribe((event) => {
          if (event.type === 'changed') lab.kept.event = event.change
        })
        const task = await lab.queue.enqueue('work', { index: 3 }, { delay: 300 })
        lab.keep('result', task.result())
        return task.id
      })
      await leave(reader)
      expect(await host.evaluate((id) => lab.queue.getResult(id), id)).toMatchObject({ status: 'completed' })
      await host.evaluate(async () => (await lab.queue.enqueueMany('work', lab.items(50))).collect())
      expect(await back(reader)).toBe(true)
      await expect
        .poll(() => reader.evaluate(() => lab.kept))
        .toMatchObject({ event: 'missed', result: { tab: 'host' } })
    },
  )

  cached(
    'an enqueue under way when the page is left is stored and acknowledged, or rejects',
    async ({ scene: { tab } }) => {
      const page = await tab('page')
      await page.evaluate(() => {
        // In the event itself: nothing can be later.
        addEventListener('pagehide', () => {
          lab.keep(
            'one',
            lab.queue.enqueue('work', { index: 1 }).then(({ id }) => id),
          )
          lab.keep(
            'many',
            lab.queue.enqueueMany('work', lab.items(1_000), { id: 'many' }).then((batch) => batch.id),
          )
        })
      })
      await page.evaluate(() => lab.queue.counts()) // the database is open
      await leave(page)
      expect(await back(page)).toBe(true)
      await expect.poll(() => page.evaluate(() => Object.keys(lab.kept).sort())).toEqual(['many', 'one'])
      const { one, many, counts, total } = await page.evaluate(async () => {
        const progress = await (await lab.queue.batch('many'))?.progress()
        return { ...lab.kept, counts: await lab.queue.counts(), total: progress?.total ?? 0 } as Record<
          string,
          unknown
        > & {
          counts: { available: number }
          total: number
        }
      })
      const acknowledged = (outcome: unknown) => !String(outcome).includes('Error')
      expect(counts.available).toBe((acknowledged(one) ? 1 : 0) + total)
      if (acknowledged(many)) expect(total).toBe(1_000)
      console.info(`enqueued in pagehide: ${one}, ${many}, ${total} of the batch`)
    },
  )
})
