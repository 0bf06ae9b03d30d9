import type { Page } from 'playwright'
import { describe, expect, onTestFinished, test } from 'vitest'
import { labBrowser, openLab, role, still } from './support/browsers/site.js'

// Pages that stood still while another took what was theirs. They hear of it when they thaw, after whatever else they do
// first: none of that may take anything from the one that lives. In a real Chromium; what comes of their late outcomes:
// tabs.browser.test.ts, insecure.node.test.ts.

const site = labBrowser()

async function scene() {
  const context = await site.browser.newContext()
  onTestFinished(() => context.close())
  const database = crypto.randomUUID()
  const tab = (name: string) =>
    openLab(context, `http://localhost:${site.port}`, { database, tab: name, start: { size: 1 } })
  return { database, tab }
}

/** The host has answered this standby: it may take it for frozen after 10 s. */
const answered = (page: Page) =>
  page.evaluate(
    () => new Promise<void>((resolve) => void lab.backend.channel.listen(({ type }) => type === 'pong' && resolve())),
  )

/** A task that runs until it is told to go on. */
async function hold(page: Page): Promise<string> {
  const id = await page.evaluate(async () => (await lab.queue.enqueue('hold', { index: 0 })).id)
  await expect.poll(() => page.evaluate(() => lab.queue.counts())).toMatchObject({ running: 1 })
  return id
}

const view = (page: Page, id: string) => page.evaluate((id) => lab.queue.task(id).get(), id)

/** Resolves once a thawed page is in line for the lock again, and what it did before that is over. */
async function inLine(page: Page, awake: Page, database: string): Promise<void> {
  const pending = () => awake.evaluate(async () => (await navigator.locks.query()).pending?.map(({ name }) => name))
  await expect.poll(pending, { timeout: 10_000 }).toContain(`sitq:${database}`)
  await page.evaluate(() => lab.queue.enqueue('work', { index: 1 }, { queue: 'later' }))
}

/** The task is the living host's, and was never taken from it. */
async function expectUntouched(
  awake: Page,
  { id, database, crashes }: { id: string; database: string; crashes: number },
) {
  expect(await view(awake, id)).toMatchObject({ state: 'running', attempt: 1, crashes })
  await awake.evaluate((database) => lab.go(database), database)
  expect(await awake.evaluate((id) => lab.queue.getResult(id), id)).toMatchObject({
    value: { tab: 'awake' },
    attempts: 1,
  })
  expect(await role(awake)).toBe('host')
  expect(await awake.evaluate(() => lab.errors)).toEqual([])
}

describe('a page that thaws', { timeout: 60_000 }, () => {
  test('and was host takes nothing from the one that stole from it, also if its look after the dead is overdue', async () => {
    const { database, tab } = await scene()
    const host = await tab('host')
    const awake = await tab('awake')
    await answered(awake)
    const id = await hold(awake)
    // To the host its sleep lasts for longer than a minute, after which it looks.
    await host.evaluate(() => {
      const now = performance.now.bind(performance)
      const from = now()
      performance.now = () => now() + (now() - from > 5_000 ? 60_000 : 0)
    })
    const thaw = await still(host)
    await expect.poll(() => role(awake), { timeout: 25_000 }).toBe('host')
    await expect.poll(() => view(awake, id)).toMatchObject({ state: 'running', crashes: 1 })
    await thaw()
    await inLine(host, awake, database)
    await expectUntouched(awake, { id, database, crashes: 1 })
    expect(await role(host)).toBe('standby')
  })

  test('and got the lock in its sleep takes nothing from the one that stole it', async () => {
    const { database, tab } = await scene()
    const host = await tab('host')
    const frozen = await tab('frozen')
    const awake = await tab('awake')
    await answered(awake)
    const thaw = await still(frozen)
    await host.close()
    await expect.poll(() => role(awake), { timeout: 25_000 }).toBe('host')
    const id = await hold(awake)
    await thaw()
    await inLine(frozen, awake, database)
    await expectUntouched(awake, { id, database, crashes: 0 })
    expect(await role(frozen)).toBe('standby')
  })
})
