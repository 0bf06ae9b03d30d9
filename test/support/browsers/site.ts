import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type LaunchOptions, type Page } from 'playwright'
import { build } from 'vite'
import { afterAll, beforeAll } from 'vitest'
import { prepareChromium } from '../../../scripts/chromium.js'
import type { LabOptions } from '../pages/lab.js'
import { pause } from './freeze.js'

const pages = fileURLToPath(new URL('../pages/', import.meta.url))

/** The lab page as an app would ship it: a development server's own socket would keep it out of the back/forward cache. */
interface Site {
  port: number
  close(): void
}

async function serveSite(): Promise<Site> {
  const built = await build({
    root: pages,
    configFile: false,
    mode: 'production', // Vitest says 'test'
    logLevel: 'error',
    resolve: { tsconfigPaths: true },
    worker: { format: 'es' },
    build: { write: false, target: 'es2022', rolldownOptions: { input: `${pages}lab.html` } },
  })
  const files = new Map<string, string | Uint8Array>([['/elsewhere', '<!doctype html><title>Elsewhere</title>']])
  for (const result of Array.isArray(built) ? built : [built]) {
    if (!('output' in result)) continue
    for (const file of result.output) files.set(`/${file.fileName}`, 'code' in file ? file.code : file.source)
  }
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const body = files.get(pathname)
    const type = pathname.endsWith('.js') ? 'text/javascript' : 'text/html'
    // What has a hash in its name never changes: a Web Worker can start without a network once another one has.
    const kept = pathname.startsWith('/assets/') ? 'max-age=3600, immutable' : 'no-cache'
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': `${type}; charset=utf-8`,
      'cache-control': kept,
    })
    response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The local server has no port.')
  return {
    port: address.port,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** The lab and a browser of their own for the tests of a file, from before the first to after the last. */
export function labBrowser(options: Pick<LaunchOptions, 'args' | 'ignoreDefaultArgs'> = {}) {
  let site: Site | undefined
  let browser: Browser | undefined
  beforeAll(async () => {
    site = await serveSite()
    browser = await launch(options)
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    site?.close()
  })
  const there = <T>(made: T | undefined): T => {
    if (made === undefined) throw new Error('The browser is there while tests run.')
    return made
  }
  return {
    get browser() {
      return there(browser)
    },
    get port() {
      return there(site).port
    },
  }
}

async function launch(options: Pick<LaunchOptions, 'args' | 'ignoreDefaultArgs'> = {}): Promise<Browser> {
  const { executablePath, env, args } = await prepareChromium()
  const all = [...args, ...(options.args ?? [])]
  return chromium.launch({ ...options, args: all, env, ...(executablePath ? { executablePath } : {}) })
}

/** Opens a lab page; with `start`, once its worker knows its role. */
export async function openLab(context: BrowserContext, origin: string, options: LabOptions): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${origin}/lab.html#${encodeURIComponent(JSON.stringify(options))}`)
  await page.waitForFunction(() => 'lab' in globalThis)
  if (options.start) await page.waitForFunction(() => 'start' in lab.kept)
  return page
}

export const role = (page: Page) => page.evaluate(() => lab.worker.role)

/** Lets a page stand still, as frozen ones do (freeze.ts says how; its Web Workers go on). Resolves with the way to end that. */
export async function still(page: Page): Promise<() => Promise<void>> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Debugger.enable')
  await pause(cdp)
  return async () => {
    await cdp.send('Debugger.disable')
    await page.evaluate(() => document.dispatchEvent(new Event('resume')))
  }
}
