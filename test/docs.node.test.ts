import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = `${root}node_modules/.docs/`

/** What the blocks take as given. */
const given = {
  'handlers.ts': `import { defineHandlers } from 'sitq'
    export const handlers = defineHandlers({ square: (n: number) => n * n })
    export type Handlers = typeof handlers`,
  'platform.d.ts': `type DurableObjectNamespace<_ = unknown> = import('sitq/durable-object').ObjectNamespace`,
}
const config = {
  extends: '../../tsconfig.json',
  compilerOptions: { types: ['node'], paths: { sitq: ['../../src/index.ts'], 'sitq/*': ['../../src/*/index.ts'] } },
  include: ['*', '../../src/durable-object/cloudflare.d.ts'],
  exclude: [],
}

test('the code in docs/edge.md compiles', () => {
  const blocks = [...readFileSync(`${root}docs/edge.md`, 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)]
  expect(blocks.length).toBeGreaterThanOrEqual(3)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(given)) writeFileSync(folder + name, text)
  blocks.forEach(([, code = ''], i) => {
    writeFileSync(`${folder}block${i}.ts`, `${code}\nexport {}\n`)
  })
  writeFileSync(`${folder}tsconfig.json`, JSON.stringify(config))
  const { stdout, status } = spawnSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', folder], {
    encoding: 'utf8',
  })
  rmSync(folder, { recursive: true, force: true })
  expect(stdout).toBe('')
  expect(status).toBe(0)
}, 60_000)
