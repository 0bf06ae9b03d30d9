// Finds the browsers that `npm run test:engines` runs the tests in, beside Chromium (chromium.js), and what they need. On Debian
// and its kin, as root, what is missing is installed; elsewhere an error says what to install.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installedChromium, prepareChromium } from './chromium.js'

/** @typedef {'chromium' | 'firefox' | 'webkit'} Engine */

/** @type {readonly Engine[]} */
export const engines = ['chromium', 'firefox', 'webkit']

/** What scripts exit with then (EX_UNAVAILABLE): .ci/run tells it from tests that failed. */
export const MISSING = 69

/** An engine is not installed, and could not be. The message says what to do. */
export class EngineMissingError extends Error {
  /**
   * @param {Engine} engine
   * @param {string} message
   */
  constructor(engine, message) {
    super(message)
    this.name = 'EngineMissingError'
    this.engine = engine
  }
}

/**
 * Firefox: FIREFOX_BIN, else an installed one. Debian's is the extended support release.
 * @returns {string | undefined} its path
 */
export function findFirefox() {
  const mac = ['Firefox', 'Firefox Developer Edition', 'Firefox Nightly'].map(
    (app) => `/Applications/${app}.app/Contents/MacOS/firefox`,
  )
  const windows = ['PROGRAMFILES', 'PROGRAMFILES(X86)'].map((name) =>
    join(process.env[name] ?? '', 'Mozilla Firefox/firefox.exe'),
  )
  return chosen('FIREFOX_BIN') ?? first(onPath('firefox-esr'), onPath('firefox'), ...mac, ...windows)
}

/** @typedef {{ driver: string, browser: string, display: string | undefined }} WebKit paths; no display: the one there is */

/**
 * WebKitGTK: its WebDriver (WEBKIT_DRIVER_BIN), its MiniBrowser (WEBKIT_BIN), and Xvfb as the display, because MiniBrowser is never
 * headless. Without Xvfb the display of the person who asks.
 * @returns {WebKit | undefined} undefined if any is missing
 */
export function findWebKit() {
  if (process.platform !== 'linux') return undefined
  const driver = chosen('WEBKIT_DRIVER_BIN') ?? onPath('WebKitWebDriver')
  const browser = chosen('WEBKIT_BIN') ?? first(...miniBrowsers())
  const display = onPath('Xvfb')
  if (!driver || !browser || !(display || process.env.DISPLAY)) return undefined
  return { driver, browser, display }
}

/**
 * Makes sure that an engine is there.
 * @param {Engine} engine
 * @returns {Promise<void>}
 * @throws {EngineMissingError}
 */
export async function prepareEngine(engine) {
  if (engine === 'chromium') await prepareChromium()
  else if (engine === 'firefox') prepare(engine, findFirefox, ['firefox-esr'], 'Firefox, or set FIREFOX_BIN to one')
  else
    prepare(
      engine,
      findWebKit,
      ['webkit2gtk-driver', 'xvfb'],
      'WebKitGTK with its WebDriver and MiniBrowser (Linux only), and Xvfb',
    )
}

/**
 * Makes sure that a whole Chromium is installed, or one of its kin, and not only the packaged headless shell.
 * @returns {string} its path
 * @throws {EngineMissingError}
 */
export function prepareWholeChromium() {
  const find = () => chosen('CHROMIUM_BIN') ?? installedChromium()
  prepare('chromium', find, ['chromium'], 'Chromium or Chrome, or set CHROMIUM_BIN to one')
  return find() ?? ''
}

/**
 * @param {Engine} engine
 * @param {() => unknown} find
 * @param {string[]} packages of Debian
 * @param {string} what to install elsewhere
 */
function prepare(engine, find, packages, what) {
  if (find()) return
  const command = `apt-get install ${packages.join(' ')}`
  if (!onPath('apt-get')) throw new EngineMissingError(engine, `Install ${what}.`)
  if (process.getuid?.() !== 0) throw new EngineMissingError(engine, `Install ${what}: sudo ${command}`)
  console.log(`No ${engine} found: running ${command} …`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const run = (/** @type {string[]} */ args) => spawnSync('apt-get', args, { stdio: 'inherit', env }).status === 0
  const install = ['install', '-y', '-q', '--no-install-recommends', ...packages]
  // A fresh container knows no packages before the first update.
  if (!(run(install) || (run(['update', '-q']) && run(install))) || !find()) {
    throw new EngineMissingError(engine, `${command} failed: see above. Install ${what}.`)
  }
}

/**
 * @param {string} variable that names a binary
 * @returns {string | undefined}
 */
function chosen(variable) {
  const path = process.env[variable]
  if (path && !existsSync(path))
    throw new Error(`${variable}=${path} does not exist. Set it to a binary, or leave it out.`)
  return path || undefined
}

/**
 * @param {...(string | undefined)} paths
 * @returns {string | undefined}
 */
function first(...paths) {
  return paths.find((path) => path && existsSync(path))
}

/**
 * @param {string} name
 * @returns {string | undefined}
 */
function onPath(name) {
  return first(...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name)))
}

/** Not on the PATH: /usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser on Debian, /usr/libexec/… on Fedora. Newest first. */
function miniBrowsers() {
  /** @type {(folder: string) => string[]} */
  const within = (folder) => (existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [])
  const roots = [
    '/usr/lib',
    '/usr/lib64',
    '/usr/libexec',
    ...within('/usr/lib').filter((path) => path.endsWith('-linux-gnu')),
  ]
  const homes = roots.flatMap(within).filter((path) => /webkit(2?gtk)-\d/.test(path))
  return homes
    .sort()
    .reverse()
    .map((home) => join(home, 'MiniBrowser'))
}
