import { onAbort } from '../abort.js'
import type { Appends, Locks } from '../backend.js'
import type { Hint } from '../channel.js'
import { sleep } from '../clock.js'
import { ClosedError, StorageError } from '../errors.js'
import { onPageEvents, onPageLeft, pageStays } from '../page.js'
import type { HostId } from '../task.js'
import { Backoff } from './backoff.js'
import { type Bounds, freshTally, type HostParts, type Tally } from './settings.js'
import { HostWatch } from './standby.js'
import { newHostId, Tenure, type TenureEnd } from './tenure.js'

/** What a worker is: the host runs the tasks, a standby waits to take over, a stopped one does neither. */
export type WorkerRole = 'host' | 'standby' | 'stopped'

/** Pauses between tries to open the executor, in ms; and after being voided where there are no locks. */
const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 30_000

/** A worker's time between start and stop, or one drain: waits for the role, holds it, goes back to waiting. */
export class Life {
  /** Resolves once the role is known. Rejects if the worker became host at once and could not begin. */
  readonly known: Promise<WorkerRole>
  readonly #parts: HostParts
  readonly #changed: (role: WorkerRole) => void
  readonly #bounds: Bounds | undefined
  readonly #stopping = new AbortController()
  readonly #backoff: Backoff
  #settleKnown: { resolve(role: WorkerRole): void; reject(error: unknown): void } | undefined
  #role: WorkerRole = 'stopped'
  /** The name of the tenure that runs or comes next. */
  #me: HostId = newHostId()
  #tenure: Tenure | undefined
  #watch: HostWatch | undefined
  #outcome: TenureEnd | 'failed' | undefined
  #tally: Tally = freshTally()
  /** Names of this worker's handlers, once they are known. */
  #names: readonly string[] | undefined
  #learning: Promise<void> | undefined
  /** Aborts when the page is back; undefined: it is there. */
  #away: AbortController | undefined
  /** Calls off the request for the lock. */
  #giveUp = () => {}
  #warned = false

  constructor(parts: HostParts, changed: (role: WorkerRole) => void, bounds?: Bounds) {
    this.#parts = parts
    this.#changed = changed
    this.#bounds = bounds
    this.#backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE, parts.settings.random)
    this.known = new Promise((resolve, reject) => {
      this.#settleKnown = { resolve, reject }
    })
    // Whoever called start() has a promise of their own.
    this.known.catch(() => {})
  }

  get tally(): Tally {
    return this.#tally
  }

