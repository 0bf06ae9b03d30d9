/** Settling: what a host says of the tasks it holds, applied where its lease still covers them. */
import type { Exchange, Settlement } from '../backend.js'
import type { HostId, Lane } from '../task.js'
import { setAllAside } from './aside.js'
import { batchOf, closeBatch, countBatch, endInput, joinBatch, newBatch } from './batch.js'
import type { Blocks } from './cache.js'
import { continueFlow, flowIndex } from './flow.js'
import type { Appended } from './layout.js'
import { type Draft, encodeParts, hostEntry, type Part, partsOf } from './ledger.js'
import { type Ending, writeOutcomes } from './outcome.js'
import { type AsideMark, type Block, COMPLETED, FAILED } from './records.js'
import { byPlace, covers, extend, holding, only, type Ref, type Stretch, without } from './stretches.js'

export interface Settled {
  dropped: Ref[]
  /** Tasks to be stored with it. */
  followUps: Appended[]
}

type Aside = Extract<Settlement, { to: 'aside' }>

/** The blocks of these positions, as far as they are at hand; that of neighbours once. */
export function* blocksOf(settle: readonly Settlement[], blocks: Blocks): Generator<Block> {
  let block: Block | undefined
  for (const one of settle) {
    if (block && covers(block, one)) continue
    block = blocks.at(one.lane, one.position)
    if (block) yield block
  }
}

/** Batches that settling these touches, as far as the blocks at hand tell. */
export function* batchesOf(settle: readonly Settlement[], blocks: Blocks): Generator<string> {
  for (const { batch } of blocksOf(settle, blocks)) if (batch !== undefined) yield batch
  for (const { followUps, endBatches } of settle) {
    for (const followUp of followUps ?? []) if (followUp.batch !== undefined) yield followUp.batch
    if (endBatches) yield* endBatches
  }
}

/** Applies settlements. Ledgers, the blocks of the settled positions and their batches are loaded. */
export function applySettlements(draft: Draft, blocks: Blocks, x: Exchange): Settled {
  const sorted = [...x.settle].sort(byPlace)
  const { held, dropped } = release(draft, x.host, sorted)
  const followUps: Appended[] = []
  const asides: Aside[] = []
  const endings: Ending[] = []
  let block: Block | undefined
  let counts = { completed: 0, failed: 0 }
  const count = () => {
    if (block && counts.completed > 0) countBatch(draft, block, 'completed', counts.completed, x.now)
    if (block && counts.failed > 0) countBatch(draft, block, 'failed', counts.failed, x.now)
    counts = { completed: 0, failed: 0 }
  }
  for (const one of held) {
    const { lane, position } = one
    if (one.to === 'aside') {
      asides.push(one)
      continue
    }
    if (!block || !covers(block, one)) {
      count()
      block = blocks.get(lane, position)
    }
    endings.push(endingOf(block, one))
    const batch = batchOf(draft, block)
    if (one.to === 'completed' && batch?.stages) {
      const item = { block, position, index: flowIndex(block, position), output: one.value }
      const next = continueFlow(draft, batch, item, x.now)
      if (next) followUps.push(next)
    } else counts[one.to]++
    if (one.followUps || one.endBatches) followUps.push(...consequences(draft, one, x.now))
  }
  count()
  writeOutcomes(draft, endings, x.now)
  moveAside(draft, asides)
  return { dropped, followUps }
}

function endingOf(block: Block, one: Exclude<Settlement, Aside>): Ending {
  const { position, startedAt, finishedAt, attempt } = one
  const ended = { block, position, startedAt, finishedAt, attempt }
  return one.to === 'completed'
    ? { ...ended, kind: COMPLETED, value: one.value }
    : { ...ended, kind: FAILED, value: one.error }
}

/** Follow-ups, and the ends of batches' inputs. */
function consequences(draft: Draft, one: Exclude<Settlement, Aside>, now: number): Appended[] {
  const next: Appended[] = []
  for (const { batch: joins, ...task } of one.followUps ?? []) {
    if (joins === undefined) next.push(task)
    else next.push(...join(draft, joins, task, now))
  }
  for (const id of one.endBatches ?? []) {
    const ends = draft.batches.get(id)
    if (!ends) continue
    endInput(draft, ends, now)
  }
  return next
}

/** A follow-up joins a batch; one that was cancelled takes no more. */
function join(draft: Draft, id: string, task: Appended, now: number): Appended[] {
  // One that does not exist gets what joins it, and ends with that: nobody else would ever end it.
  const batch = draft.batches.get(id) ?? { ...newBatch(id, task.queue, now), open: false }
  if (batch.stopped) return []
  const joined = { ...task, ...joinBatch(batch, 1) }
  batch.joined = (batch.joined ?? 0) + 1
  closeBatch(batch, now)
  draft.changedBatch(batch)
  return [joined]
}

function moveAside(draft: Draft, sorted: readonly Aside[]): void {
  const marks = sorted.map((one) => {
    const { order, attempt, crashes } = one
    const { ledger, state } = draft.place(one.lane)
    const gate = one.gate ?? state.priority
    const mark: AsideMark = { queue: ledger.queue, ...only(one), gate, order, attempt, crashes }
    if (one.why !== undefined) mark.why = one.why
    if (one.error !== undefined) mark.error = one.error
    return mark
  })
  setAllAside(draft, marks)
}

/** Cuts the settled positions out of the host's parts. What no part with the same seq covers counts for nothing. */
function release(draft: Draft, host: HostId, sorted: readonly Settlement[]) {
  const held: Settlement[] = []
  const dropped: Ref[] = []
  const parts = new Map<Lane, Part[]>()
  for (const ledger of draft.ledgers.values()) {
    for (const part of partsOf(ledger, host)) {
      const list = parts.get(part.lane) ?? []
      list.push(part)
      parts.set(part.lane, list)
    }
  }
  for (const list of parts.values()) list.sort((a, b) => a.from - b.from)
  const holes = new Map<Part, Stretch[]>()
  for (const one of sorted) {
    const { lane, position, seq } = one
    const part = holding(parts.get(lane) ?? [], position)
    const cut = (part && holes.get(part)) ?? []
    const twice = (cut.at(-1)?.to ?? -1) > position
    if (!part || part.seq !== seq || twice) {
      dropped.push({ lane, position })
      continue
    }
    extend(cut, { from: position, to: position + 1 })
    holes.set(part, cut)
    held.push(one)
  }
  for (const ledger of draft.ledgers.values()) {
    const entry = hostEntry(ledger, host)
    if (!entry) continue
    const left: Part[] = []
    let changed = false
    for (const { lane } of ledger.lanes) {
      for (const part of parts.get(lane) ?? []) {
        const cut = holes.get(part)
        if (cut) changed = true
        for (const rest of cut ? without(part, cut) : [part]) left.push({ ...part, ...rest })
      }
    }
    if (!changed) continue
    entry.parts = encodeParts(left)
    draft.changed(ledger)
  }
  return { held, dropped }
}
