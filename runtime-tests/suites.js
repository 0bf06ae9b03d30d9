// Which tests run in a runtime: those of vitest's `node` project that need neither Node's own modules nor a browser. What a
// runtime lacks is skipped by name, with the reason.
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Of the demo, the bench and the layouts of earlier versions: nothing of what a runtime decides. */
const elsewhere = /^(bench-|demo-)/

/** @returns {string[]} relative to the repository */
export function testFiles() {
  return readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /^[^.]+\.test\.ts$/.test(file) && !elsewhere.test(file))
    .sort()
    .map((file) => `test/${file}`)
}

/** IndexedDB where there is none, and nothing of it lasts. */
export const testDouble = 'fake-indexeddb/auto'

/** Where there is no IndexedDB. */
export const noIndexedDB = [
  { pattern: /IndexedDB|indexeddb|two backends on one database/, reason: 'there is no IndexedDB' },
]
