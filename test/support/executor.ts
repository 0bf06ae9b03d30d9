import type { Clock } from '../../src/clock.js'
import type { EndedRun, Executor, HandlerTable, Report, Run, WorkerView } from '../../src/executor.js'
import type { FollowUpRequest } from '../../src/handlers.js'
import type { ErrorRecord } from '../../src/task.js'

/** What a task's input tells the scripted executor to do. Anything else is `{ do: 'ok' }`. */
export type Script = {
  /** Time it takes, in ms of the clock. Default 0. */
  ms?: number
} & (
  | { do: 'ok'; value?: unknown; followUps?: FollowUpRequest[]; endBatches?: string[] }
  | { do: 'fail'; error?: Partial<ErrorRecord> /** Only the first attempts fail. */; times?: number }
  | { do: 'crash'; times?: number }
  /** The input does not fit the handler, the first `times`. */
  | { do: 'misfit'; why?: string; times?: number }
  /** Ends only by abort. */
  | { do: 'hang' }
)

export interface ScriptedOptions {
  clock: Clock
  /** Default: one handler, `work`. */
  table?: HandlerTable
  slots?: number
}

interface Started {
  run: Run
  at: number
  callOff: () => void
}

/** An executor without threads: what a run does is in its input. It keeps a record of everything it was told. */
export class ScriptedExecutor implements Executor {
  readonly slots: number
  table: HandlerTable
  /** Thrown by so many of the next opens. */
  failOpens = 0
  /** While true, open() does not return. */
  stuck = false
  opens = 0
  closes = 0
  concurrency: number | undefined
  /** Another version of the handlers: does something else with the same input. */
  rescript = (input: unknown): unknown => input
  /** Every attempt that began, in order. */
  readonly began: Run[] = []
  readonly aborted: string[] = []
  /** Sizes of what was given at a time. */
  readonly given: number[] = []
  /** Most runs in hand at one time, begun or not. */
  most = 0
  readonly #clock: Clock
  readonly #line: Run[] = []
  readonly #started = new Map<number, Started>()
  #ended: EndedRun[] = []
  #report: ((report: Report) => void) | undefined
  #attempts = new Map<string, number>()

  constructor({ clock, table = { work: {} }, slots = 1 }: ScriptedOptions) {
    this.#clock = clock
    this.table = table
    this.slots = slots
  }

  get isOpen(): boolean {
    return this.#report !== undefined
  }

  get backlog(): number {
    return this.#line.length
  }

  get running(): number {
    return this.#started.size
  }

  async open(report: (report: Report) => void, options: { concurrency?: number } = {}): Promise<HandlerTable> {
    this.opens++
    if (this.#report) throw new Error('It is open already.')
    this.concurrency = options.concurrency
    if (this.failOpens > 0) {
      this.failOpens--
      throw new Error('The handlers cannot be loaded.')
    }
    if (this.stuck) return new Promise(() => {})
    this.#report = report
    return this.table
  }

  give(runs: readonly Run[]): void {
    this.given.push(runs.length)
    this.#line.push(...runs)
    this.most = Math.max(this.most, this.#line.length + this.#started.size)
    this.#start()
  }

  recall(): number[] {
    return this.#line.splice(0).map(({ key }) => key)
  }

  abort(key: number, reason: string): void {
    const started = this.#started.get(key)
    const waiting = this.#line.findIndex((run) => run.key === key)
    const run = started?.run ?? this.#line[waiting]
    if (!run) return
    this.aborted.push(run.id)
    if (waiting >= 0) this.#line.splice(waiting, 1)
    started?.callOff()
    this.#end(run, { ok: false, error: { name: 'AbortError', message: reason, code: 'aborted' } })
  }

  /** As the timer of a Web Worker would. */
  tick(): void {
    this.#report?.({ type: 'tick' })
  }

  async close(): Promise<void> {
    this.closes++
    this.#report = undefined
    for (const { callOff } of this.#started.values()) callOff()
    this.#started.clear()
    this.#line.length = 0
    this.#ended = []
  }

  workers(): WorkerView[] {
    const running = [...this.#started.values()].map(({ run: { key, id, name }, at }) => ({
      key,
      id,
      name,
      startedAt: at,
    }))
    return [{ worker: 1, state: running.length > 0 ? 'busy' : 'idle', running, ended: this.began.length }]
  }

  /** Crashes what runs, as killing a Web Worker does. */
  kill(): void {
    for (const { run } of [...this.#started.values()]) this.#crash(run)
  }

  #start(): void {
    while (this.#started.size < this.slots && this.#line.length > 0) {
      const run = this.#line.shift()
      if (!run) return
      this.began.push(run)
      const script = scriptOf(this.rescript(run.input))
      const act = () => this.#act(run, script)
      let off = false
      const callOff =
        script.do === 'hang' ? () => {} : script.ms ? this.#clock.timer(script.ms, act) : () => (off = true)
      this.#started.set(run.key, { run, at: this.#clock.now(), callOff })
      if (script.do !== 'hang' && !script.ms) queueMicrotask(() => off || act())
    }
  }

  #act(run: Run, script: Script): void {
    const time = (this.#attempts.get(run.id) ?? 0) + 1
    this.#attempts.set(run.id, time)
    if (script.do === 'crash' && time <= (script.times ?? Number.POSITIVE_INFINITY)) this.#crash(run)
    else if (script.do === 'fail' && time <= (script.times ?? Number.POSITIVE_INFINITY)) {
      this.#end(run, { ok: false, error: { name: 'Error', message: 'It failed.', ...script.error } })
    } else if (script.do === 'misfit' && time <= (script.times ?? Number.POSITIVE_INFINITY)) {
      this.#end(run, { ok: false, misfit: script.why ?? 'input: does not fit' })
    } else if (script.do === 'ok') {
      const { value = run.id, followUps, endBatches } = script
      this.#end(run, { ok: true, value }, { ...(followUps && { followUps }), ...(endBatches && { endBatches }) })
    } else this.#end(run, { ok: true, value: run.id })
  }

  #crash(run: Run): void {
    const startedAt = this.#leave(run)
    this.#report?.({ type: 'crashed', key: run.key, startedAt, error: { name: 'CrashedError', message: 'Gone.' } })
    this.#start()
  }

  #end(
    run: Run,
    outcome: { ok: true; value: unknown } | { ok: false; error: ErrorRecord } | { ok: false; misfit: string },
    more: Pick<EndedRun, 'followUps' | 'endBatches'> = {},
  ): void {
    const startedAt = this.#leave(run)
    // What ends together is reported together, as the Web Workers' flushes do.
    if (this.#ended.length === 0) queueMicrotask(() => this.#flush())
    this.#ended.push({ key: run.key, startedAt, finishedAt: this.#clock.now(), ...more, ...outcome })
    this.#start()
  }

  #leave(run: Run): number {
    const at = this.#started.get(run.key)?.at ?? this.#clock.now()
    this.#started.delete(run.key)
    return at
  }

  #flush(): void {
    const runs = this.#ended
    this.#ended = []
    if (runs.length > 0) this.#report?.({ type: 'ended', runs })
  }
}

function scriptOf(input: unknown): Script {
  return isScript(input) ? input : { do: 'ok' }
}

const isScript = (input: unknown): input is Script => typeof input === 'object' && input !== null && 'do' in input
