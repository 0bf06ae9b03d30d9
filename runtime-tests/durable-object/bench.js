// node runtime-tests/durable-object/bench.js [TASKS]: what one Durable Object does in workerd on this machine, nearly empty and
// with TASKS (1,000,000) stored. Needs `npm run build`, and runtime-tests/node_modules.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.js'
import { pack } from '../pack.js'

const { Miniflare } = createRequire(import.meta.url)('miniflare')
const tasks = Number(process.argv[2] ?? 1_000_000)
pack()
const entry = fileURLToPath(new URL('bench.ts', import.meta.url))
const path = await bundle({ entry, files: [], skips: [], whole: true, format: 'es', name: 'object-bench.js' })
const folder = mkdtempSync(join(tmpdir(), 'sitq-bench-'))
const worker = new Miniflare({
  modules: true,
  script: readFileSync(path, 'utf8'),
  compatibilityDate: '2026-04-26',
  durableObjects: { PLAIN: { className: 'Plain', useSQLite: true } },
  durableObjectsPersist: folder,
})
/** @type {(path: string, parameters: Record<string, string | number>) => Promise<any>} */
const ask = async (path, parameters) => {
  const query = new URLSearchParams(Object.entries(parameters).map(([key, value]) => [key, String(value)]))
  return await (await worker.dispatchFetch(`http://localhost${path}?${query}`)).json()
}
/** @param {number[]} times */
const spread = (times) => {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (/** @type {number} */ share) => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(2)
  return `${at(0.5)} ms (${at(0)}–${at(1)})`
}
/** @param {string} name @param {string} text */
const say = (name, text) => console.log(`${name.padEnd(44)} ${text}`)

/** @param {string} name @param {string} state */
async function looks(name, state) {
  say(`${state}: one task stored`, spread(await ask('/single', { name, count: 100 })))
  for (const limit of [1, 32, 128, 512]) {
    const count = limit === 512 ? 50 : 100
    say(`${state}: claim ${limit} and settle ${limit}`, spread(await ask('/exchange', { name, count, limit })))
  }
  say(`${state}: counts`, spread(await ask('/counts', { name, count: 100 })))
  say(`${state}: a result`, spread(await ask('/result', { name, count: 100 })))
}
try {
  const name = 'large'
  await ask('/add', { name: 'small', from: 0, count: 100_000 })
  await looks('small', '100,000 stored')
  const ms = await ask('/add', { name, from: 0, count: tasks })
  say(
    `${tasks.toLocaleString('en')} tasks stored, 4,096 a call`,
    `${Math.round(tasks / (ms / 1000)).toLocaleString('en')} a second`,
  )
  await looks(name, 'all waiting')
  const drained = await ask('/drain', { name, limit: 512 })
  say(
    'all claimed and settled, 512 a call',
    `${Math.round(drained.tasks / (drained.ms / 1000)).toLocaleString('en')} a second`,
  )
  await ask('/add', { name, from: 0, count: 100_000 })
  await looks(name, 'all ended')
} finally {
  await worker.dispose()
  rmSync(folder, { recursive: true, force: true })
}
