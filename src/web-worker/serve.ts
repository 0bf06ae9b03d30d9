import { expose } from 'comlink'
import { systemClock } from '../clock.js'
import { errorRecord, SitqError } from '../errors.js'
import type { HandlerMap } from '../handlers.js'
import type { Connected, ConnectOptions, Ready, ToPage, WorkerService } from './protocol.js'
import { PROTOCOL } from './protocol.js'
import { Session } from './session.js'
import { packedToPage, unpackedToWorker, type WireToWorker } from './wire.js'

/** Hidden pages fire their timers once a minute, their Web Workers' stay on time. */
const TICK = 5_000

/**
 * Serves these handlers to the page that started this Web Worker. The one call of a worker file:
 *
 * ```ts
 * import { serveHandlers } from 'sitq/web-worker'
 * import { handlers } from './handlers.js'
 * serveHandlers(handlers)
 * ```
 *
 * Throws InvalidOptionError if a handler's settings cannot be what they are, and SitqError `'wrong-place'` in a page.
 */
export function serveHandlers(handlers: HandlerMap): void {
  if (typeof document !== 'undefined') {
    throw new SitqError(
      'wrong-place',
      'serveHandlers() belongs into the worker file, not into the page: see webWorkers().',
    )
  }
  let session: Session | undefined
  const service: WorkerService = {
    async connect(port, options) {
      const locked = await holdForLife(options.lock)
      session = connect(handlers, port, options)
      return { table: session.table, locked } satisfies Connected
    },
  }
  // Here the attempts under way are known for sure; on the page an error would be all there is.
  addEventListener('error', (event) => {
    if (!session) return // the page hears of it, and that the start failed
    event.preventDefault()
    console.error(event.error ?? event.message)
    session.broken(errorRecord(event.error ?? new Error(event.message)))
  })
  // It fires no event anywhere, so these are its last words. What was posted before the end still arrives.
  const end = globalThis.close.bind(globalThis)
  const close = () => {
    session?.broken({ name: 'Error', message: 'It called self.close().', code: 'crashed' })
    end()
  }
  Object.defineProperty(globalThis, 'close', { value: close, configurable: true, writable: true })
  expose(service)
  const ready: Ready = { sitq: 'ready', protocol: PROTOCOL }
  postMessage(ready)
}

function connect(handlers: HandlerMap, port: MessagePort, { concurrency }: ConnectOptions): Session {
  const post = (message: ToPage, transfer: Transferable[] = []) => port.postMessage(packedToPage(message), transfer)
  const session = new Session(handlers, concurrency, systemClock, post)
  // Which runs were lost with the message is not known: the page takes back what this Web Worker had, and asks others one by one.
  const unreadable = () => {
    const message = 'An input could not be read in the Web Worker: it is nested too deeply, or needs too much memory.'
    session.broken({ name: 'DataCloneError', message, code: 'unreadable' })
  }
  // What is too deep for a Web Worker's stack arrives in Chromium as null, without a messageerror.
  port.addEventListener('message', ({ data }: MessageEvent<WireToWorker | null>) =>
    data ? session.receive(unpackedToWorker(data)) : unreadable(),
  )
  port.addEventListener('messageerror', unreadable)
  port.start()
  setInterval(() => post({ type: 'tick' }), TICK)
  return session
}

/** Locks are freed when their Web Worker is gone, however it went. */
function holdForLife(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const forLife = () => {
      resolve(true)
      return new Promise<void>(() => {})
    }
    // Absent outside secure contexts. Refused in sandboxed frames.
    if (!globalThis.navigator?.locks) resolve(false)
    else navigator.locks.request(name, forLife).catch(() => resolve(false))
  })
}
