// The edge VM in a Node process of its own.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { EdgeVM } = createRequire(import.meta.url)('@edge-runtime/vm')
const vm = new EdgeVM()
vm.evaluate(readFileSync(process.argv[2] ?? '', 'utf8'))
await vm.context.startTests(console.log, (/** @type {(reason: unknown) => void} */ hear) =>
  process.on('unhandledRejection', hear),
)
process.exit()
