// Stores a database of the present layout in test/fixtures, for the tests of all layouts to come. Never run twice for a
// layout: what is there is the promise that such a database can be opened.
import { existsSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
const { module } = await runnerImport(`${root}test/fixtures/make.ts`, { root, resolve: { tsconfigPaths: true } })
const made = await module.make()
const file = `${root}test/fixtures/layout-${made.dump.version}.json`
if (existsSync(file)) throw new Error(`${file} is there already.`)
writeFileSync(file, `${JSON.stringify(made)}\n`)
console.log(`${file} written.`)
