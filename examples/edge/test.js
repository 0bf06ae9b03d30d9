// npm run test:example: starts the example, uses it in Chromium, takes its object down in the middle; then gives one batch to the
// same handlers in the browser, in Node and in workerd, and compares what they return. SHOTS=folder keeps pictures.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright'
import { createServer } from 'vite'
import { prepareChromium } from '../../scripts/chromium.js'
import { serve } from './site.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'sitq-example-'))
const { SHOTS } = process.env
const site = await serve({ port: 0, folder })
const browser = await chromium.launch(await prepareChromium())
let [passed, failed] = [0, 0]

/** @param {string} name @param {() => Promise<void>} run */
async function test(name, run) {
  const began = Date.now()
  try {
    await run()
    passed++
    console.log(`✓ ${name} (${Date.now() - began} ms)`)
  } catch (error) {
    failed++
    console.log(`✗ ${name}\n${error instanceof Error ? error.stack : error}`)
  }
}

/** @param {import('playwright').Page} page @param {string} name */
const shot = async (page, name) => void (SHOTS && (await page.screenshot({ path: join(SHOTS, `${name}.png`) })))

/** @param {{ width: number, height: number }} viewport */
async function open(viewport) {
  const page = await browser.newPage({ viewport })
  /** @type {string[]} */
  const complaints = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  return { page, complaints }
}

/** @param {import('playwright').Page} page */
const figure = async (page) => Number((await page.textContent('#done'))?.replaceAll(',', ''))

try {
  await test('a batch is stored, goes on when its object goes down, and is watched to its end after a reload', async () => {
    const { page, complaints } = await open({ width: 1100, height: 760 })
    await page.goto(site.url)
    await shot(page, 'desktop-empty')
    await page.fill('[name=users]', '20000')
    await page.click('button')
    await page.waitForFunction(() => Number(document.querySelector('#done')?.textContent?.replaceAll(',', '')) > 0)
    const before = await figure(page)
    await shot(page, 'desktop-running')
    assert.ok(before < 20_000, 'it should be under way')
    const { status } = await fetch(`${site.url}api/restart`, { method: 'POST' })
    assert.equal(status, 200)
    await page.reload()
    await page.waitForSelector('text=All judged', { timeout: 60_000 })
    assert.equal(await figure(page), 20_000)
    await shot(page, 'desktop')
    assert.deepEqual(complaints, [])
    await page.close()
  })

  await test('it fits on a phone, and says what is wrong with whom', async () => {
    const { page, complaints } = await open({ width: 390, height: 844 })
    await page.goto(site.url)
    await page.fill('[name=users]', '300')
    await page.click('button')
    await page.waitForSelector('text=All judged', { timeout: 30_000 })
    assert.equal(await page.locator('tbody tr').count(), 12)
    assert.match((await page.textContent('tbody')) ?? '', /Invalid email format/)
    const tooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
    assert.equal(tooWide, false, 'nothing sticks out')
    await shot(page, 'phone')
    assert.deepEqual(complaints, [])
    await page.close()
  })

  await test('one handlers file returns the same in the browser, in Node and in workerd', async () => {
    const users = 2_000
    const vite = await createServer({
      root: `${root}examples/edge/same`,
      configFile: false,
      logLevel: 'error',
      resolve: { tsconfigPaths: true },
      server: { host: '127.0.0.1', port: 0, fs: { allow: [root] } },
      optimizeDeps: { include: ['idb', 'comlink'] },
    })
    try {
      const { inNode } = await vite.ssrLoadModule(`${root}examples/edge/same/node.ts`)
      /** @type {unknown[]} */
      const node = await inNode(users)
      await vite.listen()
      const page = await browser.newPage()
      await page.goto(`${vite.resolvedUrls?.local[0]}?users=${users}`)
      await page.waitForSelector('[data-done]', { timeout: 60_000, state: 'attached' })
      const inBrowser = JSON.parse((await page.textContent('body')) ?? '')
      const { id } = await (await fetch(`${site.url}api/batches?users=${users}`, { method: 'POST' })).json()
      const results = `${site.url}api/batches/${id}/results`
      /** @type {{ value: unknown }[]} */
      let all = []
      for (let i = 0; i < 200 && all.length < users; i++) {
        const { done } = await (await fetch(`${site.url}api/batches/${id}`)).json()
        if (done === users) all = await (await fetch(results)).json()
        else await new Promise((resolve) => setTimeout(resolve, 50))
      }
      const inWorkerd = all.map(({ value }) => value)
      assert.equal(node.length, users)
      // What JSON leaves out of a record is left out of all three.
      const plain = JSON.parse(JSON.stringify(node))
      assert.deepEqual(inBrowser, plain)
      assert.deepEqual(inWorkerd, plain)
      const valid = plain.filter((/** @type {{ is_valid: boolean }} */ each) => each.is_valid).length
      console.log(`  browser, Node, workerd: ${users} outputs each, equal; ${valid} users valid`)
    } finally {
      await vite.close()
    }
  })
} finally {
  await browser.close()
  await site.close()
  rmSync(folder, { recursive: true, force: true })
}
console.log(`Tests: ${passed} passed, ${failed} failed, 0 skipped`)
process.exitCode = failed > 0 ? 1 : 0
