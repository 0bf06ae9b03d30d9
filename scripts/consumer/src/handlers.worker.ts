import { serveHandlers } from 'sitq/web-worker'
import { handlers } from './handlers'

serveHandlers(handlers)
