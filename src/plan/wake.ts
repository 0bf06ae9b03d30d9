/** When there is something to do next, for whoever sleeps until then. */
import type { Plan, ReadOf } from '../storage.js'
import { Draft, heldCount } from './ledger.js'
import type { Ledger } from './records.js'
import { LAST, range } from './tables.js'

/** Times in ms since the epoch; Infinity: never, as things are. */
export interface Wake {
  /** When tasks can be claimed. Not after `now`: at once. Those behind gates count for nothing. */
  claimAt: number
  /** When the first lease runs out under which something is held. */
  leaseEnd: number
  /** When the oldest of what has ended did, as far as the beginnings of the lanes tell. */
  endedAt: number
}

export function* wake(now: number): Plan<Wake> {
  const draft = new Draft()
  yield* draft.load({ ledgers: true })
  const ledgers = [...draft.ledgers.values()]
  const lanes = ledgers.flatMap((ledger) => ledger.lanes.map(({ lane }) => lane))
  const oldest: ReadOf<'outcome'>[] = lanes.map((lane) => range('outcome', [lane], [lane, LAST], { limit: 1 }))
  yield* draft.load({ tails: lanes }, oldest)
  return {
    writes: [],
    value: {
      claimAt: Math.min(...ledgers.map((ledger) => claimAt(draft, ledger, now))),
      leaseEnd: Math.min(...ledgers.map(leaseEnd)),
      endedAt: Math.min(...oldest.flatMap(({ found }) => found.map(({ at }) => at))),
    },
  }
}

function claimAt(draft: Draft, ledger: Ledger, now: number): number {
  const inLine = ledger.lanes.some(({ lane, held, head, skips }) => !held && draft.tail(lane) - head - skips > 0)
  const asides = Object.entries(ledger.aside).filter(([key]) => key !== 'blocked')
  const due = inLine ? now : Math.min(...asides.map(([, { ready, nextAt }]) => (ready > 0 ? now : nextAt)))
  return Math.max(due, ledger.pausedUntil ?? 0)
}

/** When the first lease of a queue runs out under which something is held. */
export function leaseEnd({ hosts }: Ledger): number {
  const holding = Object.values(hosts).filter(({ parts }) => heldCount(parts) > 0)
  return Math.min(...holding.map(({ until }) => until))
}
