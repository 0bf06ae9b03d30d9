import { serveHandlers } from 'sitq/web-worker'
import { handlers } from '../pages/tab-handlers.js'

serveHandlers(handlers)
