// What there is to run the tests in, and what each of them lacks.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { noIndexedDB, testDouble } from './suites.js'

const here = fileURLToPath(new URL('.', import.meta.url))
const require = createRequire(import.meta.url)
const start = `${here}harness/start.ts`

/**
 * @typedef {object} Runtime
 * @property {string} entry of the bundle
 * @property {'es' | 'iife'} format
 * @property {boolean} whole one file is all it takes: the package is inside it
 * @property {string[]} before modules that are evaluated before the tests
 * @property {import('./bundle.js').Skip[]} skips
 * @property {() => [command: string, ...args: string[]]} command what runs the bundle whose path is appended
 */

/** A runtime with modules and files: it imports the package itself. IndexedDB is a test double there. */
const server = { entry: start, format: /** @type {const} */ ('es'), whole: false, before: [testDouble], skips: [] }

/** @type {Record<string, Runtime>} */
export const runtimes = {
  node: { ...server, command: () => [process.execPath, `${here}node/main.js`] },
  deno: {
    ...server,
    command: () => [binary('deno', 'deno'), 'run', '--allow-all', '--no-lock', `${here}deno/main.js`],
  },
  bun: { ...server, command: () => [binary('bun', 'bin/bun.exe'), `${here}bun/main.js`] },
  workerd: {
    entry: `${here}workerd/main.ts`,
    format: 'es',
    whole: true,
    before: [],
    skips: noIndexedDB,
    command: () => [process.execPath, `${here}workerd/host.js`],
  },
  'edge-vm': {
    entry: `${here}edge-vm/main.ts`,
    format: 'iife',
    whole: true,
    before: [],
    skips: noIndexedDB,
    command: () => [process.execPath, `${here}edge-vm/host.js`],
  },
}

/**
 * Postinstall scripts have put them there.
 * @param {string} name of the npm package
 * @param {string} file in it
 */
function binary(name, file) {
  const folder = require.resolve(`${name}/package.json`).replace(/package\.json$/, '')
  return folder + file
}
