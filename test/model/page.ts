import type { Departures, Locks } from '../../src/backend.js'
import type { Channel } from '../../src/channel.js'
import type { Clock } from '../../src/clock.js'
import type { HandlerTable, Report, Run } from '../../src/executor.js'
import { LocalBackend } from '../../src/local.js'
import { TaskQueue } from '../../src/queue.js'
import type { Storage } from '../../src/storage.js'
import type { HostId } from '../../src/task.js'
import { TaskWorker } from '../../src/worker.js'
import type { ManualClock } from '../support/clock.js'
import { type Script, ScriptedExecutor } from '../support/executor.js'
import { FaultyStorage } from './faults.js'

/** What every page of a browser shares. */
export interface Browser {
  clock: ManualClock
  channel: Channel
  locks: Locks
  connect(): Storage
  /** Hosts whose pages were left. */
  left: Set<HostId>
  /** What handlers do: by name, input and attempt. */
  act(run: Run): Script
  /** Told of every report of a live page's executor. */
  reported(report: Report, runs: ReadonlyMap<number, Run>): void
  error(error: unknown): void
  /** A page crashed in a transaction. */
  died(): void
}

/** What a task of `work` does. */
export interface Job {
  /** Tells it from all others. */
  n: string
  /** So many attempts fail. */
  fails: number
  /** So many take their Web Worker down. */
  crashes: number
  ms: number
  /** It enqueues another, into this batch. */
  follow?: { batch?: string }
}
export interface Item {
  i: number
}
export interface Made extends Item {
  v: number
  keep: boolean
}
export const isJob = (input: unknown): input is Job => typeof input === 'object' && input !== null && 'n' in input
export const isItem = (input: unknown): input is Item => typeof input === 'object' && input !== null && 'i' in input
export const isMade = (input: unknown): input is Made => isItem(input) && 'v' in input

export type Handlers = {
  work: (job: Job) => unknown
  make: (item: Item) => Made
  judge: (made: Made) => boolean
  end: (made: Made) => { i: number; end: number }
}

export const table: HandlerTable = {
  work: { retry: { attempts: 3, delay: 1_000, factor: 2, jitter: 1 } },
  make: { retry: { attempts: 2, delay: 100, jitter: 1 } },
  judge: {},
  end: {},
}

/** Does what the browser's script says. */
class PageExecutor extends ScriptedExecutor {
  readonly #browser: Browser
  readonly #runs = new Map<number, Run>()

  constructor(browser: Browser, clock: Clock) {
    super({ clock, table, slots: 3 })
    this.#browser = browser
  }

  override open(report: (report: Report) => void, options: { concurrency?: number } = {}): Promise<HandlerTable> {
    return super.open((said) => {
      this.#browser.reported(said, this.#runs)
      report(said)
    }, options)
  }

  override give(runs: readonly Run[]): void {
    for (const run of runs) this.#runs.set(run.key, run)
    super.give(runs.map((run) => ({ ...run, input: this.#browser.act(run) })))
  }
}

/** A page with a queue and a worker. It may crash: from then on nothing of it acts, and the browser frees its locks. */
export class Page {
  readonly name: string
  readonly storage: FaultyStorage
  readonly queue: TaskQueue<Handlers>
  readonly worker: TaskWorker
  readonly executor: PageExecutor
  /** Resolves when the page is gone. */
  readonly gone: Promise<void>
  dead = false
  #end: () => void = () => {}
  /** All that it was. */
  readonly #hosts = new Set<HostId>()
  readonly #browser: Browser

  constructor(name: string, browser: Browser) {
    this.name = name
    this.#browser = browser
    this.gone = new Promise((resolve) => {
      this.#end = resolve
    })
    this.storage = new FaultyStorage(browser.connect(), () => {
      if (!this.dead) browser.died()
      this.crash()
    })
    const [clock, channel, locks, departures] = [this.#clock(), this.#channel(), this.#locks(), this.#departures()]
    const backend = new LocalBackend({ storage: this.storage, channel, locks, departures, clock })
    backend.exchange = (x) => {
      this.#hosts.add(x.host)
      return LocalBackend.prototype.exchange.call(backend, x)
    }
    this.queue = new TaskQueue<Handlers>({ backend, clock, random: () => 0.5 })
    this.executor = new PageExecutor(browser, clock)
    this.worker = new TaskWorker(this.queue, {
      executor: this.executor,
      random: () => 0.5,
      online: () => true,
      visible: () => true,
      onError: (error) => browser.error(error),
      warn: () => {},
    })
  }

  /** Stops at once, in the middle of whatever it does. */
  crash(): void {
    if (this.dead) return
    this.dead = true
    this.storage.dead = true
    this.#end()
  }

  /** As a page that is closed or reloaded: its hosts are known to have left. */
  leave(): void {
    for (const host of this.#hosts) this.#browser.left.add(host)
    this.crash()
  }

  #clock(): Clock {
    const { clock } = this.#browser
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      timer: (ms, fire) => clock.timer(ms, () => this.dead || fire()),
    }
  }

  #channel(): Channel {
    const { channel } = this.#browser
    return {
      post: (hint) => this.dead || channel.post(hint),
      listen: (hear) => channel.listen((hint) => this.dead || hear(hint)),
      close: () => {},
    }
  }

  #locks(): Locks {
    const { locks } = this.#browser
    return {
      hold: async (options, held) => {
        if (this.dead) return new Promise(() => {})
        const request = new AbortController()
        const end = () => request.abort()
        if (options.signal?.aborted) end()
        options.signal?.addEventListener('abort', end)
        void this.gone.then(end)
        // A dead page's request is withdrawn, and its lock is free.
        const of = options.ifAvailable || options.steal ? options : { ...options, signal: request.signal }
        const done = await locks.hold(of, (lost) => (this.dead ? this.gone : Promise.race([held(lost), this.gone])))
        return this.dead ? new Promise(() => {}) : done
      },
    }
  }

  #departures(): Departures {
    const { left } = this.#browser
    return {
      leave: (host) => this.dead || left.add(host),
      left: () => [...left],
      forget: (hosts) => {
        for (const host of hosts) left.delete(host)
      },
    }
  }
}
