// npm run example:edge: the example on this machine, until it is interrupted.
import { fileURLToPath } from 'node:url'
import { serve } from './site.js'

const folder = fileURLToPath(new URL('.data/', import.meta.url))
const site = await serve({ port: Number(process.env.PORT ?? 8787), folder })
console.log(`${site.url} (Ctrl+C ends it; what is stored stays in examples/edge/.data)`)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void site.close().then(() => process.exit(0)))
