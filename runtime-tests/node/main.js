// The tests in a Node process.
import { pathToFileURL } from 'node:url'

const { start } = await import(pathToFileURL(process.argv[2] ?? '').href)
await start(console.log, (/** @type {(reason: unknown) => void} */ hear) => process.on('unhandledRejection', hear))
process.exit()
