import { parseId } from '../../src/task.js'
import type { Claim, Settled } from '../support/pages/witness.js'
import { placeOf } from '../support/pages/witness.js'
import type { Books, Execution } from './books.js'
import type { Death } from './kills.js'

/** One claim of a task, the executions under it, and what its host is known to have recorded. */
export interface Held extends Claim {
  host: string
  life: string
  /** When the exchange began, in ms since the epoch, and in which order it was heard. */
  at: number
  order: number
  runs: Execution[]
  to?: Settled['to']
  /** In which order that was heard, and when that exchange began. */
  toldAt?: number
  recordedAt?: number
}

/** What happened to a task, claim by claim. */
export type History = Held[]

/** Everything that is known of every task, by its place. `stray`: executions without a claim. */
export function historiesOf(books: Books): { histories: Map<string, History>; stray: Execution[] } {
  const histories = new Map<string, History>()
  // A frozen page tells of its last exchange when it is thawed: the order is that in which they were begun.
  const exchanges = [...books.exchanges].sort((a, b) => a.at - b.at || a.order - b.order)
  for (const { host, tab, at, order, fenced, claimed, settled } of exchanges) {
    if (fenced) continue
    for (const { place, to } of settled) {
      const held = histories
        .get(place)
        ?.filter((claim) => claim.host === host)
        .at(-1)
      if (held) Object.assign(held, { to, toldAt: order, recordedAt: at })
    }
    for (const claim of claimed) {
      const history = histories.get(claim.place) ?? []
      history.push({ ...claim, host, life: tab, at, order, runs: [] })
      histories.set(claim.place, history)
    }
  }
  const stray: Execution[] = []
  for (const run of books.runs) {
    const history = histories.get(placeOf(parseId(run.id)))
    const held = history?.filter(({ life, order }) => life === run.life && order < run.order).at(-1)
    if (held) held.runs.push(run)
    else stray.push(run)
  }
  // Each Web Worker has a line of its own: what one told just before its end may be heard after another has run the task again.
  for (const history of histories.values()) for (const { runs } of history) runs.sort((a, b) => a.at - b.at)
  return { histories, stray }
}

/** Clocks of several processes, and what is on its way, in ms. */
const SLACK = 100
/** From its timeout on, a spinning handler's Web Worker lives for 1 s; its page may be frozen for 2 s at that. */
const SPUN = 5_000

/** Why a task may have been claimed or run again between two moments, in ms since the epoch. */
export class Excuses {
  readonly #deaths: readonly Death[]

  constructor(deaths: readonly Death[], books: Books) {
    // Each attempt that spins ends its Web Worker, whoever killed what meanwhile.
    const spins = books.runs
      .filter(({ name }) => name === 'spin')
      .map((run): Death => {
        const { life, worker, heardAt: from, key } = run
        return { kind: 'spin', from, to: from + SPUN, life, worker, what: key }
      })
    this.#deaths = [...deaths.filter(({ kind }) => kind !== 'spin'), ...spins]
  }

  #between(from: number, to: number): Death[] {
    return this.#deaths.filter((death) => death.from <= to + SLACK && death.to >= from - SLACK)
  }

  /** How a page lost its claims: it ended, or its lock was stolen. A short freeze takes nothing away. */
  endedHost(life: string, from: number, to: number): Death | undefined {
    const ends = ({ kind, worker, life: of = life }: Death) => worker === undefined && kind !== 'freeze' && of === life
    return this.#between(from, to).find(ends)
  }

  /** How a Web Worker was ended. */
  endedWorker({ life, worker }: Pick<Execution, 'life' | 'worker'>, from: number, to: number): Death | undefined {
    return this.#between(from, to).find((death) => death.life === life && death.worker === worker)
  }

  /**
   * What charges a crash to what a page held: a page that is left or reloaded charges nothing, nor does a Web Worker that is
   * killed because its handler's time was up. A page whose claim is not known may have been any.
   */
  charging(life: string | undefined, from: number, to: number): Death[] {
    return this.#between(from, to).filter(({ kind, worker, life: of }) => {
      if (kind === 'close' || kind === 'reload' || kind === 'freeze' || kind === 'spin') return false
      return worker === undefined || of === life
    })
  }
}
