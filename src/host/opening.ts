import { markOf, ONLINE } from '../gates.js'
import { STRETCHES } from '../plan/opening.js'
import type { HostId } from '../task.js'
import type { HostParts } from './settings.js'

/** Tasks that go on at a time. Where they may come back at once, fewer. */
const MOST = 4_096
const FEW = 512
/** Between two portions, in ms; longer while there is other work. */
const PAUSE = 50
const PAUSE_BUSY = 1_000
const NEVER = Number.POSITIVE_INFINITY

/**
 * Lets tasks go on that wait behind gates: for a handler, for a handler that takes their input, for the network. There may be
 * any number of them, and other work and the lease are to go on meanwhile: they go in portions, with pauses.
 */
export class Openings {
  readonly #parts: HostParts
  readonly #handlers: Opening
  readonly #inputs: Opening
  readonly #network: Opening
  /** Tasks wait for the page to be online. */
  #offline = false

  constructor(parts: HostParts, host: HostId) {
    this.#parts = parts
    this.#handlers = new Opening(parts, MOST)
    // What did not fit this host's own handlers would not fit them now.
    this.#inputs = new Opening(parts, FEW, markOf(host))
    this.#network = new Opening(parts, FEW)
  }

  get #all(): Opening[] {
    return [this.#handlers, this.#inputs, this.#network]
  }

  /** There is more that is to go on now. */
  get pending(): boolean {
    return this.#all.some(({ pending }) => pending) || this.#isBack
  }

  get handlersPending(): boolean {
    return this.#handlers.pending
  }

  get #isBack(): boolean {
    return this.#offline && this.#parts.settings.online()
  }

  /** Each of these resolves to true if there was something, after the first portion of it. */
  handlers(gates: readonly string[]): Promise<boolean> {
    return this.#handlers.begin(gates)
  }

  inputs(gates: readonly string[]): Promise<boolean> {
    return this.#inputs.begin(gates)
  }

  /** That the page is offline is a hint, which may be wrong for ever: a portion of what failed is tried all the same. */
  async network(): Promise<boolean> {
    this.#offline = false
    const opened = await this.#network.begin([ONLINE])
    this.#stopOffline()
    return opened
  }

  /** A task failed offline: it goes on as soon as the page says that it is online. */
  waitForNetwork(): void {
    this.#offline = true
  }

  #stopOffline(): boolean {
    if (!this.#network.pending || this.#parts.settings.online()) return false
    this.#network.end()
    this.#offline = true
    return true
  }

  /** The portion to let go on now. */
  due(idle: boolean): (() => Promise<boolean>) | undefined {
    if (this.#isBack) return () => this.network()
    const now = this.#parts.clock.monotonic()
    const opening = this.#all.find((one) => one.next(idle) <= now)
    if (!opening) return undefined
    return async () => (opening === this.#network && this.#stopOffline() ? false : await opening.portion())
  }

  /** When the next is due, by the monotonic clock. */
  next(idle: boolean): number {
    return Math.min(...this.#all.map((one) => one.next(idle)))
  }
}

/** Opens gates, a portion in a transaction. What could not be stored is tried again. */
class Opening {
  readonly #parts: HostParts
  readonly #portion: number
  readonly #but: { but?: number }
  readonly #gates = new Set<string>()
  /** Not more than were blocked when it began: other hosts may set them aside anew meanwhile. Undefined: not counted yet. */
  #left: number | undefined
  #triedAt = NEVER

  constructor(parts: HostParts, portion: number, but?: number) {
    this.#parts = parts
    this.#portion = portion
    this.#but = but === undefined ? {} : { but }
  }

  get pending(): boolean {
    return this.#gates.size > 0
  }

  next(idle: boolean): number {
    return this.#triedAt + (idle ? PAUSE : PAUSE_BUSY)
  }

  async begin(gates: readonly string[]): Promise<boolean> {
    if (gates.length === 0) return false
    for (const gate of gates) this.#gates.add(gate)
    this.#left = undefined
    return await this.portion()
  }

  async portion(): Promise<boolean> {
    const { backend, clock } = this.#parts
    this.#triedAt = clock.monotonic()
    this.#left ??= (await backend.counts()).blocked
    const limit = Math.min(this.#portion, this.#left)
    const change = { type: 'open-gate', gate: [...this.#gates], ...this.#but, limit, now: clock.now() } as const
    const opened = limit > 0 ? await backend.change(change) : 0
    this.#left -= opened
    this.#triedAt = clock.monotonic()
    if (opened < Math.min(limit, STRETCHES) || this.#left <= 0) this.end()
    return opened > 0
  }

  end(): void {
    this.#gates.clear()
    this.#triedAt = NEVER
  }
}
