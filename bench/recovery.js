// `npm run bench:recovery`: how long until what died is replaced. Node 20 does not run TypeScript, Vite does.
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

/** @type {{ module: typeof import('./recovery.js') }} */
const { module } = await runnerImport(fileURLToPath(new URL('./recovery.ts', import.meta.url)), {
  configFile: false,
  logLevel: 'warn',
  resolve: { tsconfigPaths: true },
})
await module.main(process.argv.slice(2))
