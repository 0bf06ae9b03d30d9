import { releaseProxy, transfer, wrap } from 'comlink'
import { SitqError } from '../errors.js'
import type { HandlerTable } from '../executor.js'
import type { ErrorRecord } from '../task.js'
import {
  type Connected,
  type ConnectOptions,
  isReady,
  PROTOCOL,
  type ToPage,
  type ToWorker,
  type WorkerService,
} from './protocol.js'
import { packedToWorker, unpackedToPage, type WireToPage } from './wire.js'

/** How a Web Worker came to its end without being asked to. */
export interface Death {
  error: ErrorRecord
  /** The attempts that were under way, where the Web Worker could still say so. */
  running?: number[]
}

/**
 * A script that is not there may be one whose page is being left: Firefox (tried: 153) calls off what a page loads as soon as
 * another is to take its place, and only then, after some ms, tells the page. It should not complain of that, in ms.
 */
const LEAVING = 500

export interface HandleOptions {
  factory: () => Worker
  concurrency: number
  /** In ms. */
  startTimeout: number
  timer(ms: number, fire: () => void): () => void
  hear(message: ToPage): void
  /** Once at most, and only after a successful start. */
  died(death: Death): void
}

/** One Web Worker, from spawn to end. Its messages are not interpreted here, except for its last words. */
export class WorkerHandle {
  readonly #options: HandleOptions
  #worker: Worker | undefined
  #port: MessagePort | undefined
  #fail: ((error: SitqError) => void) | undefined
  /** Calls off the timer that the start would fail by. */
  #callOff = () => {}
  /** Ends everything that listens to this Web Worker. */
  readonly #over = new AbortController()

  constructor(options: HandleOptions) {
    this.#options = options
  }

