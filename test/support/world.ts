import type {
  AddOptions,
  Backend,
  BatchChunk,
  Change,
  Cursor,
  Departures,
  Exchange,
  Exchanged,
  Locks,
  NewTask,
  Reads,
  Retention,
} from '../../src/backend.js'
import { type Channel, type Hint, localChannel } from '../../src/channel.js'
import { ClosedError } from '../../src/errors.js'
import { LocalBackend } from '../../src/local.js'
import { memoryDepartures, memoryLocks } from '../../src/memory/locks.js'
import { MemoryStorage } from '../../src/memory/storage.js'
import type { Storage } from '../../src/storage.js'
import type { HostId, TaskId } from '../../src/task.js'
import { TaskWorker, type TaskWorkerOptions } from '../../src/worker.js'
import { audit } from './audit.js'
import { ManualClock } from './clock.js'
import { type Script, ScriptedExecutor, type ScriptedOptions } from './executor.js'

type Fault =
  /** Nothing was committed. */
  | { error: Error }
  /** It was committed, and the answer got lost. */
  | { error: Error; committed: true }
  /** It never answers. */
  | 'hang'

/** One tab's view of a backend: it can fail, go deaf and keep a record. */
export class TestBackend implements Backend {
  readonly channel: Channel
  readonly exchanges: Exchange[] = []
  readonly answers: Exchanged[] = []
  renewals = 0
  recoveries: { dead: string; left: readonly HostId[] }[] = []
  prunes = 0
  /** Answers of the next prunes. */
  moreToPrune: boolean[] = []
  /** For the next calls of these, in order. */
  readonly faults: { exchange: Fault[]; renew: Fault[]; recover: Fault[] } = { exchange: [], renew: [], recover: [] }
  /** Neither hears nor says anything. */
  deaf = false
  readonly #inner: Backend
  readonly locks?: Locks
  readonly departures?: Departures
  readonly #closing = new AbortController()

  constructor(inner: Backend, locks: Locks | undefined) {
    this.#inner = inner
    if (inner.departures) this.departures = inner.departures
    if (locks) this.locks = locks
    this.channel = {
      post: (hint) => this.deaf || inner.channel.post(hint),
      listen: (hear) => inner.channel.listen((hint) => this.deaf || hear(hint)),
      close: () => {},
    }
  }

  async #faulty<T>(kind: keyof TestBackend['faults'], run: () => Promise<T>): Promise<T> {
    const fault = this.faults[kind].shift()
    if (!fault) return run()
    if (fault === 'hang') return new Promise(() => {})
    if ('committed' in fault) await run()
    throw fault.error
  }

  exchange(x: Exchange): Promise<Exchanged> {
    this.exchanges.push(structuredClone(x))
    return this.#faulty('exchange', async () => {
      const answer = await this.#inner.exchange(x)
      this.answers.push(answer)
      return answer
    })
  }
  renew(host: HostId, until: number): Promise<Float64Array | undefined> {
    this.renewals++
    return this.#faulty('renew', () => this.#inner.renew(host, until))
  }
  recover(options: Parameters<Backend['recover']>[0]): Promise<number | undefined> {
    this.recoveries.push({ dead: options.dead, left: options.left })
    return this.#faulty('recover', () => this.#inner.recover(options))
  }
  async prune(retention: Retention): Promise<boolean> {
    this.prunes++
    return this.moreToPrune.shift() ?? (await this.#inner.prune(retention))
  }
  async open(): Promise<void> {
    this.closed.throwIfAborted()
    await this.#inner.open()
  }
  add = (tasks: readonly NewTask[], options: AddOptions) => this.#inner.add(tasks, options)
  addAlike: Backend['addAlike'] = (tasks, options) => this.#inner.addAlike(tasks, options)
  change = (change: Change) => this.#inner.change(change)
  get = (ids: readonly TaskId[]) => this.#inner.get(ids)
  results = (ids: readonly TaskId[]) => this.#inner.results(ids)
  batch = (id: string) => this.#inner.batch(id)
  counts = (queue?: string) => this.#inner.counts(queue)
  get closed(): AbortSignal {
    return this.#closing.signal
  }
  /** Of this tab alone: the others go on. */
  async close(): Promise<void> {
    this.#closing.abort(new ClosedError('backend'))
  }
  read<K extends keyof Reads>(kind: K, query: Reads[K]['query'], cursor?: Cursor) {
    return this.#inner.read(kind, query, cursor)
  }
}

