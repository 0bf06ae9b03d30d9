// npm run bench:edge [-- TASKS]: what one Durable Object sustains in workerd on this machine with 1,000 and with TASKS (1,000,000)
// tasks stored, and what two and four do together. docs/capacity.md says what that means.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.js'
import { pack } from '../pack.js'

const { Miniflare } = createRequire(import.meta.url)('miniflare')
const stored = Number(process.argv[2] ?? 1_000_000)
const ROUNDS = 3
/** ms of each round. */
const ROUND = 2_000

pack()
const entry = fileURLToPath(new URL('capacity.ts', import.meta.url))
const path = await bundle({ entry, files: [], skips: [], whole: true, format: 'es', name: 'object-capacity.js' })
const folder = mkdtempSync(join(tmpdir(), 'sitq-capacity-'))
const object = (/** @type {string} */ className) => ({ className, useSQLite: true })
const worker = new Miniflare({
  modules: true,
  script: readFileSync(path, 'utf8'),
  compatibilityDate: '2026-04-26',
  durableObjects: { PLAIN: object('Plain'), RUNNING: object('Running') },
  durableObjectsPersist: folder,
})

/** @type {(path: string, parameters: Record<string, string | number>) => Promise<any>} */
async function ask(path, parameters) {
  const query = new URLSearchParams(Object.entries(parameters).map(([key, value]) => [key, String(value)]))
  const answer = await worker.dispatchFetch(`http://localhost${path}?${query}`)
  if (!answer.ok) throw new Error(await answer.text())
  return await answer.json()
}
const whole = (/** @type {number} */ n) => Math.round(n).toLocaleString('en')
/** @param {string} what @param {string} text */
const say = (what, text) => console.log(`${what.padEnd(52)} ${text}`)

/** @param {string} what @param {string} path @param {string} names */
async function rate(what, path, names) {
  const rates = []
  for (let i = 0; i < ROUNDS; i++) rates.push((1_000 * (await ask(path, { names, ms: ROUND }))) / ROUND)
  rates.sort((a, b) => a - b)
  say(what, `${whole(rates[1] ?? 0)}/s (${whole(rates[0] ?? 0)}–${whole(rates.at(-1) ?? 0)})`)
}

/** @param {string} what @param {string} path @param {string} names @param {number} count */
async function times(what, path, names, count) {
  const all = (await ask(path, { names, count })).sort((/** @type {number} */ a, /** @type {number} */ b) => a - b)
  const at = (/** @type {number} */ share) => (all[Math.floor(share * (all.length - 1))] ?? 0).toFixed(1)
  say(what, `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`)
}

try {
  for (const [name, count] of /** @type {const} */ ([
    ['small', 1_000],
    ['large', stored],
  ])) {
    const ms = await ask('/fill', { names: name, count })
    const state = `${whole(count)} stored`
    say(`${state}: storing them, 4,096 a call`, `${whole((1_000 * count) / ms)}/s`)
    await times(`${state}: one task enqueued`, '/one', name, 300)
    await rate(`${state}: enqueued, 512 a call`, '/many', name)
    await rate(`${state}: claimed and settled, 512 a call`, '/work', name)
  }
  await times('one object: enqueued to result, run in it', '/latency', 'a', 300)
  for (const names of ['a,b', 'a,b,c,d']) {
    const count = names.split(',').length
    await rate(`${count} objects: enqueued, 512 a call`, '/many', names)
    await rate(`${count} objects: claimed and settled, 512 a call`, '/work', names)
    await times(`${count} objects as shards: enqueued to result`, '/latency', names, 300)
  }
  say(
    'load of the machine at the end',
    loadavg()
      .map((load) => load.toFixed(1))
      .join(' '),
  )
} finally {
  await worker.dispose()
  rmSync(folder, { recursive: true, force: true })
}
