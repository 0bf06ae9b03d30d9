// Finds a Chromium for the tests, the terminal demo and the package check: what the machine has, else the one that the npm
// package @sparticuz/chromium carries (x64 Linux), else Playwright's own, downloaded when nothing else is there.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { isUnpacked, packagedHome, unpack } from './chromium-package.js'

/**
 * What Playwright's `chromium.launch` takes. Without `executablePath` it uses its own download.
 * @typedef {{ executablePath?: string, args: string[], env: Record<string, string> }} LaunchOptions
 */

/** The sandbox needs privileges that containers and root lack, and these pages are our own; the rest keeps it off the network. */
export const chromiumFlags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

/**
 * Which Chromium to launch, and how. Only looks, so it costs nothing; `prepareChromium` makes sure that it is there.
 * CHROMIUM_BIN names a binary, or is `packaged` for the one in the npm package.
 * @returns {LaunchOptions}
 */
export function findChromium() {
  // A machine without a locale (containers) gives pages the language "en-US@posix", which Intl rejects.
  const env = /** @type {Record<string, string>} */ ({ ...process.env, LC_ALL: 'en_US.UTF-8' })
  const asked = process.env.CHROMIUM_BIN
  if (asked && asked !== 'packaged') {
    if (existsSync(asked)) return { executablePath: asked, args: chromiumFlags, env }
    throw new Error(`CHROMIUM_BIN=${asked} does not exist. Set it to a Chromium or Chrome binary, or leave it out.`)
  }
  const installed = asked ? undefined : installedChromium()
  if (installed) return { executablePath: installed, args: chromiumFlags, env }
  const home = packagedHome()
  if (home) {
    const LD_LIBRARY_PATH = [join(home, 'lib'), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':')
    const FONTCONFIG_FILE = join(home, 'fonts.conf')
    return {
      executablePath: join(home, 'chromium'),
      args: chromiumFlags,
      env: { ...env, LD_LIBRARY_PATH, FONTCONFIG_FILE },
    }
  }
  if (!asked) return { args: chromiumFlags, env }
  throw new Error('CHROMIUM_BIN=packaged works on x64 Linux only, with the dev dependencies installed. Leave it out.')
}

/**
 * Finds a Chromium and makes sure that it is there: unpacks or downloads it if need be, and says so.
 * @returns {Promise<LaunchOptions>}
 */
export async function prepareChromium() {
  const options = findChromium()
  if (options.executablePath === undefined) await download()
  else if (options.executablePath.startsWith(packagedHome() ?? '\0') && !isUnpacked()) {
    console.log('No Chromium is installed: unpacking the one from @sparticuz/chromium …')
    await unpack()
  }
  return options
}

/** @returns {string | undefined} a whole browser, unlike the packaged one, which is a headless shell without a back/forward cache */
export function installedChromium() {
  return usualPlaces().find((path) => existsSync(path))
}

/** @returns {string[]} where Chromium and its kin are installed on this platform, best first */
function usualPlaces() {
  if (process.platform === 'darwin') {
    const apps = ['Google Chrome', 'Chromium', 'Microsoft Edge']
    const folders = ['/Applications', join(process.env.HOME ?? '', 'Applications')]
    return apps.flatMap((app) => folders.map((folder) => join(folder, `${app}.app/Contents/MacOS/${app}`)))
  }
  if (process.platform === 'win32') {
    const programs = ['Google/Chrome/Application/chrome.exe', 'Microsoft/Edge/Application/msedge.exe']
    const folders = ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].map((name) => process.env[name] ?? '')
    return programs.flatMap((program) => folders.map((folder) => join(folder, program)))
  }
  // Not chromium-browser: on Ubuntu that is a script which only tells how to get the snap.
  const names = ['chromium', 'google-chrome', 'google-chrome-stable', 'microsoft-edge', 'microsoft-edge-stable']
  const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter).filter(Boolean)]
  return names.flatMap((name) => folders.map((folder) => join(folder, name)))
}

async function download() {
  const { chromium } = await import('playwright')
  if (existsSync(chromium.executablePath())) return
  console.log('No Chromium found: running npx playwright install chromium …')
  const cli = join(dirname(createRequire(import.meta.url).resolve('playwright/package.json')), 'cli.js')
  const { status } = spawnSync(process.execPath, [cli, 'install', 'chromium'], { stdio: 'inherit' })
  if (status === 0) return
  throw new Error(
    'Chromium could not be downloaded. Install Chromium, Chrome or Edge, or set CHROMIUM_BIN to one. ' +
      'The tests that need no browser: npm test -- --project node',
  )
}
