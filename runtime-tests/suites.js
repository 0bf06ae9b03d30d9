// Which tests run in a runtime: those of vitest's `node` project that need neither Node's own modules nor a browser. What a
// runtime lacks is skipped by name, with the reason.
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What an app does, in a runtime where nothing was imported and nothing is a test double. */
export const smoke = ['runtime-tests/smoke/imports.test.ts', 'runtime-tests/smoke/program.test.ts']

/**
 * Of the demo, the bench and the kill suite, and what searches at random for long: nothing that a runtime decides. What
 * is sharded has a run of its own, over objects.
 */
const elsewhere = /^(bench-|chaos-|demo-|damage-random|model\/|sharded\/)/

/** @returns {string[]} relative to the repository */
export function testFiles() {
  const shared = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /^[^.]+\.test\.ts$/.test(file) && !elsewhere.test(file))
    .sort()
    .map((file) => `test/${file}`)
  return ['runtime-tests/guide.test.ts', 'runtime-tests/missing.test.ts', ...shared]
}

/** IndexedDB where there is none, and nothing of it lasts. */
export const testDouble = 'fake-indexeddb/auto'

const long = 'takes long, and is about plans: npm test runs it in Node and in Chromium'

/** Everywhere. */
export const everywhere = [
  { pattern: /makes a record of what was thrown; when/, reason: 'all code is in one file: a stack names no test file' },
  { pattern: /^test\/(damage|gates)\.test|memory that loses its answers/, reason: long },
  {
    pattern:
      /10,000|1,000 causes|50 MB|, [13] on a page|every task ends once \(locks|rate that is a number|huge cancell/,
    reason: long,
  },
]

/** Where there is no IndexedDB. The same tests run over memory, if they are not about IndexedDB itself. */
export const noIndexedDB = [
  {
    pattern:
      /^test\/(appending|storage-lost|upgrade)|IndexedDB|indexeddb|two backends on one database|the browser itself cannot read/,
    reason: 'there is no IndexedDB',
  },
]

/** Deno has Web Locks and localStorage, but no window: what pages note of databases and departures is not noted. */
export const noWindow = [
  {
    pattern: /storage-lost.*(between two sessions: told once|in the middle of a session: what was stored stays)/,
    reason: 'there is no window',
  },
]

export const noWebAssembly = [
  {
    pattern: /compiled WebAssembly|refuses what can be posted and not stored|a value that only a storage refuses/,
    reason: 'nothing compiles WebAssembly',
  },
]

export const noBlobClones = [{ pattern: /takes a Blob|a Blob:|a File:/, reason: 'structuredClone takes no Blob' }]

/** workerd makes the cause enumerable, Bun adds where the error was made. */
export const otherErrorClones = [
  { pattern: /an Error with a cause: arrives/, reason: 'a clone of an error has other fields' },
]

/** Vercel's edge VM clones by Node's structuredClone, in Node's realm: what comes back is no instance of the VM's classes. */
export const otherRealm = [
  {
    pattern:
      /^test\/wire|give outputs of any kind|: arrives as stored|when enqueue was called|what structured clone can copy/,
    reason: 'clones are of another realm, and the test compares what made them',
  },
]

export const longClones = [
  { pattern: /an array of 4,000,000,000/, reason: 'structuredClone visits each index, as in WebKit' },
]

export const noMessages = [
  { pattern: /arrived during a pause|(a|returns a|enqueues a) port\b/, reason: 'there is no MessageChannel' },
]

export const otherBuiltIns = [
  { pattern: /a DOMException: is recorded/, reason: 'a DOMException has no code' },
  { pattern: /without (Symbol.asyncDispose|all of them)/, reason: 'Symbol cannot be replaced' },
]

/**
 * A global costs a look-up by Node in the edge VM, and giving way takes a timer of 1 ms: tests whose time is a ManualClock do that
 * many thousand times.
 */
export const slowVM = [
  { pattern: /^test\/(away|clock|gates|misfits|quota|roles|worker)\.test/, reason: 'a turn takes a timer' },
]
