// `npm run check:size`: what a page that uses the library has to load, minified, without what it does not use, and compressed
// with brotli as servers do. Fails over budget.
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import { build } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Each adds to the ones before it; budget and goal are for what it adds. kB are 1,000 bytes. A budget is what is true plus 2 %: it
 * keeps what there is from growing unnoticed. The goal is what it is to become; lower the budget with every step towards it.
 * @type {readonly { what: string, code: string, budget: number, goal: number }[]}
 */
const steps = [
  {
    what: 'TaskQueue + TaskWorker + inline, plans included',
    // The plans come with any backend that stores locally; LocalBackend is the part that all of them share.
    code: `export { TaskQueue, TaskWorker, inline } from 'sitq'\nexport { LocalBackend } from '${root}src/local.ts'`,
    budget: 51,
    goal: 11,
  },
  {
    what: '+ ./indexeddb, idb included',
    code: "export { IndexedDBBackend } from 'sitq/indexeddb'",
    budget: 7.7,
    goal: 5,
  },
  {
    what: '+ ./web-worker, comlink included',
    code: "export { serveHandlers, webWorkers } from 'sitq/web-worker'",
    budget: 6.9,
    goal: 4,
  },
]

/**
 * @param {string} code
 * @returns {Promise<number>} kB
 */
async function sizeOf(code) {
  const name = 'virtual:entry'
  const output = await build({
    root,
    configFile: false,
    logLevel: 'error',
    resolve: {
      alias: [
        { find: /^sitq$/, replacement: `${root}src/index.ts` },
        { find: /^sitq\/(.*)$/, replacement: `${root}src/$1/index.ts` },
      ],
    },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === name ? `${root}entry.ts` : undefined),
        load: (id) => (id === `${root}entry.ts` ? code : undefined),
      },
    ],
    build: {
      write: false,
      target: 'es2022',
      minify: true,
      modulePreload: false,
      rolldownOptions: { input: name, preserveEntrySignatures: 'strict', output: { codeSplitting: false } },
    },
  })
  const files = (Array.isArray(output) ? output : [output]).flatMap((each) => ('output' in each ? each.output : []))
  const chunks = files.flatMap((file) => (file.type === 'chunk' ? [file.code] : []))
  if (chunks.length !== 1) throw new Error(`One chunk is expected, not ${chunks.length}.`)
  return brotliCompressSync(Buffer.from(chunks.join('\n'))).length / 1_000
}

let code = ''
let before = 0
for (const step of steps) {
  code += `${step.code}\n`
  const size = await sizeOf(code)
  const added = size - before
  before = size
  const over = added > step.budget
  if (over) process.exitCode = 1
  console.log(
    `${over ? 'OVER ' : 'ok   '} ${added.toFixed(2).padStart(6)} kB of ${step.budget} (goal ${step.goal})  ${step.what}`,
  )
}
console.log(`       ${before.toFixed(2)} kB in all`)
