// node host.js CLASSES [--kill=TIMES] BUNDLE: workerd with Durable Objects, whose storage lasts as long as the tests. With --kill,
// it is killed so many times in the middle of its work before they begin.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const { Miniflare } = createRequire(import.meta.url)('miniflare')
const folder = mkdtempSync(join(tmpdir(), 'sitq-objects-'))
const [classes = '', ...rest] = process.argv.slice(2)
const kills = Number(rest.find((argument) => argument.startsWith('--kill='))?.slice(7) ?? 0)
const script = readFileSync(rest.at(-1) ?? '', 'utf8')

const start = () =>
  new Miniflare({
    modules: true,
    script,
    compatibilityDate: '2026-04-26',
    durableObjects: Object.fromEntries(
      classes.split(',').map((className) => [className.toUpperCase(), { className, useSQLite: true }]),
    ),
    durableObjectsPersist: folder,
  })

let worker = start()
try {
  /** @type {string[]} */
  const acknowledged = []
  for (let i = 0; i < kills; i++) {
    const answer = await worker.dispatchFetch(`http://localhost/prepare?round=${i}`)
    acknowledged.push(...(await answer.json()))
    await pause(20 + 60 * i)
    // A SIGKILL: nothing is said or waited for.
    await worker.dispose()
    worker = start()
  }
  const { body } = await worker.dispatchFetch('http://localhost/', {
    method: 'POST',
    body: JSON.stringify(acknowledged),
  })
  for await (const chunk of body) process.stdout.write(chunk)
} finally {
  await worker.dispose()
  rmSync(folder, { recursive: true, force: true })
}
