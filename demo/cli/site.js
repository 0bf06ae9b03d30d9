// The built demo, served to the browser that `npm run batch` and the tests drive.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { dirname, extname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const dist = join(root, 'demo', 'dist')

/** A page's own policy does not reach the Web Workers it starts from files: theirs comes with their script. */
const POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"

/** What the build is made of. */
const sources = ['demo', 'bench', 'src', 'vite.config.ts', 'package-lock.json']

/** @type {Record<string, string>} */
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.csv': 'text/csv; charset=utf-8',
  '.json': 'application/json',
}

/** One build at a time: two processes may find it stale at once. A lock older than this, in ms, was left by one that died. */
const lock = join(root, 'node_modules', '.cache', 'sitq-demo.lock')
const ABANDONED = 60_000

/**
 * Builds the demo if a source is newer than the last build.
 * @param {(line: string) => void} say
 */
export async function buildIfStale(say) {
  mkdirSync(dirname(lock), { recursive: true })
  while (!locked()) await new Promise((resolve) => setTimeout(resolve, 100))
  try {
    if (!isStale()) return
    say('Building the demo …')
    build()
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

function locked() {
  try {
    mkdirSync(lock)
    return true
  } catch {
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (Date.now() - since > ABANDONED) rmSync(lock, { recursive: true, force: true })
    return false
  }
}

function isStale() {
  const built = statSync(join(dist, 'batch.html'), { throwIfNoEntry: false })?.mtimeMs
  return built === undefined || sources.some((source) => newest(join(root, source)) > built)
}

function build() {
  const vite = join(dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin', 'vite.js')
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [vite, 'build', '--emptyOutDir', '--logLevel', 'warn'],
    // Vitest says 'test', which Vite would take for the mode.
    { cwd: root, encoding: 'utf8', env: { ...process.env, NODE_ENV: 'production' } },
  )
  if (status !== 0) throw new Error(`The demo can't be built:\n${stdout}${stderr}`)
}

/**
 * @param {string} path a file or folder
 * @returns {number} when it, or the last changed file in it, was changed
 */
function newest(path) {
  if (path === dist || !existsSync(path)) return 0
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))))
}

/**
 * Serves the built demo on a free port of this machine. The files are read now: a later build changes nothing.
 * @param {Record<string, string>} [headers] of every file
 * @returns {Promise<{ origin: string, close: () => void }>}
 */
export async function serve(headers = {}) {
  const files = new Map(filesIn(dist).map((file) => [file.slice(dist.length).split(sep).join('/'), readFileSync(file)]))
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname
    const body = files.get(path)
    const type = types[extname(path)] ?? 'application/octet-stream'
    const policy = extname(path) === '.js' ? { 'content-security-policy': POLICY } : {}
    response.writeHead(body ? 200 : 404, { 'content-type': type, 'cache-control': 'no-store', ...policy, ...headers })
    response.end(body)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The local server has no port.')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesIn(path) : [path]
  })
}
