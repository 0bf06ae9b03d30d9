import { serveHandlers } from '../../../src/web-worker/index.js'
import { handlers } from './handlers.js'

// Messages sent to a Web Worker while this waits are lost.
await new Promise((resolve) => setTimeout(resolve, 150))
serveHandlers(handlers)
