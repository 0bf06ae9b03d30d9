// workerd, with a Worker that runs the tests: Cloudflare's runtime, as it is on their edge. No compatibility flags: nothing of
// Node is there.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { Miniflare } = createRequire(import.meta.url)('miniflare')
const worker = new Miniflare({
  modules: true,
  script: readFileSync(process.argv[2] ?? '', 'utf8'),
  compatibilityDate: '2026-04-26',
})
// Killed where it stands, it would leave workerd behind.
process.once('SIGTERM', () => worker.dispose().finally(() => process.exit(1)))
try {
  const { ok, status } = await worker.dispatchFetch('http://localhost/')
  if (!ok) throw new Error(`The Worker answered ${status}.`)
} finally {
  await worker.dispose()
}
