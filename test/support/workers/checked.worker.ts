import { serveHandlers } from '../../../src/web-worker/serve.js'
import { checked } from './checked.js'

serveHandlers(checked)
