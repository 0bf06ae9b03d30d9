/** Taking back what dead hosts hold. */
import type { Backend } from '../backend.js'
import type { Plan } from '../storage.js'
import type { ErrorRecord, HostId } from '../task.js'
import { giveBack } from './aside.js'
import { countBatch } from './batch.js'
import { type BlockCache, Blocks } from './cache.js'
import { Draft, heldBy, hostEntry, type Part, partsOf } from './ledger.js'
import { type Ending, writeOutcomes } from './outcome.js'
import { FAILED, type Ledger } from './records.js'

export type RecoverOptions = Parameters<Backend['recover']>[0]

export function* recover(o: RecoverOptions, cache: BlockCache): Plan<number | undefined> {
  const draft = new Draft()
  const blocks = new Blocks(cache)
  yield* draft.load({ ledgers: true, root: true })
  if (draft.root) draft.checkLanes(draft.root)
  // Its lock was stolen while it stood still, and it has not heard of that: the others are not dead, it is.
  if (o.entered && !heldBy(draft, o.me)) return draft.finish(undefined)
  const dead = deadHosts([...draft.ledgers.values()], o)
  const poisoned: Part[] = []
  let recovered = 0
  for (const ledger of draft.ledgers.values()) {
    for (const host of dead) {
      for (const part of partsOf(ledger, host)) {
        const crashes = part.crashes + (o.left.includes(host) ? 0 : 1)
        if (crashes > part.crashes && crashes >= o.maxCrashes) poisoned.push({ ...part, crashes })
        else giveBack(draft, ledger.queue, { ...part, crashes })
        recovered += part.to - part.from
      }
      if (hostEntry(ledger, host)) draft.changed(ledger)
      delete ledger.hosts[host]
    }
  }
  yield* blocks.need(poisoned)
  const pieces = poisoned.flatMap((part) => [...blocks.split(part)].map((piece) => ({ ...piece, part })))
  yield* draft.load({ batches: pieces.flatMap(({ block }) => block.batch ?? []) })
  const endings: Ending[] = []
  for (const { block, from, to, part } of pieces) {
    const value: ErrorRecord = {
      name: 'CrashedError',
      code: 'crashed',
      message: `Its host went down ${part.crashes} times while it ran.`,
    }
    for (let position = from; position < to; position++) {
      endings.push({ block, position, kind: FAILED, value, attempt: part.attempt })
    }
    countBatch(draft, block, 'failed', to - from, o.now)
  }
  writeOutcomes(draft, endings.sort(inOrder), o.now)
  return draft.finish(recovered)
}

const inOrder = (a: Ending, b: Ending) => a.block.lane - b.block.lane || a.position - b.position

/** A host is dead as a whole: in every queue, or in none. */
function deadHosts(ledgers: readonly Ledger[], o: RecoverOptions): HostId[] {
  const { me, dead, left, gone = [], now, latest = Number.POSITIVE_INFINITY } = o
  const isPast = (host: HostId) => {
    const end = Math.max(...ledgers.map((ledger) => hostEntry(ledger, host)?.until ?? 0))
    return end < now || end > latest
  }
  const isDead = (host: HostId) =>
    dead === 'others' || left.includes(host) || gone.includes(host) || (dead === 'expired' && isPast(host))
  const hosts = new Set(ledgers.flatMap((ledger) => Object.keys(ledger.hosts)))
  return [...hosts].filter((host) => host !== me && isDead(host))
}

/** Extends a lease in every queue. Resolves to what the host holds; undefined: it was voided. */
export function* renew(host: HostId, until: number): Plan<Float64Array | undefined> {
  const draft = new Draft()
  yield* draft.load({ ledgers: true })
  for (const ledger of draft.ledgers.values()) {
    const entry = hostEntry(ledger, host)
    if (!entry) continue
    entry.until = until
    draft.changed(ledger)
  }
  return draft.finish(heldBy(draft, host))
}
