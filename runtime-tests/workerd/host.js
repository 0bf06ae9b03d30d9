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
try {
  const { body } = await worker.dispatchFetch('http://localhost/')
  for await (const chunk of body) process.stdout.write(chunk)
} finally {
  await worker.dispose()
}
