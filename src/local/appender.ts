/** Appending: without reading, at the tails that were seen last, while they can be trusted. */
import type { AddOptions, AlikeTasks, AppendListener, BatchChunk, NewTask } from '../backend.js'
import type { Clock } from '../clock.js'
import { type AppendValue, append, type Expected, joinBlind } from '../plan/append.js'
import { joinBatch } from '../plan/batch.js'
import { countOf, layOut, type NewTasks, partsOf } from '../plan/layout.js'
import { type Store, stores } from '../plan/records.js'
import { add } from '../plan/tables.js'
import { type Add, KeyTakenError, metBy, type Plan } from '../storage.js'
import { idsIn, type TaskId } from '../task.js'
import type { Company, Guest } from './company.js'
import { isDamage, type Runner } from './runner.js'
import { Tails } from './tails.js'

/** An append whose blocks are added without knowing what would have to be read for that. */
interface Hope {
  adds: readonly Add[]
  /** What else is to be done. */
  plan(): Plan<void>
  stores: readonly Store[]
  value: AppendValue
}

interface Companion extends Guest {
  host: AppendListener
}

/** A turn is over when what was added is committed, or refused. */
interface Turn {
  over: Promise<unknown>
  /** Its transaction has begun: what follows comes after it. */
  begun: Promise<unknown>
  /** The batch that a chunk was added to. */
  batch: string | undefined
}

export interface AppenderParts {
  runner: Runner
  clock: Clock
  /** Tells one call's blocks from another's. */
  nonce: () => string
  company: Company
  /** Of the same page. */
  hosts: Iterable<AppendListener>
}

export class Appender {
  readonly #runner: Runner
  readonly #nonce: () => string
  readonly #company: Company
  readonly #hosts: Iterable<AppendListener>
  readonly #tails: Tails
  /** The batch of the latest chunk, as it is once that is committed. */
  #batch: Expected | undefined
  /** So often. */
  #forgotten = 0
  #last: Turn = { over: Promise.resolve(), begun: Promise.resolve(), batch: undefined }

  constructor({ runner, clock, nonce, company, hosts }: AppenderParts) {
    this.#runner = runner
    this.#tails = new Tails(clock)
    this.#nonce = nonce
    this.#company = company
    this.#hosts = hosts
  }

  /** What was seen is void. */
  forget(): void {
    this.#forgotten++
    this.#tails.clear()
    this.#batch = undefined
  }

  /** Resolves with the tasks' ids, in order; undefined for those that their batch had. */
  async add(tasks: readonly NewTask[], options: AddOptions): Promise<(TaskId | undefined)[]> {
    const { ignored, stretches, starts } = await this.#inTurn((begin, before) =>
      this.#add(tasks, options, begin, before),
    )
    const ids = Array<TaskId | undefined>(tasks.length).fill(undefined)
    starts.forEach(({ lane, from }, k) => {
      const idAt = idsIn(this.#runner.origin, lane)
      stretches[k]?.members?.forEach((member, i) => {
        ids[ignored + member] = idAt(from + i)
      })
    })
    return ids
  }

  /** Resolves with how many of them their batch had. */
  async addAlike(tasks: AlikeTasks, options: AddOptions & { batch: BatchChunk }): Promise<number> {
    const added = await this.#inTurn((begin, before) => this.#add(tasks, options, begin, before), options.batch.id)
    return added.ignored
  }

