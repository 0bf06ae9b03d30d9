// Which tests run in a runtime: those of vitest's `node` project that need neither Node's own modules nor a browser. What a
// runtime lacks is skipped by name, with the reason.
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What an app does, in a runtime where nothing was imported and nothing is a test double. */
export const smoke = ['runtime-tests/smoke/imports.test.ts', 'runtime-tests/smoke/program.test.ts']

/** Of the demo and the bench, and what searches at random for long: nothing that a runtime decides. */
const elsewhere = /^(bench-|demo-|damage-random|model\/)/

/** @returns {string[]} relative to the repository */
export function testFiles() {
  const shared = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /^[^.]+\.test\.ts$/.test(file) && !elsewhere.test(file))
    .sort()
    .map((file) => `test/${file}`)
  return ['runtime-tests/missing.test.ts', ...shared]
}

/** IndexedDB where there is none, and nothing of it lasts. */
export const testDouble = 'fake-indexeddb/auto'

/** Everywhere. */
export const everywhere = [
  { pattern: /makes a record of what was thrown; when/, reason: 'all code is in one file: a stack names no test file' },
  {
    pattern:
      /^test\/gates|10,000|, [13] on a page|every task ends once \(locks|rate that is a number|huge cancellation/,
    reason: 'takes long; npm test runs it in Node and in Chromium',
  },
]

/** Where there is no IndexedDB. The same tests run over memory, if they are not about IndexedDB itself. */
export const noIndexedDB = [
  {
    pattern:
      /^test\/(storage-lost|upgrade)|IndexedDB|indexeddb|two backends on one database|the browser itself cannot read/,
    reason: 'there is no IndexedDB',
  },
]

export const noWebAssembly = [
  {
    pattern: /compiled WebAssembly|refuses what can be posted and not stored|a value that only a storage refuses/,
    reason: 'nothing compiles WebAssembly',
  },
]

export const noBlobClones = [{ pattern: /takes a Blob|a Blob:|a File:/, reason: 'structuredClone takes no Blob' }]

export const otherErrorClones = [
  { pattern: /an Error with a cause: arrives/, reason: "a clone's cause is enumerable" },
  { pattern: /an Error with 1,000 causes/, reason: 'structuredClone of 1,000 nested errors takes a minute' },
]

/** Vercel's edge VM clones by Node's structuredClone, in Node's realm: what comes back is no instance of the VM's classes. */
export const otherRealm = [{ pattern: /give outputs of any kind/, reason: 'clones are of another realm' }]

export const fixedSymbol = [
  { pattern: /without (Symbol.asyncDispose|all of them)/, reason: 'Symbol cannot be replaced' },
]

/** Tests whose time is a ManualClock give way many thousand times, which costs 1 ms each where that takes a timer. */
export const slowTurns = [
  { pattern: /^test\/(away|clock|gates|misfits|quota|roles|worker)\.test/, reason: 'a turn takes a timer' },
]