export interface Tab {
  worker: TaskWorker
  executor: ScriptedExecutor
  backend: TestBackend
  clock: ManualClock
  errors: unknown[]
  warnings: string[]
  /** What its worker asks for at any time. */
  page: { online: boolean; visible: boolean }
}

export interface WorldOptions {
  storage?: Storage
  /** Default true. */
  locks?: boolean
}

/** A database and the tabs that share it. */
export class World {
  readonly clock = new ManualClock()
  readonly storage: Storage
  readonly channel = localChannel()
  readonly locks: Locks | undefined
  readonly departures = memoryDepartures()
  readonly backend: LocalBackend
  readonly hints: Hint[] = []
  readonly tabs: Tab[] = []

  constructor({ storage = new MemoryStorage(), locks = true }: WorldOptions = {}) {
    this.storage = storage
    this.locks = locks ? memoryLocks() : undefined
    const { clock, channel, departures } = this
    this.backend = new LocalBackend({ storage, channel, clock, departures, ...(this.locks && { locks: this.locks }) })
    channel.listen((hint) => this.hints.push(hint))
  }

  /** A tab with a worker. A tab with a clock of its own can be left behind in time: it is frozen. */
  tab(
    options: Partial<TaskWorkerOptions> & Omit<ScriptedOptions, 'clock'> = {},
    { clock = this.clock, locks = this.locks }: { clock?: ManualClock; locks?: Locks | undefined } = {},
  ): Tab {
    const { table, slots, ...rest } = options
    const executor = new ScriptedExecutor({ clock, ...(table && { table }), ...(slots && { slots }) })
    const backend = new TestBackend(this.backend, locks)
    const page = { online: true, visible: true }
    const errors: unknown[] = []
    const warnings: string[] = []
    const worker = new TaskWorker(
      { backend, clock },
      {
        executor,
        random: () => 0.5,
        online: () => page.online,
        visible: () => page.visible,
        onError: (error) => errors.push(error),
        warn: (message) => warnings.push(message),
        ...rest,
      },
    )
    const tab = { worker, executor, backend, clock, errors, warnings, page }
    this.tabs.push(tab)
    return tab
  }

  /** Stores tasks and says so, as `enqueue` does. `silent`: the hint gets lost. */
  async add(
    scripts: readonly (Script | Partial<NewTask>)[],
    { batch, silent = false }: { batch?: Omit<BatchChunk, 'queue'>; silent?: boolean } = {},
  ): Promise<TaskId[]> {
    const tasks = scripts.map((script): NewTask => {
      const task = 'do' in script ? { input: script } : script
      return { queue: 'default', name: 'work', input: { do: 'ok' }, priority: 0, ...task }
    })
    const ids = await this.backend.add(tasks, {
      now: this.clock.now(),
      ...(batch && { batch: { ...batch, queue: 'default' } }),
    })
    if (!silent) this.channel.post({ type: 'added', queues: ['default'] })
    return ids.flatMap((id) => id ?? [])
  }

  /** Asks for a change and says so, as TaskQueue does. */
  async change(change: Change): Promise<number> {
    const changed = await this.backend.change(change)
    this.channel.post({ type: 'changed', change: change.type })
    return changed
  }

  async cancel(...ids: TaskId[]): Promise<void> {
    await this.change({ type: 'cancel', ids, now: this.clock.now(), reason: 'test' })
  }

  /** Lets time pass until all have ended; their states. */
  async ended(ids: readonly TaskId[], within = 600_000): Promise<string[]> {
    const read = () => this.backend.results(ids)
    await this.clock.until(async () => (await read()).every(Boolean), { within })
    const results = await read()
    return results.map((result) => result?.status ?? '')
  }

  async states(ids: readonly TaskId[]): Promise<string[]> {
    return (await this.backend.get(ids)).map((view) => view?.state ?? 'unknown')
  }

  /** Stops everything; nothing may be left behind, and the database must balance. */
  async end(): Promise<void> {
    const stops = this.tabs.map(({ worker }) => worker.stop({ grace: 0 }))
    const clocks = new Set(this.tabs.map(({ clock }) => clock))
    for (const clock of clocks) await clock.advance(10_000)
    await Promise.all(stops)
    await audit(this.storage)
    const left = [...clocks].reduce((sum, clock) => sum + clock.timers, 0)
    if (left > 0) throw new Error(`${left} timers were left behind.`)
    for (const { executor } of this.tabs) if (executor.isOpen) throw new Error('An executor was left open.')
  }
}
