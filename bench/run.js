// `npm run bench`: throughput in real Chromium, interleaved rounds, medians with their spread.
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
const browser = await chromium.launch(await prepareChromium())
try {
  const page = await browser.newPage()
  page.on('pageerror', (error) => console.error(error))
  await page.goto(server.resolvedUrls?.local[0] ?? '')
  await page.waitForFunction(() => 'benchRound' in globalThis)
  /** @type {import('./throughput.js').Round[]} */
  const rounds = []
  for (let i = 0; i < ROUNDS; i++) {
    const round = await page.evaluate(
      ([tasks, rows]) => globalThis.benchRound(tasks ?? 0, rows ?? 0),
      [TASKS, BASELINE_TASKS],
    )
    console.log(JSON.stringify(round))
    rounds.push(round)
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
  await browser.close()
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
