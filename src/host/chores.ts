import type { HandlerTable } from '../executor.js'
import type { HostId } from '../task.js'
import type { HostParts } from './settings.js'

/** A host looks for what dead ones left, and for parked tasks, when it begins and this often afterwards, in ms. */
const LOOK_AFTER = 60_000
/** Retention is applied this often, in ms; a slice at a time with a pause between them. */
const PRUNE_EVERY = 60_000
const PRUNE_PAUSE = 50
/** A host that is never idle takes the time after all once pruning is this late, in ms. */
const PRUNE_LATE = 300_000
const BUSY_PAUSE = 1_000
/** Blocked tasks looked at to learn which names are parked. */
const BLOCKED = 100

/** What a host does beside its work: taking back what dead hosts held, opening the gates of its handlers, pruning. */
export class Chores {
  /** Handlers that tasks wait for and this host does not have. */
  readonly parked = new Set<string>()
  readonly #parts: HostParts
  readonly #host: HostId
  #table: HandlerTable = {}
  #lookAt: number
  #pruneAt: number

  constructor(parts: HostParts, host: HostId) {
    this.#parts = parts
    this.#host = host
    const now = parts.clock.monotonic()
    this.#lookAt = now + this.#lookEvery
    this.#pruneAt = now + PRUNE_EVERY
  }

  /** The chore to do now; it resolves to true if there may be more to claim. Pruning waits for an idle host, up to a limit. */
  due(idle: boolean): (() => Promise<boolean>) | undefined {
    const { clock } = this.#parts
    if (clock.monotonic() >= this.#lookAt) return () => this.#lookAfter()
    if (this.next(idle) > 0) return undefined
    return async () => {
      await this.prune(idle)
      return false
    }
  }

  /** When the next chore is due, in ms from now. */
  next(idle: boolean): number {
    const at = Math.min(this.#lookAt, this.#pruneAt + (idle ? 0 : PRUNE_LATE))
    return Math.max(0, at - this.#parts.clock.monotonic())
  }

  /** Voids dead hosts and takes back what they held. Resolves to true if there was something. */
  async recover(): Promise<boolean> {
    const { backend, clock, settings } = this.#parts
    const { locks } = backend
    const left = locks?.left() ?? []
    // Who holds the lock is the only host; where there are no locks, time alone tells.
    const dead = locks ? 'others' : 'expired'
    const { maxCrashes } = settings
    const recovered = await backend.recover({ me: this.#host, dead, left, now: clock.now(), maxCrashes })
    if (left.length > 0) locks?.forget(left)
    return recovered > 0
  }

  async #lookAfter(): Promise<boolean> {
    this.#lookAt = this.#parts.clock.monotonic() + this.#lookEvery
    const recovered = await this.recover()
    return (await this.unpark(this.#table)) || recovered
  }

  /** Lets parked tasks go on whose handlers are here. Resolves to true if there were any. */
  async unpark(table: HandlerTable): Promise<boolean> {
    this.#table = table
    const { backend, clock } = this.#parts
    const { items, next } = await backend.read('tasks', { state: 'blocked', limit: BLOCKED })
    const blocked = new Set(items.map(({ name }) => name))
    const here = Object.keys(table).filter((name) => next !== undefined || blocked.has(name))
    let opened = 0
    for (const name of here) {
      opened += await backend.change({ type: 'open-gate', gate: `handler:${name}`, now: clock.now() })
    }
    if (next === undefined) this.parked.clear()
    for (const name of blocked) if (!Object.hasOwn(table, name)) this.parked.add(name)
    return opened > 0
  }

  /** One slice. Resolves to true if there is more. */
  async prune(idle: boolean): Promise<boolean> {
    const { backend, clock, settings } = this.#parts
    this.#pruneAt = clock.monotonic() + PRUNE_EVERY
    const more = await backend.prune({ ...settings.retention, now: clock.now() })
    if (more) this.#pruneAt = clock.monotonic() + (idle ? PRUNE_PAUSE : BUSY_PAUSE - PRUNE_LATE)
    return more
  }

  get #lookEvery(): number {
    return this.#parts.backend.locks ? LOOK_AFTER : this.#parts.settings.renewEvery
  }
}
