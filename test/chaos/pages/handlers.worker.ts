import { serveHandlers } from 'sitq/web-worker'
import { handlers } from './handlers.js'

serveHandlers(handlers)

/** How a Web Worker can end itself: what its page asks for, beside what the library does. */
addEventListener('message', ({ data }: MessageEvent<unknown>) => {
  if (data === 'chaos: close') close()
  if (data === 'chaos: break')
    setTimeout(() => {
      throw new Error('chaos')
    })
})
