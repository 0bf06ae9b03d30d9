// `npm run test:chaos`: Node 20 does not run TypeScript, Vite does.
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

/** @type {{ module: typeof import('./main.js') }} */
const { module } = await runnerImport(fileURLToPath(new URL('./main.ts', import.meta.url)), {
  configFile: false,
  logLevel: 'warn',
  resolve: { tsconfigPaths: true },
})
process.exitCode = await module.main(process.argv.slice(2))
