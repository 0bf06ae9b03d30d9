/** A Redis of this bench's own, on the loopback, with its files in a temporary folder. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { NotHereError } from '../contract.js'

export interface OwnRedis {
  connection: { host: string; port: number; maxRetriesPerRequest: null }
  close(): Promise<void>
}

const find = () =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'redis-server'))
    .find((path) => existsSync(path))

/** Installs Debian's where it may. Throws NotHereError where there is none then. */
function prepare(): string {
  const present = find()
  if (present) return present
  const command = 'apt-get install redis-server'
  if (process.getuid?.() !== 0 || process.platform !== 'linux') throw new NotHereError(`there is no Redis: ${command}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args: string[]) => spawnSync('apt-get', [...args, '-q'], { stdio: 'ignore', env }).status === 0
  const install = () => apt('install', '-y', '--no-install-recommends', 'redis-server')
  if (!install()) void (apt('update') && install())
  const installed = find()
  if (!installed) throw new NotHereError(`there is no Redis, and ${command} failed`)
  return installed
}

/**
 * Everything is appended to a file that is handed to the operating system at once and to the disk each second: what `relaxed`
 * means to a browser.
 */
export async function startRedis(): Promise<OwnRedis> {
  const binary = prepare()
  const folder = await mkdtemp(join(tmpdir(), 'sitq-bench-redis-'))
  const port = await freePort()
  const durable = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '']
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, ...durable]
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await ready(child)
  return {
    connection: { host: '127.0.0.1', port, maxRetriesPerRequest: null },
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill()
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (text) => String(text).includes('Ready to accept connections') && resolve())
    child.once('exit', (code) => reject(new Error(`redis-server ended with ${code} before it was ready.`)))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        address === null || typeof address === 'string' ? reject(new Error('No port.')) : resolve(address.port),
      )
    })
  })
}
