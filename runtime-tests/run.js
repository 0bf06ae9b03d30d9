// node runtime-tests/run.js [RUNTIME…]: runs the tests in the runtimes, as published. Run `npm run build` first.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { stripVTControlCharacters } from 'node:util'
import { bundle } from './bundle.js'
import { app, pack } from './pack.js'
import { runtimes } from './runtimes.js'
import { smoke, testFiles } from './suites.js'

/** @typedef {import('./harness/run.js').Verdict} Verdict */

/** What the harness puts before each of its lines. */
const MARK = '\x1e'
/** ms; for all tests in one runtime. */
const MOST = 300_000

const [only] = process.argv.filter((argument) => argument.startsWith('--only=')).map((argument) => argument.slice(7))
const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const unknown = asked.filter((name) => !(name in runtimes))
if (unknown.length > 0) throw new Error(`No such runtime: ${unknown}. There are ${Object.keys(runtimes).join(', ')}.`)

const chosen = (/** @type {readonly string[]} */ files) => files.filter((file) => !only || file.includes(only))
/** Each in a process of its own. */
const groups = { smoke: chosen(smoke), suites: chosen(testFiles()) }
pack()
/** @type {Verdict[]} */
const all = []
for (const name of asked.length > 0 ? asked : Object.keys(runtimes)) {
  const began = Date.now()
  const verdicts = [...(await runIn(name, 'smoke')), ...(await runIn(name, 'suites'))]
  all.push(...verdicts)
  console.log(`${name.padEnd(8)} ${counts(verdicts)} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
}
console.log(`Tests: ${counts(all)}`)
process.exitCode = all.some(({ state }) => state === 'failed') ? 1 : 0

/**
 * @param {string} name of a runtime
 * @param {'smoke' | 'suites'} group
 * @returns {Promise<Verdict[]>}
 */
async function runIn(name, group) {
  const runtime = runtimes[name]
  if (!runtime) throw new Error(`No such runtime: ${name}`)
  const files = runtime.files ? (group === 'suites' ? chosen(runtime.files) : []) : groups[group]
  if (files.length === 0) return []
  const before = group === 'smoke' ? [] : runtime.before
  const skips = group === 'smoke' ? [] : runtime.skips
  const path = await bundle({ ...runtime, before, skips, files, name: `${name}-${group}.js` })
  const [command, ...args] = runtime.command()
  const child = spawn(command, [...args, path], { stdio: ['ignore', 'pipe', 'pipe'] })
  const guard = setTimeout(() => child.kill(), MOST)
  /** @type {Verdict[]} */
  const verdicts = []
  let ended = false
  /** @type {string[]} */
  const printed = []
  child.stderr.on('data', (text) => printed.push(String(text)))
  const exit = new Promise((resolve) => child.once('close', resolve))
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith(MARK)) {
      printed.push(`${line}\n`)
      continue
    }
    const said = JSON.parse(line.slice(MARK.length))
    if (said === 'ended') ended = true
    else verdicts.push(said)
    if (said.state === 'failed') console.log(`${name}: FAILED ${said.file} > ${said.test}\n${indent(said.message)}`)
  }
  const code = await exit
  clearTimeout(guard)
  if (!ended) {
    const message = `It ended with ${code} before its tests did.\n${printed.join('')}`
    console.log(`${name}: ${indent(message)}`)
    verdicts.push({ file: name, test: '(all)', state: 'failed', ms: 0, message })
  }
  writeFileSync(`${app}${name}-${group}.json`, JSON.stringify(verdicts, null, 1))
  return verdicts
}

/** @param {readonly Verdict[]} verdicts */
function counts(verdicts) {
  const of = (/** @type {Verdict['state']} */ state) => verdicts.filter((verdict) => verdict.state === state).length
  return `${of('passed')} passed, ${of('failed')} failed, ${of('skipped')} skipped`
}

/** @param {string | undefined} text */
function indent(text = '') {
  return stripVTControlCharacters(text).replaceAll('\0', '').replace(/^/gm, '  ')
}
