import { checkKnown, checkWhole } from './checks.js'
import { type Clock, systemClock } from './clock.js'
import { SitqError } from './errors.js'
import { Deadlines } from './execute/deadlines.js'
import { Durations } from './execute/durations.js'
import { handlerTable, limitOf, timeoutOf } from './execute/handler-table.js'
import { Line } from './execute/line.js'
import { type Attempt, abortedRecord, abortReason, startRun, timeoutReason } from './execute/run.js'
import { Throttle } from './execute/throttle.js'
import type { EndedRun, Executor, HandlerTable, Report, Run, WorkerView } from './executor.js'
import type { HandlerMap } from './handlers.js'
import { nextTurn, TURN } from './turn.js'

export interface InlineOptions {
  /** Attempts at one time. Default: the TaskWorker's `concurrency`, or else 10: all share one thread, but most wait for I/O. */
  concurrency?: number
  /** Default: the system's. */
  clock?: Clock
}

/** How long an aborted attempt keeps its slot, in ms. */
const GRACE = 1_000
/** On edge runtimes the clock stands still between I/O: this many attempts are a turn whatever it says. */
const MANY = 256

/**
 * Runs handlers in the thread it is in: on edge runtimes, in Node, in tests. A handler gets a copy of its input, as it
 * would in a Web Worker.
 *
 * It cannot kill: a handler that ignores its signal goes on after its attempt was reported, and one that never yields
 * blocks the page. Aborted attempts are reported when their handler ends, or after 1 s.
 *
 * Throws InvalidOptionError; what is wrong with a handler's settings is thrown when it is opened.
 */
export function inline(handlers: HandlerMap, options: InlineOptions = {}): Executor {
  checkKnown('options', options, ['concurrency', 'clock'])
  if (options.concurrency !== undefined) {
    checkWhole('concurrency', options.concurrency)
  }
  let shift: Shift | undefined
  return {
    async open(report, { concurrency = 10 } = {}) {
      if (shift) throw new SitqError('in-use', 'This executor is open already: give each TaskWorker one of its own.')
      const table = handlerTable(handlers)
      shift = new Shift(handlers, table, options.concurrency ?? concurrency, options.clock ?? systemClock, report)
      return table
    },
    get slots() {
      return shift?.slots ?? options.concurrency ?? 10
    },
    get backlog() {
      return shift?.backlog ?? 0
    },
    give: (runs) => shift?.give(runs),
    recall: () => shift?.recall() ?? [],
    abort: (key, reason) => shift?.abort(key, reason),
    async close() {
      shift?.close()
      shift = undefined
    },
    workers: () => (shift ? [shift.view()] : []),
  }
}

/** A run whose handler goes on, reported or not. */
interface Active {
  run: Run
  attempt: Attempt
  startedAt: number
  reported: boolean
  /** Its signal was aborted. */
  ending: boolean
  /** The next thing that happens to it if it does not end. */
  callOff: () => void
}

/** From open to close. */
class Shift {
  readonly slots: number
  readonly #handlers: HandlerMap
  readonly #table: HandlerTable
  readonly #clock: Clock
  readonly #report: (report: Report) => void
  readonly #line = new Line()
  readonly #active = new Map<number, Active>()
  readonly #perName = new Map<string, number>()
  readonly #durations = new Durations()
  readonly #deadlines: Deadlines
  readonly #changed: Throttle
  #ended: EndedRun[] = []
  #endedCount = 0
  #pumping = false
  #closed = false
  #turn = { since: 0, starts: 0 }

  constructor(
    handlers: HandlerMap,
    table: HandlerTable,
    slots: number,
    clock: Clock,
    report: (report: Report) => void,
  ) {
    this.#handlers = handlers
    this.#table = table
    this.slots = slots
    this.#clock = clock
    this.#report = report
    this.#deadlines = new Deadlines(clock)
    this.#changed = new Throttle(clock, 100, () => report({ type: 'workers' }))
  }

  get backlog(): number {
    // What waits for nothing but the event loop's turn has its slot: whoever took it for waiting would claim nothing beside it.
    return this.#pumping ? Math.max(0, this.#line.size - (this.slots - this.#active.size)) : this.#line.size
  }

  give(runs: readonly Run[]): void {
    for (const run of runs) this.#line.push(run)
    this.#pump()
  }

