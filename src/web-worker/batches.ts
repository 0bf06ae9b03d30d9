import type { Durations } from '../execute/durations.js'
import { limitOf } from '../execute/handler-table.js'
import type { Line } from '../execute/line.js'
import type { HandlerTable, Run } from '../executor.js'
import type { Member } from './member.js'

/** A Web Worker with less work than this, in ms, gets more… */
const LOW = 20
/** …up to this. Much more, and a slow one keeps others waiting behind it; much less, and messages cost more than work. */
const HIGH = 40
/** Runs in one message. */
const BATCH = 512
/** Runs a Web Worker has at one time: it works on one batch while the next is on its way. */
const MOST = 2 * BATCH
/** A handler is trusted with this many times the attempts that were measured: 1, 4, 16, 64 … */
const GROWTH = 4

/** A Web Worker that tells of no end for this long, in ms, does something long. */
export const SILENCE = 100

/** What it does takes longer than expected: nothing should wait behind it. */
export function isStuck(member: Member, now: number): boolean {
  return member.isFull && now - member.progressAt >= SILENCE
}

/** How much to give to whom. */
export class Batches {
  readonly #durations: Durations
  readonly #table: HandlerTable
  readonly #concurrency: number

  constructor(durations: Durations, table: HandlerTable, concurrency: number) {
    this.#durations = durations
    this.#table = table
    this.#concurrency = concurrency
  }

  wants(member: Member, now: number): boolean {
    if (!member.ready || member.alone || member.aborting.size > 0) return false
    if (!member.isFull) return true
    if (isStuck(member, now) || member.given.size > MOST - BATCH / 2) return false
    return member.load(this.#durations) < LOW
  }

  /** Takes the next batch for a member out of the line; at most a fair share of what there is. */
  take(member: Member, members: Iterable<Member>, line: Line, share: number): Run[] {
    const batch: Run[] = []
    const counts = new Map<string, number>()
    const most = Math.min(BATCH, Math.max(share, this.#concurrency - member.given.size))
    let load = member.load(this.#durations)
    while (batch.length < most) {
      const run = line.take(({ name }) => {
        const has = member.count(name) + (counts.get(name) ?? 0)
        if (!this.#hasRoom(name, has, member, members)) return 'aside'
        return this.#fits(name, has, member.given.size + batch.length, load) ? 'take' : 'stop'
      })
      if (!run) break
      batch.push(run)
      counts.set(run.name, (counts.get(run.name) ?? 0) + 1)
      load += (this.#durations.mean(run.name) ?? HIGH) / this.#concurrency
    }
    return batch
  }

  /** There is something in line that one more Web Worker could begin. */
  wantsMore(members: Iterable<Member>, line: Line): boolean {
    return line.has(({ name }) => (this.#hasRoom(name, 0, undefined, members) ? 'take' : 'aside'))
  }

  #fits(name: string, has: number, size: number, load: number): boolean {
    if (size < this.#concurrency) return true
    const mean = this.#durations.mean(name)
    if (mean === undefined || size >= MOST) return false
    return load + mean / this.#concurrency <= HIGH && has < GROWTH * this.#durations.samples(name)
  }

  /**
   * A handler's own `concurrency` counts attempts at one time. Those that wait behind another in one Web Worker take no
   * place of their own, so a handler limited to 1 still gets whole batches, all in one Web Worker.
   */
  #hasRoom(name: string, has: number, member: Member | undefined, members: Iterable<Member>): boolean {
    const limit = limitOf(name, this.#table)
    if (limit === Number.POSITIVE_INFINITY || has >= this.#concurrency) return true
    let places = has
    for (const other of members) if (other !== member) places += Math.min(other.count(name), this.#concurrency)
    return places < limit
  }
}
