import type { Clock } from '../clock.js'
import type { Deadlines } from '../execute/deadlines.js'
import type { HandlerTable } from '../executor.js'
import { Member } from './member.js'
import type { ToPage } from './protocol.js'
import { type Death, WorkerHandle } from './worker-handle.js'

export interface CrewOptions {
  factory: () => Worker
  /** Web Workers at most. */
  size: number
  /** Attempts at one time in each. */
  concurrency: number
  startTimeout: number
  idleTimeout: number
  clock: Clock
  deadlines: Deadlines
  hear(member: Member, message: ToPage): void
  died(member: Member, death: Death): void
  /** A Web Worker is there for work, or the time has come to try for one again. */
  ready(): void
  /** One that was to join the others did not start. Another is tried later. */
  failed(error: unknown): void
  /** Something that people may want to see. */
  changed(): void
}

/** Waits before another Web Worker is tried after a failure, in ms; doubled each time. */
const BACK_OFF = { first: 1_000, most: 30_000 }

/** The Web Workers of a pool: spawned when there is work, ended when there is none for long. */
export class Crew {
  readonly members = new Set<Member>()
  readonly size: number
  readonly #options: CrewOptions
  readonly #idle = new Map<Member, () => void>()
  #spawned = 0
  /** In a row. */
  #failures = 0
  #waiting: (() => void) | undefined
  #closed = false

  constructor(options: CrewOptions) {
    this.size = options.size
    this.#options = options
  }

  /** The first one tells the handlers. Rejects with SitqError `'worker-start'`. */
  open(): Promise<HandlerTable> {
    return this.#spawn()
  }

  /** Brings in more, if there may be, for this many runs that nobody takes. */
  grow(runs: number): void {
    let coming = 0
    for (const { ready } of this.members) if (!ready) coming++
    for (; coming < runs && this.members.size < this.size && !this.#waiting && !this.#closed; coming++) {
      this.#spawn().catch((error: unknown) => {
        if (this.#closed) return
        this.#options.failed(error)
        this.backOff()
      })
    }
  }

  /** The next one is not tried at once: nothing says that it would fare better. */
  backOff(): void {
    if (this.#closed) return
    const ms = Math.min(BACK_OFF.most, BACK_OFF.first * 2 ** this.#failures++)
    this.#waiting?.()
    this.#waiting = this.#options.deadlines.in(ms, () => {
      this.#waiting = undefined
      this.#options.ready()
    })
  }

  /** An attempt has ended: things work. */
  recovered(): void {
    this.#failures = 0
  }

  busy(member: Member): void {
    this.#idle.get(member)?.()
    this.#idle.delete(member)
  }

  idle(member: Member): void {
    if (this.#idle.has(member) || !this.members.has(member)) return
    this.#idle.set(
      member,
      this.#options.deadlines.in(this.#options.idleTimeout, () => this.end(member)),
    )
  }

  /** Terminates one, whatever it does. */
  end(member: Member): void {
    this.busy(member)
    this.members.delete(member)
    member.handle.terminate()
    this.#options.changed()
  }

  close(): void {
    this.#closed = true
    for (const member of [...this.members]) this.end(member)
    this.#waiting?.()
  }

  async #spawn(): Promise<HandlerTable> {
    const { factory, concurrency, startTimeout, clock, hear, died, ready, changed } = this.#options
    const handle = new WorkerHandle({
      factory,
      concurrency,
      startTimeout,
      timer: (ms, fire) => clock.timer(ms, fire),
      hear: (message) => hear(member, message),
      died: (death) => died(member, death),
    })
    const member = new Member(++this.#spawned, concurrency, handle)
    this.members.add(member)
    changed()
    try {
      const table = await handle.start()
      member.ready = true
      this.idle(member)
      changed()
      ready()
      return table
    } catch (error) {
      this.members.delete(member)
      changed()
      throw error
    }
  }
}