  recall(): number[] {
    return this.#line.clear().map((run) => run.key)
  }

  abort(key: number, reason: string): void {
    const why = abortReason(reason)
    const active = this.#active.get(key)
    if (active) {
      if (!active.ending) this.#end(active, why)
    } else if (this.#line.remove(key)) {
      const now = this.#clock.now()
      this.#tell({ key, startedAt: now, finishedAt: now, ok: false, error: abortedRecord(why) })
    }
  }

  close(): void {
    this.#closed = true
    this.#deadlines.clear()
    this.#changed.stop()
    this.#line.clear()
    for (const { attempt } of this.#active.values()) attempt.abort(abortReason('The executor was closed.'))
    this.#active.clear()
  }

  view(): WorkerView {
    const running = [...this.#active.values()]
      .filter(({ reported }) => !reported)
      .map(({ run, startedAt }) => ({ key: run.key, id: run.id, name: run.name, startedAt }))
    return { worker: 1, state: running.length > 0 ? 'busy' : 'idle', running, ended: this.#endedCount }
  }

  /** Starts what may start; lets the event loop have its turn every 10 ms of work. */
  async #pump(): Promise<void> {
    if (this.#pumping) return // it is the loop's own microtask that goes on, or waits for its turn
    this.#pumping = true
    while (!this.#closed && this.#active.size < this.slots) {
      if (this.#turn.starts >= MANY || this.#clock.monotonic() - this.#turn.since > TURN) {
        this.#flush()
        await nextTurn()
        this.#turn = { since: this.#clock.monotonic(), starts: 0 }
        continue
      }
      const run = this.#line.take(({ name }) =>
        (this.#perName.get(name) ?? 0) < limitOf(name, this.#table) ? 'take' : 'aside',
      )
      if (!run) break
      this.#turn.starts++
      this.#start(run)
    }
    this.#pumping = false
  }

  #start(run: Run): void {
    const timeout = timeoutOf(run, this.#table)
    const startedAt = this.#clock.now()
    if (timeout > 0 || this.#durations.isLong(run.name)) {
      this.#report({ type: 'started', key: run.key, at: startedAt })
    }
    const began = this.#clock.monotonic()
    const attempt = startRun(this.#handlers, run, this.#clock, { copyInput: true })
    const active: Active = { run, attempt, startedAt, reported: false, ending: false, callOff: () => {} }
    if (timeout > 0) {
      active.callOff = this.#deadlines.in(timeout, () => {
        const reason = timeoutReason(run.name, timeout)
        this.#settle(active, this.#aborted(active, reason))
        this.#end(active, reason)
      })
    }
    this.#active.set(run.key, active)
    this.#perName.set(run.name, (this.#perName.get(run.name) ?? 0) + 1)
    this.#changed.request()
    attempt.ended.then((ended) => {
      if (!this.#active.has(run.key)) return
      this.#durations.add(run.name, this.#clock.monotonic() - began)
      this.#settle(active, ended)
      this.#leave(active)
    })
  }

  /** Aborts an attempt, and gives its slot away if it is still there after the grace. */
  #end(active: Active, reason: DOMException): void {
    active.callOff()
    active.ending = true
    active.attempt.abort(reason)
    active.callOff = this.#deadlines.in(GRACE, () => {
      this.#settle(active, this.#aborted(active, reason))
      this.#leave(active)
    })
  }

  #aborted({ run, startedAt }: Active, reason: DOMException): EndedRun {
    return { key: run.key, startedAt, finishedAt: this.#clock.now(), ok: false, error: abortedRecord(reason) }
  }

  #settle(active: Active, ended: EndedRun): void {
    if (active.reported) return
    active.reported = true
    this.#tell(ended)
  }

  #leave({ run, callOff }: Active): void {
    callOff()
    this.#active.delete(run.key)
    this.#perName.set(run.name, (this.#perName.get(run.name) ?? 1) - 1)
    this.#changed.request()
    this.#pump()
  }

  /** Attempts that end in one turn of the event loop are reported together. */
  #tell(ended: EndedRun): void {
    this.#endedCount++
    if (this.#ended.push(ended) === 1) nextTurn().then(() => this.#flush())
  }

  #flush(): void {
    if (this.#closed || this.#ended.length === 0) return
    const runs = this.#ended
    this.#ended = []
    this.#report({ type: 'ended', runs })
  }
}
