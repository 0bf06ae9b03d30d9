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
  /** When something ended in a turn, at the latest: the turn's pruning may have passed it by. Infinity: nothing did. */
  endedAt = NEVER

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
    const ended = writes.some(ends)
    if (this.inTurn) {
      if (ended) this.endedAt = now
      return
    }
    if (this.#at <= now) {
      if (this.#at < now - LATE) this.set(now)
      return
    }
    const ledgers = writes.flatMap((write) => ledgerOf(write) ?? [])
    // Whatever may be pruned because of this may at its age. What may indeed, the alarm's turn finds out.
    if (ended || ledgers.some(hasEnded)) this.atLatest(now + this.#settings.age + 1)
    if (this.#settings.runs) {
      // An append that touches nothing else is of tasks that can be claimed at once.
      if (ledgers.length > 0) this.atLatest(this.next(look(wake(now)), now))
      else if (appends) this.atLatest(now)
    } else {
      this.atLatest(Math.min(...ledgers.map(leaseEnd)) + 1)
    }
  }

  /** When there is something to do for the object, as its storage says. `pruneAt`: when there is something to prune. */
  next({ claimAt, leaseEnd }: Wake, now: number, pruneAt = NEVER): number {
    const claim = this.#settings.runs ? claimAt : NEVER
    return Math.max(now, Math.min(claim, leaseEnd + 1, pruneAt, this.endedAt + this.#settings.age + 1))
  }

  /** By how much the platform's clock is ahead of the one given, which is another one in tests alone. */
  get #ahead(): number {
    return Math.round(Date.now() - this.#settings.clock.now())
  }
}

/** Something ended by it: tasks, or a batch, the last input of which may have been none. */
const ends = (write: Write): boolean =>
  write.kind !== 'delete' &&
  (write.store === 'outcomes' ||
    (write.store === 'marks' && fits('batch', write.record) && write.record.endedAt !== undefined))

const hasEnded = ({ ended: { completed, failed, cancelled } }: Ledger): boolean => completed + failed + cancelled > 0

function ledgerOf(write: Write): Ledger | undefined {
  if (write.kind === 'delete' || write.store !== 'ledger') return undefined
  return fits('ledger', write.record) ? write.record : undefined
}