  /** Rejects with SitqError `'worker-start'`; the Web Worker is ended then. */
  async start(): Promise<HandlerTable> {
    try {
      // Every wait is raced against error, messageerror, time and terminate(): Comlink itself waits for ever.
      const failed = new Promise<never>((_, reject) => {
        this.#fail = reject
        this.#callOff = this.#options.timer(this.#options.startTimeout, () =>
          reject(tooSlow(this.#options.startTimeout)),
        )
      })
      failed.catch(() => {}) // it may fail while nothing waits for it yet, or any more
      const { worker, ready } = this.#spawn()
      await Promise.race([ready, failed])
      const { port1, port2 } = new MessageChannel()
      this.#port = port1
      this.#listenTo(port1)
      const lock = lockName()
      const { concurrency } = this.#options
      const { table, locked } = await connect(worker, port2, { concurrency, lock }, failed)
      if (locked) this.#watch(lock)
      return table
    } catch (error) {
      this.terminate()
      throw error instanceof SitqError ? error : startError('could not be started', error)
    } finally {
      this.#callOff()
      this.#fail = undefined
    }
  }

  /** Throws DataCloneError if a run's input cannot be cloned. */
  post(message: ToWorker): void {
    this.#port?.postMessage(packedToWorker(message))
  }

  /** At once, whatever it does. Nothing is heard of it afterwards. */
  terminate(): void {
    if (this.#over.signal.aborted) return
    this.#over.abort()
    this.#fail?.(new SitqError('closed', 'The Web Worker was ended while it started.'))
    this.#port?.close()
    this.#port = undefined
    this.#worker?.terminate()
    this.#worker = undefined
  }

  #spawn(): { worker: Worker; ready: Promise<void> } {
    const { signal } = this.#over
    const worker = this.#options.factory()
    this.#worker = worker
    const ready = new Promise<void>((resolve, reject) => {
      worker.addEventListener(
        'message',
        ({ data }) => {
          if (!isReady(data)) return
          if (data.protocol === PROTOCOL) resolve()
          else reject(otherVersion())
        },
        { signal },
      )
    })
    worker.addEventListener(
      'error',
      (event) => {
        event.preventDefault() // it is reported; the page's own error handlers have nothing to do with it
        if (this.#fail && !event.message) this.#failUnlessLeft(scriptError(event))
        else if (this.#fail) this.#fail(scriptError(event))
        else this.#die({ error: { name: 'Error', message: event.message || 'unknown error', code: 'crashed' } })
      },
      { signal },
    )
    worker.addEventListener('messageerror', () => this.#unreadable(), { signal })
    return { worker, ready }
  }

  #failUnlessLeft(error: SitqError): void {
    this.#callOff()
    this.#callOff = this.#options.timer(LEAVING, () => this.#fail?.(error))
  }

  #listenTo(port: MessagePort): void {
    const { signal } = this.#over
    port.addEventListener(
      'message',
      ({ data }: MessageEvent<WireToPage | null>) => {
        if (signal.aborted) return // sent before the end, delivered after it
        if (!data) this.#unreadable()
        else if (data.type === 'broken') this.#die({ error: data.error, running: data.running })
        else this.#options.hear(unpackedToPage(data))
      },
      { signal },
    )
    port.addEventListener('messageerror', () => this.#unreadable(), { signal })
    port.start()
  }

  #unreadable(): void {
    const message = 'A message of the Web Worker could not be read: it holds something that this page cannot clone.'
    if (this.#fail) this.#fail(new SitqError('worker-start', message))
    else this.#die({ error: { name: 'DataCloneError', message, code: 'unreadable' } })
  }

  /** Without Web Locks nothing tells that the browser ended a Web Worker: only timeouts end what such a one had. */
  #watch(lock: string): void {
    const { signal } = this.#over
    const message = 'The Web Worker is gone: the browser ended it.'
    navigator.locks
      .request(lock, { signal }, () => this.#die({ error: { name: 'Error', message, code: 'crashed' } }))
      .catch(() => {}) // terminate() called it off
  }

  #die(death: Death): void {
    if (this.#over.signal.aborted) return
    this.terminate()
    this.#options.died(death)
  }
}

/**
 * Comlink drops a call in flight with a proxy that was collected: both, the method is one too, are held on to until it is answered. Then
 * both are released: Comlink is told by a FinalizationRegistry when they are collected, and where that would be while the page is in
 * the back/forward cache, Chromium (150) drops the page ("JavaScriptExecution").
 */
async function connect(
  worker: Worker,
  port: MessagePort,
  options: ConnectOptions,
  failed: Promise<never>,
): Promise<Connected> {
  const service = wrap<WorkerService>(worker)
  const { connect } = service
  try {
    return await Promise.race([connect(transfer(port, [port]), options), failed])
  } finally {
    connect[releaseProxy]()
    service[releaseProxy]()
  }
}

/** Shared by the whole origin. `crypto.randomUUID` is missing outside secure contexts, where all else works. */
function lockName(): string {
  return `sitq-web-worker-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`
}

function startError(what: string, cause?: unknown): SitqError {
  const why = cause instanceof Error ? `: ${cause.message}` : '.'
  return new SitqError('worker-start', `The Web Worker ${what}${why}`, cause === undefined ? undefined : { cause })
}

function tooSlow(ms: number): SitqError {
  return startError(
    `did not get ready within ${ms} ms. Its script must call serveHandlers(handlers); give webWorkers() a longer ` +
      'startTimeout if it loads much before that',
  )
}

function otherVersion(): SitqError {
  return startError('was built with another version of sitq than the page: reload, or clear the cache that serves it')
}

/** A script that is missing, blocked or no script fires an event that says nothing; one that throws names its error. */
function scriptError(event: ErrorEvent): SitqError {
  if (!event.message) {
    return startError(
      'could not load its script. Check the URL given to new Worker(), that the server answers it with JavaScript, ' +
        'and that the Content Security Policy (worker-src) allows it',
    )
  }
  const where = event.filename ? ` (${event.filename}:${event.lineno})` : ''
  return startError(`failed while its script ran: ${event.message}${where}`)
}
