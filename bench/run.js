// `npm run bench`: throughput in real Chromium, interleaved rounds, medians with their spread.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright'
import { createServer } from 'vite'
import { prepareChromium } from '../scripts/chromium.js'

const ROUNDS = Number(process.env.ROUNDS ?? 5)
const TASKS = Number(process.env.TASKS ?? 100_000)
/** The baseline's cost per task does not fall with their number: fewer do. */
const BASELINE_TASKS = Number(process.env.BASELINE_TASKS ?? 20_000)

const here = fileURLToPath(new URL('.', import.meta.url))
const server = await createServer({
  root: here,
  configFile: false,
  logLevel: 'error',
  resolve: { tsconfigPaths: true },
  worker: { format: 'es' },
  optimizeDeps: { include: ['idb', 'comlink'] },
  server: { port: 0, host: '127.0.0.1', fs: { allow: [fileURLToPath(new URL('..', import.meta.url))] } },
})
await server.listen()
const launch = await prepareChromium()

/**
 * Runs something on the bench page with a fresh profile: on the disk, as a user's is (a private context keeps IndexedDB in
 * memory), and without what the round before left to be compacted.
 * @template T
 * @param {(page: import('playwright').Page) => Promise<T>} measure
 */
async function inFreshProfile(measure) {
  const profile = mkdtempSync(join(tmpdir(), 'sitq-bench-'))
  const context = await chromium.launchPersistentContext(profile, launch)
  try {
    const page = await context.newPage()
    page.on('pageerror', (error) => console.error(error))
    await page.goto(server.resolvedUrls?.local[0] ?? '')
    await page.waitForFunction(() => 'benchRound' in globalThis)
    return await measure(page)
  } finally {
    await context.close()
    rmSync(profile, { recursive: true, force: true })
  }
}

try {
  /** @type {[number, number[]]} */
  const experiment = [4096, [1, 10, 50, 100, 1000, 4096]]
  const rows = await inFreshProfile((page) =>
    page.evaluate(([tasks, sizes]) => globalThis.benchChunks(tasks, sizes), experiment),
  )
  for (const { size, stored, ended } of rows) {
    console.log(`chunks of ${size}: ${stored} tasks/s stored, ${ended} tasks/s until the last has ended`)
  }
  /** @type {import('./throughput.js').Round[]} */
  const rounds = []
  for (let i = 0; i < ROUNDS; i++) {
    /** @type {[number, number]} */
    const sizes = [TASKS, BASELINE_TASKS]
    rounds.push(
      await inFreshProfile((page) => page.evaluate(([tasks, rows]) => globalThis.benchRound(tasks, rows), sizes)),
    )
    console.log(JSON.stringify(rounds.at(-1)))
  }
  for (const [label, pick, base] of /** @type {const} */ ([
    ['enqueueMany', 'enqueueMany', 'baselineEnqueue'],
    ['drain, 2 Web Workers', 'drain', 'baselineDrain'],
  ])) {
    const ratios = rounds.map((round) => round[pick] / round[base])
    console.log(
      `${label}: ${median(rounds.map((round) => round[pick]))} tasks/s (${spread(rounds.map((round) => round[pick]))}), ` +
        `one record per task: ${median(rounds.map((round) => round[base]))} tasks/s, ` +
        `ratio ${median(ratios).toFixed(1)} (${ratios.map((ratio) => ratio.toFixed(1)).join(', ')})`,
    )
  }
} finally {
  await server.close()
}

/** @param {number[]} numbers */
function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

/** @param {number[]} numbers */
function spread(numbers) {
  return `${Math.min(...numbers)}–${Math.max(...numbers)}`
}