  /** Never rejects. */
  async run(): Promise<void> {
    const { backend, settings } = this.#parts
    const ways: (() => void)[] = []
    try {
      if (this.#stopped) return
      ways.push(backend.channel.listen((hint) => this.#hear(hint)))
      if (backend.appends) ways.push(this.#listenToAppends(backend.appends))
      ways.push(onPageEvents(() => this.#look()))
      const leave = () => this.#leave()
      ways.push(onPageLeft(leave, () => this.#away?.abort()))
      await backend.open()
      ways.push(onAbort([backend.closed], (error) => this.#close(error)))
      await this.#rounds()
    } catch (error) {
      if (this.#settleKnown) this.#settleKnown.reject(error)
      else settings.onError(error)
    } finally {
      for (const end of ways) end()
      if (this.#learning) await settings.executor.close().catch(settings.onError)
      this.#become('stopped')
    }
  }

  #listenToAppends(appends: Appends): () => void {
    // What an app's own option throws here must not keep its task from being stored.
    const safely = (tell: () => void) => {
      try {
        tell()
      } catch (error) {
        this.#parts.settings.onError(error)
      }
    }
    return appends.listen({
      // What is stored as a page goes must be handed over at once, and waits for no claim.
      offered: () => pageStays() && safely(() => this.#tenure?.offered()),
      begun: () => safely(() => this.#tenure?.appending()),
    })
  }

  /** What runs has `grace` ms. */
  stop(grace: number): void {
    this.#stopping.abort()
    this.#tenure?.stop(grace)
  }

  /**
   * The page is left, and may come back as it is. Everything is let go before this returns, or in the microtasks after it:
   * nobody can wait for a page that stands still in the back/forward cache.
   */
  #leave(): void {
    if (this.#away) return
    const away = new AbortController()
    this.#away = away
    away.signal.addEventListener('abort', () => {
      this.#away = undefined
    })
    this.#tenure?.drop('dropped')
    this.#giveUp()
    if (this.#learning) void this.#parts.settings.executor.close().catch(this.#parts.settings.onError)
  }

  /** Resolves when the page is there. */
  async #present(): Promise<void> {
    const signals = [this.#away?.signal, this.#stopping.signal]
    if (this.#away) await new Promise<void>((resolve) => onAbort(signals, () => resolve()))
  }

  /** The backend was closed under this worker: there is nothing left to do. */
  #close(error: unknown): void {
    if (this.#stopped) return
    if (this.#settleKnown) this.#settleKnown.reject(error)
    else this.#parts.settings.onError(error)
    this.#settleKnown = undefined
    this.#tenure?.drop('closed')
    this.#stopping.abort()
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  async #rounds(): Promise<void> {
    const { backend, clock } = this.#parts
    for (let first = true; !this.#stopped; first = false) {
      await this.#round(first)
      if (this.#bounds || isFinal(this.#outcome) || this.#stopped) return
      const pause = this.#outcome === 'failed' || (this.#outcome === 'fenced' && !backend.locks)
      this.#become('standby')
      await this.#present()
      if (pause) await sleep(clock, this.#backoff.next(), this.#stopping.signal)
    }
  }

  async #round(first: boolean): Promise<void> {
    const { locks } = this.#parts.backend
    this.#outcome = undefined
    try {
      if (!locks) await this.#hold(new AbortController().signal)
      else if (first) await locks.hold({ ifAvailable: true }, (lost) => this.#hold(lost))
      else await this.#standBy(locks)
    } catch (error) {
      // Nobody waits for start() any more: it tries again.
      if (this.#settleKnown) throw error
      this.#outcome = outcomeOf(error)
      this.#parts.settings.onError(error)
    }
  }

  /** Waits for the lock, or steals it, and holds it. */
  async #standBy(locks: Locks): Promise<void> {
    let request = new AbortController()
    let steal = false
    const giveUp = () => request.abort()
    this.#giveUp = giveUp
    const watch = new HostWatch(this.#parts, this.#me, {
      silent: () => {
        steal = true
        giveUp()
      },
      closed: (error) => {
        this.#outcome = outcomeOf(error)
        this.#parts.settings.onError(error)
        giveUp()
      },
      parked: (names) => void this.#want(names),
      // Who can do what waits goes first: this request goes to the end of the line.
      wanted: (names) => !names.some((name) => this.#names?.includes(name)) && giveUp(),
      samePage: () => this.#warn(),
    })
    this.#watch = watch
    this.#stopping.signal.addEventListener('abort', giveUp)
    try {
      while (!this.#stopped && !this.#outcome && !this.#away) {
        request = new AbortController()
        const how: Parameters<Locks['hold']>[0] = steal ? { steal } : { signal: request.signal }
        await locks.hold(how, (lost) => {
          watch.end()
          return this.#hold(lost)
        })
        // Only from the one that did not answer. If it was robbed itself before it was told, the lock is a living one's.
        if (how.steal) return
      }
    } finally {
      watch.end()
      this.#watch = undefined
      this.#giveUp = () => {}
      this.#stopping.signal.removeEventListener('abort', giveUp)
    }
  }

  /** Is host until something ends that. Rejects if it cannot begin. */
  async #hold(lost: AbortSignal): Promise<void> {
    await this.#learning
    this.#outcome = 'left'
    if (this.#stopped || this.#away) return
    const tenure = new Tenure(
      this.#parts,
      this.#me,
      {
        began: (names) => {
          this.#names = names
          this.#backoff.reset()
          this.#become('host')
        },
        workers: () => this.#changed(this.#role),
      },
      this.#bounds,
    )
    this.#tenure = tenure
    try {
      this.#outcome = await tenure.run(lost)
    } finally {
      this.#tally = tenure.tally
      this.#tenure = undefined
      this.#me = newHostId()
    }
  }

  /** The host has parked tasks: asks for the role if their handlers are here. To know, the executor is opened once. */
  async #want(parked: readonly string[]): Promise<void> {
    if (!this.#names) {
      this.#learning ??= this.#learn().finally(() => {
        this.#learning = undefined
      })
      await this.#learning
    }
    const names = parked.filter((name) => this.#names?.includes(name))
    if (names.length > 0 && this.#watch) this.#parts.backend.channel.post({ type: 'wanted', from: this.#me, names })
  }

  async #learn(): Promise<void> {
    const { executor, onError } = this.#parts.settings
    try {
      this.#names = Object.keys(await executor.open(() => {}))
    } catch (error) {
      if (this.#away) return // it was ended from here: asked again, it will tell
      this.#names = []
      onError(error)
    }
    await executor.close().catch(onError)
  }

  #hear(hint: Hint): void {
    if (hint.type === 'ping' && this.#tenure && hint.from !== this.#me) {
      const { host: from, parked } = this.#tenure
      this.#parts.backend.channel.post({ type: 'pong', from, to: hint.from, parked })
    }
    if (hint.type === 'left') this.#parts.backend.departures?.leave(hint.host)
    this.#tenure?.hear(hint)
    this.#watch?.hear(hint)
  }

  #look(): void {
    this.#tenure?.look()
    this.#watch?.look()
  }

  #warn(): void {
    if (this.#warned) return
    this.#warned = true
    const advice = 'One is enough; if this comes from hot reloading, stop the old one before you start the new one.'
    this.#parts.settings.warn(
      `sitq: there is another TaskWorker for this database in this page; this one stands by. ${advice}`,
    )
  }

  #become(role: WorkerRole): void {
    this.#settleKnown?.resolve(role)
    this.#settleKnown = undefined
    if (role === this.#role) return
    this.#role = role
    this.#changed(role)
    this.#parts.backend.channel.post({ type: 'role', from: this.#me, role })
  }
}

/** What an error that ended a round means for the next. */
function outcomeOf(error: unknown): 'closed' | 'outdated' | 'failed' {
  if (error instanceof ClosedError) return 'closed'
  return error instanceof StorageError && error.code === 'newer-version' ? 'outdated' : 'failed'
}

/** There is no next round. */
const isFinal = (outcome: TenureEnd | 'failed' | undefined) => outcome === 'closed' || outcome === 'outdated'
