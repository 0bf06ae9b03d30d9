// npm run test:engines [-- ENGINE… [VITEST ARGUMENT…]] : the browser tests in Chromium, Firefox and WebKitGTK, or in those named.
//   npm run test:engines -- firefox test/tabs.browser.test.ts
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EngineMissingError, engines, MISSING, prepareEngine } from './engines.js'

const args = process.argv.slice(2)
const named = engines.filter((engine) => args.includes(engine))
const chosen = named.length > 0 ? named : engines
try {
  for (const engine of chosen) await prepareEngine(engine)
} catch (error) {
  if (!(error instanceof EngineMissingError)) throw error
  console.error(
    `${error.engine}: ${error.message}\nTo run the tests in others: npm run test:engines -- ${engines.join(' ')}`,
  )
  process.exit(MISSING)
}

const root = fileURLToPath(new URL('..', import.meta.url))
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const projects = chosen.flatMap((engine) => ['--project', engine])
const rest = args.filter((arg) => !engines.some((engine) => engine === arg))
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', 'vitest.engines.config.ts', ...projects, ...rest],
  { cwd: root, stdio: 'inherit' },
)
process.exit(status ?? 1)
