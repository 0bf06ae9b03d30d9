// Packs the package as it is published, and installs it in a folder of its own: that is what the runtimes import.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Where it is installed, with what it depends on. Bundles are written here, beside its node_modules. */
export const app = fileURLToPath(new URL('.app/', import.meta.url))
const installed = `${app}node_modules/.packed`

/** Needs dist/. What is installed already is left alone. */
export function pack() {
  if (!existsSync(`${root}dist/index.js`)) throw new Error('There is no dist/: run npm run build first.')
  mkdirSync(app, { recursive: true })
  // Bun goes by the nearest one, and the repository's says that 'sitq' is in src/: every class would be there twice.
  writeFileSync(`${app}tsconfig.json`, '{}')
  const [{ filename }] = JSON.parse(run(`npm pack --json --ignore-scripts --pack-destination "${app}"`, root))
  const digest = createHash('sha256')
    .update(readFileSync(app + filename))
    .digest('hex')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === digest) return
  rmSync(`${app}node_modules`, { recursive: true, force: true })
  const dependencies = { sitq: `file:${filename}` }
  writeFileSync(`${app}package.json`, JSON.stringify({ private: true, type: 'module', dependencies }))
  run('npm install --prefer-offline --no-audit --no-fund --no-package-lock', app)
  writeFileSync(installed, digest)
}

/**
 * @param {string} command a constant command line; a shell, because npm is npm.cmd on Windows
 * @param {string} cwd
 * @returns {string} what it printed
 */
function run(command, cwd) {
  const { status, stdout, stderr } = spawnSync(command, { cwd, shell: true, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} failed:\n${stdout}\n${stderr}`)
  return stdout
}
