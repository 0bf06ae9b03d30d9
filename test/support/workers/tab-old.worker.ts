import { serveHandlers } from 'sitq/web-worker'
import { oldHandlers } from '../pages/tab-handlers.js'

serveHandlers(oldHandlers)
