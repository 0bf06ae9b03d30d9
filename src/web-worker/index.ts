export { type WebWorkersOptions, webWorkers } from './pool.js'
export { serveHandlers } from './serve.js'
