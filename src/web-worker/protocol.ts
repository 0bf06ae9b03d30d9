import type { EndedRun, HandlerTable, Run } from '../executor.js'
import type { ErrorRecord } from '../task.js'

/**
 * What page and Web Worker say to each other.
 *
 * 1. The Web Worker speaks first: what is sent to it during a top-level await is lost. `Ready`, by `postMessage`.
 * 2. The page calls `connect` through Comlink and hands it a port.
 * 3. Everything else goes through that port, one way and without answers, in order; as columns, see wire.ts. Measured in Chromium, µs per task
 *    in batches of 16, 64, 256, 512: port 12, 4.3, 1.5–2.9, 1.3–2.7; a Comlink callback 14, 4.5, 2–3.7, 2–3.3; a Comlink call
 *    15, 7, 1.7–5.7, 1.8–4.6; one call per task 20–29.
 */
export const PROTOCOL = 3

/** Says that the script has run as far as `serveHandlers`. */
export interface Ready {
  /** Apps may post messages of their own: this tells ours from theirs. */
  sitq: 'ready'
  protocol: number
}

export function isReady(message: unknown): message is Ready {
  return typeof message === 'object' && message !== null && 'sitq' in message && message.sitq === 'ready'
}

/** What the Web Worker exposes through Comlink. */
export interface WorkerService {
  connect(port: MessagePort, options: ConnectOptions): Promise<Connected>
}

export interface ConnectOptions {
  /** Attempts at one time. */
  concurrency: number
  /** A Web Lock for the Web Worker to hold for life. */
  lock: string
}

export interface Connected {
  table: HandlerTable
  /** It holds the lock: whoever gets it knows that the Web Worker is gone. */
  locked: boolean
}

export interface WireRun extends Run {
  /** Announce it, however short it may be: it is suspected of having crashed a Web Worker. */
  mark?: true
}

/** Why an attempt is aborted: a DOMException cannot say its name after a clone in every browser. */
export interface WireReason {
  name: 'AbortError' | 'TimeoutError'
  message: string
}

export type ToWorker =
  /** Runs to do after those it has, in this order. */
  | { type: 'give'; runs: WireRun[] }
  | { type: 'abort'; key: number; reason: WireReason }
  /** Give back what has not begun: others have nothing to do. */
  | { type: 'recall' }

export type ToPage =
  /**
   * Attempts that ended and, in the same message, the one that begins now. With a concurrency of 1 nothing else runs after
   * a mark until the next `progress`: another attempt only begins once the page was told that the marked one ended.
   */
  | { type: 'progress'; ended: EndedRun[]; started?: { key: number; at: number } }
  | { type: 'recalled'; keys: number[] }
  /** Every 5 s. */
  | { type: 'tick' }
  /** Last words: an error that nobody caught, and the attempts under way. Everything that ended before was told. */
  | { type: 'broken'; error: ErrorRecord; running: number[] }
