// workerd with Durable Objects, whose storage lasts as long as the tests.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const { Miniflare } = createRequire(import.meta.url)('miniflare')
const folder = mkdtempSync(join(tmpdir(), 'sitq-objects-'))
const object = (/** @type {string} */ className) => ({ className, useSQLite: true })
const classes = (process.argv[2] ?? '').split(',')
const worker = new Miniflare({
  modules: true,
  script: readFileSync(process.argv[3] ?? '', 'utf8'),
  compatibilityDate: '2026-04-26',
  durableObjects: Object.fromEntries(classes.map((name) => [name.toUpperCase(), object(name)])),
  durableObjectsPersist: folder,
})
try {
  const { body } = await worker.dispatchFetch('http://localhost/')
  for await (const chunk of body) process.stdout.write(chunk)
} finally {
  await worker.dispose()
  rmSync(folder, { recursive: true, force: true })
}
