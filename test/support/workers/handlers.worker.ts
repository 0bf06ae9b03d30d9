import { serveHandlers } from '../../../src/web-worker/index.js'
import { handlers } from './handlers.js'

serveHandlers(handlers)
