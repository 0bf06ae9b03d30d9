// `npm run bench`: everything that is measured, in real browsers; bench/contract.ts says what a row is. Node 20 does not run
// TypeScript, Vite does.
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

/** @type {{ module: typeof import('./runner/main.js') }} */
const { module } = await runnerImport(fileURLToPath(new URL('./runner/main.ts', import.meta.url)), {
  configFile: false,
  logLevel: 'warn',
  resolve: { tsconfigPaths: true },
})
await module.main(process.argv.slice(2))
