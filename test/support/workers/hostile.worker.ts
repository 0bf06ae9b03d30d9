import { serveHandlers } from '../../../src/web-worker/serve.js'
import { hostile } from './hostile.js'

serveHandlers(hostile)
