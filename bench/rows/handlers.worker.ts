import { serveHandlers } from 'sitq/web-worker'
import { handlers } from './handlers.js'

serveHandlers(handlers)
