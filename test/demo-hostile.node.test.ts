import { readdirSync, readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type DemoBrowser, type DemoPage, ended, figuresOf, openDemo } from './support/demo-page.js'

let demo: DemoBrowser
let opened: DemoPage | undefined

beforeAll(async () => {
  demo = await openDemo()
}, 120_000)
afterAll(() => demo?.close())
afterEach(async () => {
  const { page, complaints } = opened ?? {}
  opened = undefined
  await page?.context().close()
  // A policy that was violated, an image that was asked for, an error that nobody caught.
  expect(complaints ?? []).toEqual([])
})

async function newPage(): Promise<Page> {
  opened = await demo.newPage()
  return opened.page
}

/** Runs if it is ever taken for HTML: in text, in an attribute, in a script. */
const html = (what: string) =>
  `"'><img src=x onerror="window.hit='${what}'"></script><script>window.hit='${what}'</script>`
const fileName = `users ${html('file').replace(/\//g, '∕')}.csv`
const cell = (text: string) => `"${text.replace(/"/g, '""')}"`

/** What would be there if any of it had been taken for HTML. */
async function untouched(page: Page): Promise<void> {
  const found = await page.evaluate(() => ({
    hit: Reflect.get(window, 'hit'),
    images: document.querySelectorAll('img').length,
    inline: [...document.scripts].filter((script) => script.src === '').length,
    events: [...document.querySelectorAll('*')].filter((each) =>
      each.getAttributeNames().some((name) => name.startsWith('on')),
    ).length,
    inherited: Object.keys(Object.prototype),
  }))
  expect(found).toEqual({ hit: undefined, images: 0, inline: 0, events: 0, inherited: [] })
}

async function importFile(page: Page, name: string, text: string): Promise<void> {
  await page.setInputFiles('#users-file', { name, mimeType: 'text/csv', buffer: Buffer.from(text) })
}

async function save(page: Page, button: string): Promise<{ name: string; text: string }> {
  const downloading = page.waitForEvent('download')
  await page.getByRole('button', { name: button }).click()
  const download = await downloading
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') }
}

