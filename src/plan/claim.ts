/** Claiming: by queue, by priority; what is due from aside first, then the log. */
import type { Exchange } from '../backend.js'
import type { BlockCache, Blocks } from './cache.js'
import { Due } from './due.js'
import type { Draft, Step } from './ledger.js'
import { Line } from './line.js'
import type { Ledger } from './records.js'
import { Taking } from './taking.js'

/** Queues in the order in which they are looked at: those named first, as named. */
export function inOrder(ledgers: Iterable<Ledger>, queues: readonly string[] = []): Ledger[] {
  const rank = ({ queue }: Ledger) => (queues.includes(queue) ? queues.indexOf(queue) : queues.length)
  return [...ledgers].sort((a, b) => rank(a) - rank(b))
}

/** One exchange's claim: what it took, and what it found. */
export function* claim(
  draft: Draft,
  blocks: Blocks,
  cache: BlockCache,
  x: Exchange,
  wanted: { limit: number; names?: readonly string[]; queues?: readonly string[] },
  origin: string,
): Step<Taking> {
  const taking = new Taking(draft, cache, x, wanted, origin)
  const due = new Due(draft, blocks, cache, taking)
  const line = new Line(draft, blocks, cache, taking)
  for (const ledger of inOrder(draft.ledgers.values(), wanted.queues)) {
    if ((ledger.pausedUntil ?? 0) > x.now) {
      taking.paused.push(ledger.queue)
      taking.wake(ledger.pausedUntil)
      continue
    }
    const priorities = new Set(ledger.lanes.map((state) => state.priority))
    for (const priority of [...priorities].sort((a, b) => a - b)) {
      yield* due.claim(ledger, priority)
      const state = ledger.lanes.find((lane) => lane.priority === priority && !lane.held)
      if (state) yield* line.claim(ledger, state)
    }
  }
  taking.writeParts()
  return taking
}
