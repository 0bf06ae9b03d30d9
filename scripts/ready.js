// node scripts/ready.js [FOLDER]: makes a fresh clone ready, or a folder of it that has dependencies of its own. Checks Node, and
// runs `npm ci` when node_modules does not hold what package-lock.json asks for.
// Imports nothing but Node, because it runs before anything is installed.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = process.argv[2] ?? '.'
const root = `${fileURLToPath(new URL('..', import.meta.url))}${folder}/`
const OLDEST_NODE = [20, 19] // what Vite 8 needs

/** @typedef {{ version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }} Locked */

/**
 * @param {string} file a lockfile, relative to the folder
 * @returns {Record<string, Locked>} its packages by the folder they are installed in
 */
function packagesOf(file) {
  return JSON.parse(readFileSync(`${root}${file}`, 'utf8')).packages
}

/**
 * npm keeps a lockfile of what it installed inside node_modules; it lacks optional packages for other platforms.
 * @returns {string | undefined} why an install is needed
 */
function outdated() {
  /** @type {Record<string, Locked>} */
  let installed
  try {
    installed = packagesOf('node_modules/.package-lock.json')
  } catch {
    return 'The dependencies are not installed yet'
  }
  for (const [place, wanted] of Object.entries(packagesOf('package-lock.json'))) {
    const present = installed[place]
    if (place === '' || (!present && (wanted.optional || wanted.devOptional))) continue
    if (present?.version !== wanted.version || present?.integrity !== wanted.integrity) {
      return `The installed dependencies are out of date (${place.replace('node_modules/', '')})`
    }
  }
  return undefined
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const [needMajor = 0, needMinor = 0] = OLDEST_NODE
if (major < needMajor || (major === needMajor && minor < needMinor)) {
  console.error(`Node ${needMajor}.${needMinor} or newer is needed; this is ${process.versions.node}.`)
  process.exit(1)
}

const reason = outdated()
if (reason) {
  console.log(`${reason}: running npm ci …`)
  // A shell, because npm is npm.cmd on Windows; the command line is constant.
  const { status } = spawnSync('npm ci --include=dev --no-audit --no-fund', {
    cwd: root,
    shell: true,
    stdio: 'inherit',
  })
  if (status !== 0) {
    console.error('npm ci failed: see above.')
    process.exit(status ?? 1)
  }
}