  /**
   * Appends of one page follow each other: two at once would guess the same tail. The chunks of a batch need not wait until the
   * one before is committed: should that fail, its batch is not what the next one expects.
   */
  #inTurn<T>(add: (begin: () => void, before: Promise<unknown>) => Promise<T>, batch?: string): Promise<T> {
    const { over: before, begun: first, batch: of } = this.#last
    let begin = () => {}
    const begins = new Promise<void>((resolve) => {
      begin = resolve
    })
    const added = (batch !== undefined && batch === of ? first : before).then(() => add(begin, before))
    const over = Promise.allSettled([before, added]).then(() => undefined)
    this.#last = { over, begun: Promise.race([begins, over]), batch }
    return added
  }

  async #add(tasks: NewTasks, options: AddOptions, begin: () => void, before: Promise<unknown>): Promise<AppendValue> {
    const runner = this.#runner
    await runner.open()
    const nonce = options.nonce ?? this.#nonce()
    const durability = options.durability ? { durability: options.durability } : {}
    let tried: AppendValue | undefined
    let repeats = false
    const hope = options.again ? undefined : this.#hope(tasks, options, nonce)
    if (hope) {
      // Whoever stores waits until what is claimed has been read: a block at most. And chunks follow each other without a pause.
      const alone = options.batch !== undefined || hope.adds.length > 1
      const guest = alone ? undefined : this.#invite()
      try {
        await this.#tryHope(hope, guest, begin, durability)
        return hope.value
      } catch (error) {
        this.forget()
        // Another tab appended since, or this is a repeat of ours that was committed: reading tells.
        const met = metBy(error)
        repeats = met !== error
        if (guest) {
          // It has read blocks that are not stored now.
          runner.cache.clear()
          guest.leave(repeats)
        } else if (!isDamage(met)) throw error // with a guest, it may be for its sake that it failed
        tried = hope.value
      }
      await before
    }
    // Should the storage run the plan again, not knowing whether it was committed, the plan looks where it was before.
    const plan = () => remember(append(tasks, { ...options, nonce, ...(tried ? { tried } : {}) }), (at) => (tried = at))
    const value = await runner.run(() => this.#begin(plan()), { stores, write: true, repeats, ...durability })
    for (const lane of value.lanes) this.#tails.saw(lane)
    this.#batch = value.batch
    return value
  }

  async #tryHope(
    hope: Hope,
    guest: Companion | undefined,
    begin: () => void,
    durability: Pick<AddOptions, 'durability'>,
  ): Promise<void> {
    const of = this.#forgotten
    const check = () => {
      if (of !== this.#forgotten || guest?.unless?.aborted) throw new KeyTakenError('What was seen is void.')
    }
    const begun = <T>(rest: () => Plan<T>) => {
      check()
      begin()
      return this.#begin(checked(rest(), check), guest?.host)
    }
    const options = { write: true, first: hope.adds, ...durability }
    if (guest) guest.answer(await this.#runner.try(() => begun(guest.plan), { ...options, stores }))
    else await this.#runner.try(() => begun(() => hope.plan()), { ...options, stores: hope.stores, unseen: true })
  }

  /** The first host that has time goes with it; the others find what that one leaves. */
  #invite(): Companion | undefined {
    for (const host of [...this.#hosts]) {
      const guest = this.#company.invite(() => host.offered())
      if (guest) return { ...guest, host }
    }
    return undefined
  }

  #begin<T>(plan: Plan<T>, companion?: AppendListener): Plan<T> {
    for (const host of [...this.#hosts]) if (host !== companion) host.begun()
    return plan
  }

  /** undefined if more must be written, or if a lane, a tail or the batch is not known well enough. */
  #hope(tasks: NewTasks, { now, batch: chunk }: AddOptions, nonce: string): Hope | undefined {
    const expected = chunk && this.#batch
    if (chunk) this.#batch = undefined
    const imported = expected && expected.total - (expected.joined ?? 0)
    // A pipeline's stages are told with its first part.
    if (chunk && (chunk.id !== expected?.id || chunk.offset !== imported || imported === 0)) return undefined
    const joined = chunk && expected && joinBatch({ ...expected }, 0)
    const stretches = layOut(tasks, now, 0, joined)
    if (stretches.some(({ runAt }) => runAt !== undefined)) return undefined
    const blocks = this.#tails.blocks(stretches, { now, nonce })
    if (!blocks) return undefined
    const adds = blocks.map((made) => add('block', [made.lane, made.from], made))
    const starts = blocks.map(({ lane, from }) => ({ lane, from }))
    const value: AppendValue = { ignored: 0, stretches, starts, lanes: [] }
    if (chunk?.open && expected) this.#batch = { ...expected, total: expected.total + countOf(tasks) }
    const batch = chunk && expected && { expected, open: chunk.open, now }
    const plan = () => joinBlind(partsOf(stretches, blocks), batch)
    return { adds, plan, stores: batch ? ['blocks', 'marks'] : ['blocks'], value }
  }
}

/** An answer to what was read may come after the news that an append before this one has failed. */
function* checked<T>(plan: Plan<T>, check: () => void): Plan<T> {
  const end = yield* plan
  check()
  return end
}

function* remember(plan: Plan<AppendValue>, tell: (tried: AppendValue) => void): Plan<AppendValue> {
  const end = yield* plan
  tell(end.value)
  return end
}
