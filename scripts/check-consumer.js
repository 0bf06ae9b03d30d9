// Checks the package as its users meet it: packs it, installs the tarball in a fresh Vite app (scripts/consumer and the README's
// example), type-checks and builds that app, and waits in Chromium for the results. Run `npm run build` first.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium as playwright } from 'playwright'
import { preview } from 'vite'
import { prepareChromium } from './chromium.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const app = mkdtempSync(join(tmpdir(), 'sitq-consumer-'))

try {
  install(pack())
  run('type check', 'npx tsc', app)
  run('build', 'npx vite build', app)
  keepsHandlersOutOfThePage()
  await runsATask()
  console.log('A fresh Vite app installs the package, type-checks, builds and runs a task in Chromium.')
} finally {
  rmSync(app, { recursive: true, force: true })
}

/** @returns {string} the tarball's file name */
function pack() {
  if (!existsSync(join(root, 'dist', 'index.js'))) throw new Error('There is no dist/: run npm run build first.')
  run('npm pack', `npm pack --ignore-scripts --pack-destination "${app}"`, root)
  const tarball = readdirSync(app).find((file) => file.endsWith('.tgz'))
  if (!tarball) throw new Error('npm pack left no tarball.')
  return tarball
}

/** @param {string} tarball */
function install(tarball) {
  cpSync(join(root, 'scripts', 'consumer'), app, { recursive: true })
  writeReadmeExample()
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const { vite, typescript } = devDependencies
  const manifest = {
    name: 'sitq-consumer',
    private: true,
    type: 'module',
    dependencies: { sitq: `file:${tarball}` },
    devDependencies: { vite, typescript },
  }
  writeFileSync(join(app, 'package.json'), JSON.stringify(manifest, null, 2))
  run('npm install', 'npm install --prefer-offline --no-audit --no-fund', app)
}

/** The README's code blocks that name a file: `// src/app.ts`. */
function writeReadmeExample() {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const blocks = [...readme.matchAll(/^```ts\n\/\/ src\/(\S+)\n([\s\S]*?)^```$/gm)]
  if (blocks.length !== 3) throw new Error(`The README's example should be 3 files and is ${blocks.length}.`)
  const folder = join(app, 'src', 'readme')
  mkdirSync(folder)
  for (const [, file = '', code = ''] of blocks) writeFileSync(join(folder, file), code)
}

/** The page imports only the type of its handlers: their code must be in the worker's chunk alone. */
function keepsHandlersOutOfThePage() {
  const assets = join(app, 'dist', 'assets')
  const holding = readdirSync(assets).filter((file) =>
    readFileSync(join(assets, file), 'utf8').includes('only in the worker'),
  )
  if (holding.length !== 1 || !holding[0]?.includes('worker')) {
    throw new Error(`Handler code is expected in the worker's chunk alone and is in: ${holding.join(', ') || 'none'}`)
  }
}

async function runsATask() {
  const options = await prepareChromium()
  const server = await preview({ root: app, configFile: false, logLevel: 'silent', preview: { host: '127.0.0.1' } })
  const browser = await playwright.launch(options)
  try {
    const page = await browser.newPage()
    /** @type {string[]} */
    const complaints = []
    page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)))
    /** @type {string[]} */
    const logged = []
    page.on('console', (message) => (message.type() === 'error' ? complaints : logged).push(message.text()))
    await page.goto(server.resolvedUrls?.local[0] ?? '')
    const result = page.locator('#result:not(:empty)')
    await result.waitFor({ timeout: 30_000 }).catch(() => complaints.push('No result within 30 s.'))
    const text = complaints.length === 0 ? await result.textContent() : undefined
    if (text !== 'completed: 42') {
      throw new Error(`The page should say "completed: 42". It says: ${text}\n${complaints.join('\n')}`)
    }
    while (logged.length < 2) await page.waitForEvent('console', { timeout: 30_000 })
    const readme = logged.join(' | ')
    if (readme !== '144 | [completed, completed, completed]') throw new Error(`The README's example logged: ${readme}`)
  } finally {
    await browser.close()
    await server.close()
  }
}

/**
 * Runs a command and shows its output only if it fails.
 * @param {string} what
 * @param {string} command a constant command line; a shell, because npm is npm.cmd on Windows
 * @param {string} cwd
 */
function run(what, command, cwd) {
  const { status, stdout, stderr } = spawnSync(command, { cwd, shell: true, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${what} failed in the consumer check:\n${stdout}\n${stderr}`)
}
