/** When there is something to do next, for whoever sleeps until then. */
import type { Plan } from '../storage.js'
import { Draft, heldCount, lanesOf } from './ledger.js'
import { answer } from './pages.js'
import type { Ledger } from './records.js'

/** Times in ms since the epoch; Infinity: never, as things are. */
export interface Wake {
  /** When tasks can be claimed. Not after `now`: at once. Those behind gates count for nothing. */
  claimAt: number
  /** When the first lease runs out under which something is held. */
  leaseEnd: number
}

export function* wake(now: number): Plan<Wake> {
  const draft = new Draft()
  yield* draft.load({ ledgers: true })
  const ledgers = draft.ledgersOf()
  yield* draft.load({ tails: lanesOf(ledgers) })
  return answer({
    claimAt: Math.min(...ledgers.map((ledger) => claimAt(draft, ledger, now))),
    leaseEnd: Math.min(...ledgers.map(leaseEnd)),
  })
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
