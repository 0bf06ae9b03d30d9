// npm run test:bfcache : the tests of the back/forward cache. They need a whole Chromium: the headless shell that is unpacked for
// the other tests has no such cache, and skips them.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EngineMissingError, MISSING, prepareWholeChromium } from './engines.js'

let CHROMIUM_BIN = ''
try {
  CHROMIUM_BIN = prepareWholeChromium()
} catch (error) {
  if (!(error instanceof EngineMissingError)) throw error
  console.error(error.message)
  process.exit(MISSING)
}
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const { status } = spawnSync(process.execPath, [vitest, 'run', '--project', 'node', 'test/bfcache.node.test.ts'], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  env: { ...process.env, CHROMIUM_BIN },
  stdio: 'inherit',
})
process.exit(status ?? 1)
