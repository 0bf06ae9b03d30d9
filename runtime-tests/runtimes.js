// What there is to run the tests in, and what each of them lacks.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { differs } from '../test/sharded/differs.js'
import {
  everywhere,
  longClones,
  noBlobClones,
  noIndexedDB,
  noMessages,
  noWebAssembly,
  noWindow,
  otherBuiltIns,
  otherErrorClones,
  otherRealm,
  slowVM,
  testDouble,
} from './suites.js'

const here = fileURLToPath(new URL('.', import.meta.url))
const require = createRequire(import.meta.url)
const start = `${here}harness/start.ts`

/**
 * @typedef {object} Runtime
 * @property {string} entry of the bundle
 * @property {string[]} [files] tests of its own, instead of everyone's
 * @property {'es' | 'iife'} format
 * @property {boolean} whole one file is all it takes: the package is inside it
 * @property {string[]} before modules that are evaluated before the tests
 * @property {import('./bundle.js').Skip[]} skips
 * @property {() => [command: string, ...args: string[]]} command what runs the bundle whose path is appended
 */

/** A runtime with modules and files: it imports the package itself. IndexedDB is a test double there. */
const server = {
  entry: start,
  format: /** @type {const} */ ('es'),
  whole: false,
  before: [testDouble],
  skips: everywhere,
}

/** Durable Objects in workerd: the tests run in one, or in a Worker that has its binding. */
const objects = { format: /** @type {const} */ ('es'), whole: true, before: [], skips: [] }

/** @type {Record<string, Runtime>} */
export const runtimes = {
  node: { ...server, command: () => [process.execPath, `${here}node/main.js`] },
  deno: {
    ...server,
    skips: [...everywhere, ...noWindow],
    command: () => [binary('deno', 'deno'), 'run', '--allow-all', '--no-lock', `${here}deno/main.js`],
  },
  bun: {
    ...server,
    skips: [...everywhere, ...otherErrorClones, ...longClones],
    command: () => [binary('bun', 'bin/bun.exe'), `${here}bun/main.js`],
  },
  workerd: {
    entry: `${here}workerd/main.ts`,
    format: 'es',
    whole: true,
    before: [],
    skips: [...everywhere, ...noIndexedDB, ...noWebAssembly, ...noBlobClones, ...otherErrorClones],
    command: () => [process.execPath, `${here}workerd/host.js`],
  },
  'in-object': {
    ...objects,
    entry: `${here}durable-object/inside.ts`,
    files: ['runtime-tests/durable-object/inside.test.ts'],
    command: () => [process.execPath, `${here}durable-object/host.js`, 'Tests'],
  },
  'to-object': {
    ...objects,
    entry: `${here}durable-object/outside.ts`,
    files: ['life', 'wire', 'outside'].map((name) => `runtime-tests/durable-object/${name}.test.ts`),
    command: () => [process.execPath, `${here}durable-object/host.js`, 'Plain,Working'],
  },
  'to-shards': {
    ...objects,
    entry: `${here}durable-object/outside.ts`,
    files: ['runtime-tests/durable-object/sharded.test.ts'],
    skips: Object.entries(differs).map(([name, reason]) => ({ pattern: new RegExp(name), reason })),
    command: () => [process.execPath, `${here}durable-object/host.js`, 'Plain,Working'],
  },
  'killed-object': {
    ...objects,
    entry: `${here}durable-object/outside.ts`,
    files: ['runtime-tests/durable-object/killed.test.ts'],
    command: () => [process.execPath, `${here}durable-object/host.js`, 'Plain,Working', '--kill=4'],
  },
  'edge-vm': {
    entry: `${here}edge-vm/main.ts`,
    format: 'iife',
    whole: true,
    before: [],
    skips: [...everywhere, ...noIndexedDB, ...otherRealm, ...noMessages, ...otherBuiltIns, ...slowVM],
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
