import type { Clock } from '../clock.js'
import type { Ledger } from '../plan/records.js'
import { fits } from '../plan/shapes.js'
import { leaseEnd, type Wake, wake } from '../plan/wake.js'
import type { Plan, Write } from '../storage.js'
import type { ObjectStorage } from './platform.js'

const NEVER = Number.POSITIVE_INFINITY
/** An alarm that is later than this, in ms, is set again: the one before may be lost. */
const LATE = 30_000

/**
 * The object's one alarm. It is set within the transaction that gives a reason for it: writes that follow each other without
 * waiting for anything are stored together or not at all
 * (https://developers.cloudflare.com/durable-objects/api/storage-api/, "write coalescing").
 */
export class Alarm {
  readonly #storage: ObjectStorage
  readonly #settings: { clock: Clock; runs: boolean; age: number }
  /** By the clock; Infinity: none is set. */
  #at = NEVER
  /** While a turn is under way, what it leaves is looked at when it ends … */
  inTurn = false
  /** … and if tasks were stored meanwhile, it can have left them without having tried. */
  appended = false
  /** What is to go by its age and has not gone is not looked at before this. */
  pruneAt = Number.NEGATIVE_INFINITY

  /** `runs`: the object runs tasks itself. `age`: how long what has ended is kept, in ms. */
  constructor(storage: ObjectStorage, settings: { clock: Clock; runs: boolean; age: number }) {
    this.#storage = storage
    this.#settings = settings
  }

  /**
   * Of an instance that is new. One that should have gone off is set again: the instance before went down in it, and it is no
   * loss if it comes twice.
   */
  async load(): Promise<void> {
    const at = await this.#storage.getAlarm()
    if (at === null) return
    this.#at = at - this.#ahead
    const now = this.#settings.clock.now()
    if (this.#at <= now) this.set(now)
  }

  /** It went off: there is none any more. */
  fired(): void {
    this.#at = NEVER
  }

  /** Not later than this. */
  atLatest(at: number): void {
    if (at < this.#at) this.set(at)
  }

  /** Infinity: never. */
  set(at: number): void {
    if (at === this.#at) return
    this.#at = at
    // What these come to is known when the transaction is; if it is not stored, the object is reset.
    if (at === NEVER) void this.#storage.deleteAlarm()
    else void this.#storage.setAlarm(at + this.#ahead)
  }

  /** A transaction ends with these writes. */
  written(writes: readonly Write[], look: (plan: Plan<Wake>) => Wake): void {
    const now = this.#settings.clock.now()
    const appends = writes.some(({ kind, store }) => kind !== 'delete' && store === 'blocks')
    this.appended ||= appends
    if (this.inTurn) return
    if (this.#at <= now) {
      if (this.#at < now - LATE) this.set(now)
      return
    }
    const ledgers = writes.flatMap((write) => ledgerOf(write) ?? [])
    if (this.#settings.runs) {
      // An append that touches nothing else is of tasks that can be claimed at once.
      if (ledgers.length > 0) this.atLatest(this.next(look(wake(now)), now))
      else if (appends) this.atLatest(now)
    } else {
      const first = Math.min(...ledgers.map(leaseEnd)) + 1
      const ended = ledgers.some((ledger) => ledger.ended.completed + ledger.ended.failed + ledger.ended.cancelled > 0)
      this.atLatest(Math.min(first, ended ? now + this.#settings.age : NEVER))
    }
  }

  /** When there is something to do for the object, as its storage says. */
  next({ claimAt, leaseEnd, endedAt }: Wake, now: number): number {
    const claim = this.#settings.runs ? claimAt : NEVER
    return Math.max(now, Math.min(claim, leaseEnd + 1, Math.max(endedAt + this.#settings.age, this.pruneAt)))
  }

  /** By how much the platform's clock is ahead of the one given, which is another one in tests alone. */
  get #ahead(): number {
    return Math.round(Date.now() - this.#settings.clock.now())
  }
}

function ledgerOf(write: Write): Ledger | undefined {
  if (write.kind === 'delete' || write.store !== 'ledger') return undefined
  return fits('ledger', write.record) ? write.record : undefined
}
