/** The hot path: a host records what it finished and takes more, in one transaction and, mostly, one wave of reads. */
import type { Claimed, Exchange, Exchanged } from '../backend.js'
import type { Plan } from '../storage.js'
import type { HostId } from '../task.js'
import { prepareAppend, writeAppend } from './append.js'
import { giveBack } from './aside.js'
import { checkGone } from './batch.js'
import { type BlockCache, Blocks } from './cache.js'
import { claim, inOrder } from './claim.js'
import { describe } from './claimed.js'
import { group } from './layout.js'
import { Draft, heldBy, hostEntry, partsOf, type Step, setHost } from './ledger.js'
import { applySettlements, batchesOf, blocksOf } from './settle.js'
import { only, overlap } from './stretches.js'
import { LAST, range } from './tables.js'

export interface ExchangeContext {
  cache: BlockCache
  /** First part of the ids. */
  origin: string
  /** For the blocks of follow-ups. */
  nonce: string
}

/** What the backend answers, and the lanes that grew by follow-ups. */
export function* exchange(x: Exchange, { cache, origin, nonce }: ExchangeContext): Plan<Exchanged> {
  const draft = new Draft()
  const blocks = new Blocks(cache)
  yield* readFirst(draft, blocks, cache, x)
  const seen = seenSeq(draft, x.host)
  if (seen === undefined && x.seq > 1) return { writes: [], value: nothing(true) }
  if (seen !== undefined && seen >= x.seq) return yield* replay(draft, blocks, x, origin)
  yield* enter(draft, x)

  yield* blocks.need(x.settle.map(only))
  yield* draft.load({ batches: batchesOf(x.settle, blocks) })
  yield* checkGone(lostBatches(draft, blocks, x))
  const { dropped, followUps } = applySettlements(draft, blocks, x)
  if (followUps.length > 0) {
    const stretches = group(followUps, x.now)
    yield* prepareAppend(draft, stretches)
    writeAppend(draft, stretches, { now: x.now, nonce })
  }
  const taken = x.claim && (yield* claim(draft, blocks, cache, x, x.claim, origin))
  forgetSettled(draft, blocks, cache, x)
  stamp(draft, x)
  if (x.leave) leave(draft, x.host)
  return draft.finish({
    fenced: false,
    claimed: taken?.claimed ?? [],
    held: heldBy(draft, x.host) ?? new Float64Array(),
    dropped,
    parked: [...(taken?.parked ?? [])],
    batches: [...draft.changedBatches],
    more: taken?.more || followUps.length > 0,
    ...(taken && taken.wakeAt !== Number.POSITIVE_INFINITY ? { wakeAt: taken.wakeAt } : {}),
    ...(taken && taken.paused.length > 0
      ? { paused: taken.paused, allPaused: taken.paused.length === draft.ledgers.size }
      : {}),
  })
}

/** Of the tasks that end: a pipeline's would end with it, and nothing would follow. */
function lostBatches(draft: Draft, blocks: Blocks, { settle }: Exchange): string[] {
  const ids = [...blocksOf(settle, blocks)].flatMap(({ batch }) => batch ?? [])
  return [...new Set(ids)].filter((id) => !draft.batches.has(id))
}

/** The first wave: the ledgers, the batches that are known to change, and the blocks the claim will probably want. */
function* readFirst(draft: Draft, blocks: Blocks, cache: BlockCache, x: Exchange): Step<void> {
  const wanted = x.claim ? [...cache.next] : []
  const ahead = wanted.map(([lane, { block, limit }]) => range('block', [lane, block], [lane, LAST], { limit }))
  yield* draft.load({ ledgers: true, batches: batchesOf(x.settle, blocks) }, ahead)
  wanted.forEach(([lane, { block, limit }], i) => {
    const found = ahead[i]?.found ?? []
    blocks.add(found)
    cache.measure(lane, found)
    if (found.length < limit) blocks.ends(lane, block)
  })
}

/** The latest exchange of a host, or undefined if it has no entry anywhere: it is new here, or was voided. */
function seenSeq(draft: Draft, host: HostId): number | undefined {
  let seen: number | undefined
  for (const ledger of draft.ledgers.values()) {
    const entry = hostEntry(ledger, host)
    if (entry) seen = Math.max(seen ?? 0, entry.seq)
  }
  return seen
}

/**
 * A host's first exchange makes its entry in every queue, so that from then on having none means having been voided.
 * A database without queues gets its default one for that.
 */
function* enter(draft: Draft, x: Exchange): Step<void> {
  if (x.seq > 1) return
  if (draft.ledgers.size === 0) {
    yield* draft.load({ root: true })
    if (draft.root) draft.checkLanes(draft.root)
    draft.ledger('default')
  }
  for (const ledger of draft.ledgers.values()) {
    setHost(ledger, x.host, { seq: x.seq, until: x.until, parts: new Float64Array() })
    draft.changed(ledger)
  }
}

/** Blocks that this host is through with make room: what lives for long costs the garbage collector most. */
function forgetSettled(draft: Draft, blocks: Blocks, cache: BlockCache, { host, settle }: Exchange): void {
  const parts = [...draft.ledgers.values()].flatMap((ledger) => partsOf(ledger, host))
  for (const block of blocksOf(settle, blocks)) {
    const inLine = block.to > draft.place(block.lane).state.head
    const inHand = parts.some((part) => part.lane === block.lane && overlap(part, block))
    if (!inLine && !inHand) cache.forget(block)
  }
}

/** Every ledger that is written anyway learns of the exchange. */
function stamp(draft: Draft, x: Exchange): void {
  for (const ledger of draft.changedLedgers) {
    const { parts = new Float64Array() } = hostEntry(ledger, x.host) ?? {}
    setHost(ledger, x.host, { seq: x.seq, until: x.until, parts })
  }
}

/** Gives back what is left, uncharged, and removes the host. */
function leave(draft: Draft, host: HostId): void {
  for (const ledger of draft.ledgers.values()) {
    if (!hostEntry(ledger, host)) continue
    for (const part of partsOf(ledger, host)) giveBack(draft, ledger.queue, part)
    delete ledger.hosts[host]
    draft.changed(ledger)
  }
}

/**
 * The reply to an exchange that has happened already: what it claimed and still holds. Which settlements were dropped is
 * not known any more; the batches are those that may have moved. Writes nothing.
 */
function* replay(draft: Draft, blocks: Blocks, x: Exchange, origin: string): Plan<Exchanged> {
  const claimed: Claimed[] = []
  for (const ledger of inOrder(draft.ledgers.values(), x.claim?.queues)) {
    const parts = partsOf(ledger, x.host).filter(({ seq }) => seq === x.seq)
    yield* blocks.need(parts)
    for (const part of parts) {
      const { priority } = draft.place(part.lane).state
      for (const { block, from, to } of blocks.split(part)) {
        claimed.push(...describe(block, { ...part, from, to }, { queue: ledger.queue, priority, origin }))
      }
    }
  }
  yield* blocks.need(x.settle.map(only))
  const batches = [...new Set(batchesOf(x.settle, blocks))]
  return {
    writes: [],
    value: { ...nothing(false), claimed, batches, held: heldBy(draft, x.host) ?? new Float64Array(), more: true },
  }
}

/** The answer to an exchange that did nothing. */
export const nothing = (fenced: boolean): Exchanged => ({
  fenced,
  claimed: [],
  held: new Float64Array(),
  dropped: [],
  parked: [],
  batches: [],
  more: false,
})
