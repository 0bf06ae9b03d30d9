import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright'
import { createServer } from 'vite'
import { onTestFinished } from 'vitest'
import { chromiumFlags, prepareChromium } from '../../scripts/chromium.js'
import type { StoragePage, page as storagePage } from './pages/storage.js'

type Calls = typeof storagePage

/** A page of test/support/pages/storage.ts in a browser. */
export interface OpenedPage {
  call<Name extends keyof Calls>(
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>>
}

/**
 * A browser's profile on the disk: it can be started, ended and started again on what it has stored, and its files can be
 * meddled with in between.
 */
export async function profile() {
  const folder = await mkdtemp(join(tmpdir(), 'sitq-profile-'))
  const server = await createServer({
    root: new URL('../..', import.meta.url).pathname,
    configFile: false,
    logLevel: 'error',
    resolve: { tsconfigPaths: true },
    optimizeDeps: { include: ['idb', 'comlink'] },
    server: { host: '127.0.0.1', port: 0, watch: null, hmr: false, ws: false },
    cacheDir: join(folder, 'vite'),
  })
  await server.listen()
  const [origin = ''] = server.resolvedUrls?.local ?? []
  const { executablePath, env } = await prepareChromium()
  let context: BrowserContext | undefined
  const stop = async () => {
    await context?.close()
    context = undefined
  }
  onTestFinished(async () => {
    await stop()
    await server.close()
    await rm(folder, { recursive: true, force: true })
  })

  return {
    /** Starts the browser if it does not run. */
    async open(options: StoragePage): Promise<OpenedPage> {
      context ??= await chromium.launchPersistentContext(join(folder, 'profile'), {
        args: chromiumFlags,
        env,
        ...(executablePath ? { executablePath } : {}),
      })
      const page = await context.newPage()
      await page.goto(`${origin}test/support/pages/storage.html#${encodeURIComponent(JSON.stringify(options))}`)
      await page.waitForFunction('globalThis.page')
      return { call: (name, ...args) => callIn(page, name, args) }
    },
    stop,
    /** Where Chromium keeps IndexedDB's files. */
    async databaseFolders(): Promise<string[]> {
      const all = await readdir(join(folder, 'profile', 'Default', 'IndexedDB'))
      return all.map((name) => join(folder, 'profile', 'Default', 'IndexedDB', name))
    },
  }
}

const callIn = <Name extends keyof Calls>(page: Page, name: Name, args: unknown[]) =>
  page.evaluate<Awaited<ReturnType<Calls[Name]>>>(`page.${name}(${args.map((arg) => JSON.stringify(arg)).join()})`)
