// The built demo, served to the browser that `npm run batch` and the tests drive.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { dirname, extname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const dist = join(root, 'demo', 'dist')

/** What the build is made of. */
const sources = ['demo', 'src', 'vite.config.ts', 'package-lock.json']

/** @type {Record<string, string>} */
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.csv': 'text/csv; charset=utf-8',
  '.json': 'application/json',
}

/**
 * Builds the demo if a source is newer than the last build.
 * @param {(line: string) => void} say
 */
export function buildIfStale(say) {
  const built = join(dist, 'batch.html')
  if (existsSync(built) && sources.every((source) => newest(join(root, source)) <= statSync(built).mtimeMs)) return
  say('Building the demo …')
  // Built beside and moved when complete: two builds at once do no harm, and a server never sees half of one.
  const draft = join(root, 'node_modules', '.cache', `sitq-demo-${process.pid}`)
  const vite = join(dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin', 'vite.js')
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [vite, 'build', '--outDir', draft, '--emptyOutDir', '--logLevel', 'warn'],
    { cwd: root, encoding: 'utf8', env: { ...process.env, NODE_ENV: 'production' } },
  )
  if (status !== 0) throw new Error(`The demo can't be built:\n${stdout}${stderr}`)
  mkdirSync(dirname(dist), { recursive: true })
  rmSync(dist, { recursive: true, force: true })
  try {
    renameSync(draft, dist)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    if (!existsSync(built)) throw error // else another process was faster
  }
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
 * @returns {Promise<{ origin: string, close: () => void }>}
 */
export async function serve() {
  const files = new Map(filesIn(dist).map((file) => [file.slice(dist.length).split(sep).join('/'), readFileSync(file)]))
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname
    const body = files.get(path)
    const type = types[extname(path)] ?? 'application/octet-stream'
    response.writeHead(body ? 200 : 404, { 'content-type': type, 'cache-control': 'no-store' })
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
