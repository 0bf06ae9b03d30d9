import type { Clock } from '../clock.js'
import { Durations } from '../execute/durations.js'
import { handlerTable, timeoutOf } from '../execute/handler-table.js'
import { type Attempt, abortedRecord, startRun } from '../execute/run.js'
import type { EndedRun, HandlerTable } from '../executor.js'
import type { HandlerMap } from '../handlers.js'
import type { ErrorRecord } from '../task.js'
import { nextTurn, TURN } from '../turn.js'
import { ownInputs } from './own-inputs.js'
import type { ToPage, ToWorker, WireReason, WireRun } from './protocol.js'

/** Ended attempts are told when there are this many, or the first of them is 10 ms old. */
const MANY = 256

export type Post = (message: ToPage, transfer: Transferable[]) => void

/**
 * Runs what the page gives it, in order, and tells what came of it in few messages. Knows nothing of Web Workers: `post`
 * leads to whoever listens.
 */
export class Session {
  readonly table: HandlerTable
  readonly #handlers: HandlerMap
  readonly #concurrency: number
  readonly #clock: Clock
  readonly #post: Post
  readonly #durations = new Durations()
  /** In line, by key, in order. */
  readonly #line = new Map<number, WireRun>()
  /** undefined: it was called and has not returned yet; it may never. */
  readonly #running = new Map<number, Attempt | undefined>()
  #lanes = 0
  #turnSince = 0
  #ended: EndedRun[] = []
  #endedSince = 0
  /** The page still believes that an attempt runs which has ended. */
  #outdated = false
  #cancelFlush: (() => void) | undefined

  constructor(handlers: HandlerMap, concurrency: number, clock: Clock, post: Post) {
    this.table = handlerTable(handlers)
    this.#handlers = handlers
    this.#concurrency = concurrency
    this.#clock = clock
    this.#post = post
  }

  receive(message: ToWorker): void {
    this.#turnSince = this.#clock.monotonic()
    switch (message.type) {
      case 'give':
        ownInputs(message.runs)
        for (const run of message.runs) this.#line.set(run.key, run)
        while (this.#lanes < Math.min(this.#concurrency, this.#running.size + this.#line.size)) this.#lane()
        break
      case 'abort':
        this.#abort(message.key, message.reason)
        break
      case 'recall':
        this.#post({ type: 'recalled', keys: [...this.#line.keys()] }, [])
        this.#line.clear()
        break
    }
  }

  /** Last words. */
  broken(error: ErrorRecord): void {
    this.#flush()
    this.#post({ type: 'broken', error, running: [...this.#running.keys()] }, [])
  }

  /** Runs one after the other until none is left. As many lanes as may run at one time. */
  async #lane(): Promise<void> {
    this.#lanes++
    for (let run = this.#next(); run; run = this.#next()) {
      await this.#one(run)
      if (this.#clock.monotonic() - this.#turnSince < TURN) continue
      // What was sent meanwhile is heard: an abort of what waits here, more runs.
      this.#flush()
      await nextTurn()
      this.#turnSince = this.#clock.monotonic()
    }
    this.#lanes--
    this.#flush()
  }

  #next(): WireRun | undefined {
    const [run] = this.#line.values()
    if (run) this.#line.delete(run.key)
    return run
  }

  async #one(run: WireRun): Promise<void> {
    const marked = run.mark || timeoutOf(run, this.table) > 0 || this.#durations.isLong(run.name)
    const began = this.#clock.monotonic()
    if (marked) this.#flush({ key: run.key, at: this.#clock.now() })
    else if (this.#outdated || this.#ended.length >= MANY || this.#isDue(began)) this.#flush()
    this.#running.set(run.key, undefined)
    const attempt = startRun(this.#handlers, run, this.#clock)
    this.#running.set(run.key, attempt)
    const ended = await attempt.ended
    this.#running.delete(run.key)
    this.#durations.add(run.name, this.#clock.monotonic() - began)
    if (marked) this.#outdated = true
    this.#tell(ended)
  }

  #isDue(now: number): boolean {
    return this.#ended.length > 0 && now - this.#endedSince > TURN
  }

  #abort(key: number, { name, message }: WireReason): void {
    const reason = new DOMException(message, name)
    this.#running.get(key)?.abort(reason)
    if (!this.#line.delete(key)) return
    const now = this.#clock.now()
    this.#tell({ key, startedAt: now, finishedAt: now, ok: false, error: abortedRecord(reason) })
    this.#flush()
  }

  #tell(ended: EndedRun): void {
    if (this.#ended.push(ended) > 1) return
    this.#endedSince = this.#clock.monotonic()
    // For those that end while the next one waits for something. Cannot fire while it computes: #one looks before it begins.
    this.#cancelFlush ??= this.#clock.timer(TURN, () => {
      this.#cancelFlush = undefined
      this.#flush()
    })
  }

  #flush(started?: { key: number; at: number }): void {
    if (this.#ended.length === 0 && !started) return
    const ended = this.#ended
    this.#ended = []
    this.#outdated = false
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
    const transfer = ended.flatMap((run) => (run.ok ? buffersOf(run.value) : []))
    this.#post(started ? { type: 'progress', ended, started } : { type: 'progress', ended }, transfer)
  }
}

/** A value that is a buffer, or a view of one, is moved instead of copied: it is a copy already, and nobody else's. */
function buffersOf(value: unknown): Transferable[] {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value
  return buffer instanceof ArrayBuffer ? [buffer] : []
}
