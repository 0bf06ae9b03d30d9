// `npm run check:size`: what a page that uses the library has to load, minified, without what it does not use, and compressed
// with brotli as servers do; and what it loads should it ever need it. Fails over budget.
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import { build } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Each adds to the ones before it; budget and goal are for what it adds. kB are 1,000 bytes. A budget is what is true plus 2 %: it
 * keeps what there is from growing unnoticed. The goal is what it is to become; lower the budget with every step towards it.
 * @type {readonly { what: string, code: string, names: string, budget: number, goal: number }[]}
 */
const steps = [
  {
    what: 'TaskQueue + TaskWorker + inline, plans included',
    // The plans come with any backend that stores locally; LocalBackend is the part that all of them share. What looks at records
    // as they are read comes with the storage.
    code: `import { TaskQueue, TaskWorker, inline } from 'sitq'\nimport { LocalBackend } from '${root}src/local.ts'`,
    names: 'TaskQueue, TaskWorker, inline, LocalBackend',
    budget: 43.3,
    goal: 11,
  },
  {
    what: '+ ./indexeddb, idb included',
    code: "import { IndexedDBBackend } from 'sitq/indexeddb'",
    names: 'IndexedDBBackend',
    budget: 9.1,
    goal: 5,
  },
  {
    what: '+ ./web-worker, comlink included',
    code: "import { serveHandlers, webWorkers } from 'sitq/web-worker'",
    names: 'serveHandlers, webWorkers',
    budget: 6.9,
    goal: 4,
  },
]

/** The repair of damaged databases: budget in kB. */
const LATER = 8.3

/**
 * @param {string} code
 * @returns {Promise<{ first: number, later: number }>} kB: of what is loaded with the page, and of what is loaded on demand
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
        enforce: 'pre',
        resolveId: (id) => (id === name ? `${root}entry.ts` : undefined),
        load(id) {
          if (id === `${root}entry.ts`) return code
          // Vite's own, for the style sheets of what is loaded on demand: apps have it anyway, or another bundler.
          if (id.includes('vite/preload-helper')) return 'export const __vitePreload = (load) => load()'
          return undefined
        },
      },
    ],
    build: {
      write: false,
      target: 'es2022',
      minify: true,
      modulePreload: false,
      rolldownOptions: { input: name },
    },
  })
  const files = (Array.isArray(output) ? output : [output]).flatMap((each) => ('output' in each ? each.output : []))
  const chunks = new Map(files.flatMap((file) => (file.type === 'chunk' ? [[file.fileName, file]] : [])))
  const entry = [...chunks.values()].find((chunk) => chunk.isEntry)
  if (!entry) throw new Error('There is no entry.')
  // What the entry imports comes into this set as it is gone through.
  const first = new Set([entry.fileName])
  for (const file of first) for (const imported of chunks.get(file)?.imports ?? []) first.add(imported)
  /** @param {boolean} atFirst */
  const size = (atFirst) =>
    [...chunks.values()]
      .filter(({ fileName }) => first.has(fileName) === atFirst)
      .reduce((sum, chunk) => sum + brotliCompressSync(Buffer.from(chunk.code)).length / 1_000, 0)
  return { first: size(true), later: size(false) }
}

let code = ''
let before = 0
let later = 0
/** @param {number} size @param {number} budget @param {string} what */
function tell(size, budget, what) {
  const over = size > budget
  if (over) process.exitCode = 1
  console.log(`${over ? 'OVER ' : 'ok   '} ${size.toFixed(2).padStart(6)} kB of ${budget} ${what}`)
}
for (const step of steps) {
  code += `${step.code}\nglobalThis.app = { ...globalThis.app, ${step.names} }\n`
  const size = await sizeOf(code)
  tell(size.first - before, step.budget, `(goal ${step.goal})  ${step.what}`)
  before = size.first
  later = size.later
}
console.log(`       ${before.toFixed(2)} kB in all`)
tell(later, LATER, ' the repair of a damaged database, loaded when one is met')
