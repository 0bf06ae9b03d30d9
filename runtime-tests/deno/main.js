// The tests in Deno.
import process from 'node:process'

const { start } = await import(`file://${process.argv[2]}`)
await start(console.log)
process.exit()