describe('whatever is in a file is shown as text', () => {
  test('its name, headers, cells and errors, in dialogs, tables, reports and downloads', {
    timeout: 60_000,
  }, async () => {
    const page = await newPage()
    const rows = Array.from({ length: 12 }, (_, i) => [
      html(`cell ${i}`),
      html(`mail ${i}`),
      i % 3 === 0 ? '=1+1' : '7',
    ])
    const header = [html('name'), html('mail'), html('age')]
    const text = [header, ...rows, ['one', 'two@x', '3', 'four']].map((row) => row.map(cell).join(',')).join('\n')
    await importFile(page, fileName, text)
    const dialog = page.getByRole('dialog')
    expect(await dialog.locator('.lead').innerText()).toContain(fileName)
    expect(await dialog.locator('select').first().locator('option').allInnerTexts()).toEqual(['none', ...header])
    await untouched(page)
    await page.getByLabel('Which column holds the email?').selectOption({ label: header[1] ?? '' })
    await page.getByLabel('Which column holds the age?').selectOption({ label: header[2] ?? '' })
    await page.getByRole('button', { name: 'Use these columns' }).click()
    expect(await page.locator('#users-file-name').innerText()).toBe(fileName)
    await page.getByRole('button', { name: 'Start' }).click()
    await ended(page, 'users')
    expect(await page.locator('#users-job h3').first().innerText()).toBe(fileName)
    expect(await figuresOf(page)).toMatchObject({ Users: '13' })
    await untouched(page)

    for (const button of ['Results as CSV', 'Results as JSON', 'Errors as CSV']) {
      const { name } = await save(page, button)
      expect(name).toMatch(/^[\w-]+\.(csv|json)$/)
    }
    await page.getByRole('tab', { name: 'Large batch' }).click()
    await expect.poll(() => page.locator('#report tbody tr').first().innerText()).toContain(fileName)
    await page.reload()
    await page.locator('#role[data-role="host"]').waitFor()
    await expect.poll(() => page.locator('#report tbody tr').first().innerText()).toContain(fileName)
    await untouched(page)
  })

  test('also what is wrong with a file, and where', async () => {
    const page = await newPage()
    await importFile(page, fileName, `email,${html('column').replace(/"/g, "'")}\na@x,"open\n`)
    await page.getByRole('button', { name: 'Start' }).click()
    await ended(page, 'users', 'failed')
    const problem = await page.locator('#users-job .problem').innerText()
    expect(problem).toContain(fileName)
    expect(problem).toContain("onerror='window.hit='column''>")
    await page.setInputFiles('#users-file', { name: fileName, mimeType: 'text/csv', buffer: Buffer.from([1, 0, 2]) })
    await page.locator('#users-problem', { hasText: fileName }).waitFor()
    await untouched(page)
  })

  test('keys that every object has are keys like others', async () => {
    const page = await newPage()
    const records = '[{"__proto__":{"email":"no","polluted":1},"constructor":"c","email":"a@x","age":3,"toString":"t"}]'
    await importFile(page, 'users.json', records)
    await page.getByRole('button', { name: 'Start' }).click()
    await ended(page, 'users')
    expect(await figuresOf(page)).toMatchObject({ Users: '1', Valid: '1' })
    const { text } = await save(page, 'Results as JSON')
    expect(text).toContain('"original_value":{"__proto__":{"email":"no","polluted":1},"constructor":"c"')
    const csv = 'email,age,__proto__,constructor\na@x,3,polluted,c\n'
    await importFile(page, 'users.csv', csv)
    await page.getByRole('button', { name: 'Start' }).click()
    await page.locator('#users-job h3', { hasText: 'users.csv' }).waitFor()
    await ended(page, 'users')
    expect((await save(page, 'Results as JSON')).text).toContain('"__proto__":"polluted"')
    await untouched(page)
  })

  test('what a spreadsheet would run is escaped in CSV', async () => {
    const page = await newPage()
    await importFile(page, 'users.csv', 'name,email\n"=HYPERLINK(""http://x"")",a@x\n')
    await page.getByRole('button', { name: 'Start' }).click()
    await ended(page, 'users')
    const { text } = await save(page, 'Results as CSV')
    for (const line of text.split('\r\n')) for (const start of line.split(',')) expect(start).not.toMatch(/^"?[=+@]/)
  })
})

describe('the policy', () => {
  test('lets nothing be evaluated, in the page or in its Web Workers', async () => {
    const page = await newPage()
    // In a timer: the debugger, which evaluates this, is let off.
    const tries = () =>
      new Promise<string[]>((resolve) =>
        setTimeout(() => {
          const of = (work: () => unknown) => {
            try {
              return String(work())
            } catch (error) {
              return error instanceof Error ? error.name : 'thrown'
            }
          }
          resolve([of(() => new Function('return 1')()), of(() => Reflect.get(globalThis, 'eval')('1'))])
        }),
      )
    expect(await page.evaluate(tries)).toEqual(['EvalError', 'EvalError'])
    const workers = page.workers()
    expect(workers.length).toBeGreaterThan(0)
    for (const worker of workers) expect(await worker.evaluate(tries)).toEqual(['EvalError', 'EvalError'])
    if (opened) opened.complaints.length = 0 // the browser tells of what was tried here
  })

  test('has nothing to forbid in the sources: nobody makes HTML or code out of text', () => {
    const root = fileURLToPath(new URL('..', import.meta.url))
    const sources = ['src', 'demo'].flatMap((folder) => filesIn(join(root, folder)))
    expect(sources.length).toBeGreaterThan(100)
    const forbidden =
      /\b(innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|srcdoc|parseFromString|setHTMLUnsafe)\b|document\.write|\beval\(|new Function\b|javascript:/
    const found = sources.filter((file) => forbidden.test(readFileSync(file, 'utf8')))
    expect(found).toEqual([])
  })
})

function filesIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) return name === 'dist' ? [] : filesIn(path)
    return /\.(ts|js|html)$/.test(name) ? [path] : []
  })
}
