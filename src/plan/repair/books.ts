/** Makes the ledgers, the marks, the batches and the root agree with what was found in the lanes. */
import type { HostId } from '../../task.js'
import { encodeParts, hostEntry, type Part, sealed, setHost } from '../ledger.js'
import { failedRuns } from '../outcome.js'
import {
  type AsideCount,
  type AsideMark,
  LAYOUT,
  type LaneMark,
  type Ledger,
  type Outcome,
  type Root,
  type TableRecord,
} from '../records.js'
import { size } from '../stretches.js'
import { keyOf, store } from '../tables.js'
import type { Context, Mended } from './lane.js'
import { countIn, type Endings, mendBatches, type SortedParts } from './parts.js'
import { both, union } from './stretches.js'
import { originIn } from './survey.js'

export function mendLedgers({ survey, tally, writes, touched }: Context, lanes: readonly Mended[]): void {
  for (const queue of new Set([...survey.ledgers.keys(), ...lanes.map((of) => of.queue)])) {
    const stored = survey.ledgers.get(queue)
    const mine = lanes.filter((of) => of.queue === queue)
    const ledger = ledgerOf(queue, mine, stored, pauseOf(survey.brokenLedgers.get(queue) ?? survey.root))
    if (stored && same(stored, ledger)) continue
    // One that can't be read was counted already.
    const follows = stored && mine.some(({ lane }) => touched.has(lane))
    if (!survey.brokenLedgers.has(queue) && !follows) tally.note('ledger')
    writes.push(store('ledger', sealed(ledger)))
  }
}

function ledgerOf(
  queue: string,
  lanes: readonly Mended[],
  stored: Ledger | undefined,
  pausedUntil: number | undefined,
): Ledger {
  const ledger: Ledger = {
    queue,
    lanes: inOldOrder(lanes, stored).map(({ next }) => next),
    hosts: {},
    ended: { completed: 0, failed: 0, cancelled: 0 },
    pruned: 0,
    aside: {},
  }
  if (stored?.pausedUntil !== undefined) ledger.pausedUntil = stored.pausedUntil
  else if (!stored && pausedUntil !== undefined) ledger.pausedUntil = pausedUntil
  for (const { totals, places, log } of lanes) {
    ledger.ended.completed += totals[0]
    ledger.ended.failed += totals[1]
    ledger.ended.cancelled += totals[2]
    ledger.pruned += places.tail - size(union(log.runs, places.lost))
    for (const mark of places.asides) count(ledger.aside, mark)
  }
  for (const [key, counted] of Object.entries(ledger.aside)) {
    // It may be earlier than the earliest of them.
    const before = stored?.aside[key]?.nextAt ?? Number.POSITIVE_INFINITY
    counted.nextAt = Math.min(counted.nextAt, before)
  }
  const parts = partsByHost(lanes)
  for (const host of Object.keys(stored?.hosts ?? {})) {
    const entry = stored && hostEntry(stored, host)
    if (entry) setHost(ledger, host, { ...entry, parts: encodeParts(parts.get(host) ?? []) })
  }
  return ledger
}

function inOldOrder(lanes: readonly Mended[], stored: Ledger | undefined): Mended[] {
  const old = (stored?.lanes ?? []).map(({ lane }) => lane)
  const rank = ({ lane }: Mended) => (old.includes(lane) ? old.indexOf(lane) : old.length)
  return [...lanes].sort((a, b) => rank(a) - rank(b))
}

function count(aside: Record<string, AsideCount>, { gate, order, from, to }: AsideMark): void {
  const key = typeof gate === 'string' ? 'blocked' : String(gate)
  const counted = aside[key] ?? { ready: 0, waiting: 0, nextAt: Number.POSITIVE_INFINITY }
  aside[key] = counted
  if (typeof gate === 'number' && order === 0) counted.ready += to - from
  else counted.waiting += to - from
  if (typeof gate === 'number') counted.nextAt = Math.min(counted.nextAt, order)
}

function partsByHost(lanes: readonly Mended[]): Map<HostId, Part[]> {
  const parts = new Map<HostId, Part[]>()
  for (const { host, ...part } of lanes.flatMap(({ places }) => places.leases)) {
    const mine = parts.get(host) ?? []
    parts.set(host, mine)
    mine.push(part)
  }
  return parts
}

/** A paused queue stays paused, if that much can be read. */
function pauseOf(record: unknown): number | undefined {
  const until =
    typeof record === 'object' && record !== null && 'pausedUntil' in record ? record.pausedUntil : undefined
  return typeof until === 'number' && !Number.isNaN(until) ? until : undefined
}

/** Whether two ledgers say the same, in whatever order their parts are. */
function same(a: Ledger, b: Ledger): boolean {
  const plain = ({ hosts, check: _, ...rest }: Ledger) => JSON.stringify(sortedKeys(rest))
  if (plain(a) !== plain(b)) return false
  return Object.keys(a.hosts).every((host) => {
    const [left, right] = [hostEntry(a, host), hostEntry(b, host)]
    return left && right && flat(left.parts) === flat(right.parts)
  })
}

const flat = (parts: Float64Array): string =>
  Array.from({ length: parts.length / 6 }, (_, i) => parts.slice(6 * i, 6 * i + 6).join())
    .sort()
    .join(';')

function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys)
  if (typeof value !== 'object' || value === null) return typeof value === 'number' ? String(value) : value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => [key, sortedKeys(field)]),
  )
}

/** Brings the stored marks of a kind to those that must be there. */
function bring<T extends 'aside' | 'gate' | 'dead' | 'lane'>(
  { tally, writes, touched }: Pick<Context, 'tally' | 'writes' | 'touched'>,
  table: T,
  stored: readonly TableRecord<T>[],
  wanted: readonly TableRecord<T>[],
  equal: (a: TableRecord<T>, b: TableRecord<T>) => boolean,
): void {
  const name = (record: TableRecord<T>) => JSON.stringify(keyOf(table, record))
  const there = new Map(stored.map((record) => [name(record), record]))
  const changed: TableRecord<T>[] = []
  for (const record of wanted) {
    const key = name(record)
    const old = there.get(key)
    there.delete(key)
    if (old === undefined || !equal(old, record)) changed.push(record)
  }
  for (const record of there.values()) writes.push({ kind: 'delete', store: 'marks', key: keyOf(table, record) })
  for (const record of changed) writes.push(store(table, record))
  const [gone, made] = [[...there.values()], changed].map(
    (list) => list.filter((record) => !touched.has(record.lane) && !tally.succeeds(table, record)).length,
  )
  tally.note(table, Math.max(gone ?? 0, made ?? 0))
}

/** Of lanes, of what is aside and of what has failed. */
export function mendMarks(context: Context, lanes: readonly Mended[], failed: readonly Outcome[]): void {
  const { survey } = context
  const marks = lanes.flatMap((of) => of.marks)
  const equal = (a: AsideMark, b: AsideMark) =>
    a === b ||
    (a.queue === b.queue &&
      a.from === b.from &&
      a.gate === b.gate &&
      a.order === b.order &&
      a.attempt === b.attempt &&
      a.crashes === b.crashes)
  bring(context, 'aside', [...survey.asides.values()].flat(), marks, equal)
  bring(
    context,
    'gate',
    survey.gates,
    marks.filter(({ gate }) => gate !== null),
    equal,
  )
  const queues = new Map(lanes.map(({ lane, queue }) => [lane, queue]))
  const runs = [...failed, ...lanes.flatMap(({ outcomes }) => outcomes)].flatMap((outcome) => {
    const queue = queues.get(outcome.lane)
    return queue === undefined ? [] : failedRuns(outcome, queue)
  })
  bring(context, 'dead', survey.dead, runs, (a, b) => a.from === b.from)
}

export function mendParts(context: Context, o: SortedParts & { endings: Endings }, lanes: readonly Mended[]): void {
  const { survey, tally, now, writes } = context
  for (const part of o.untrue) writes.push({ kind: 'delete', store: 'marks', key: keyOf('part', part) })
  for (const part of o.made) writes.push(store('part', part))
  const failed: Endings = new Map()
  /** Batches of which tasks have failed just now. */
  const hit = new Set<string>()
  for (const of of lanes) {
    const stretches = of.outcomes.length === 0 ? [] : union(of.outcomes)
    for (const part of stretches.length === 0 ? [] : (o.parts.get(of.lane) ?? [])) {
      const [now, all] = [size(both(of.failed, [part])), size(both(stretches, [part]))]
      if (now > 0) countIn(failed, part, [0, now, 0])
      if (all > 0) countIn(o.endings, part, [0, all, 0])
      if (all > 0) hit.add(part.batch)
    }
  }
  const queues = new Map(lanes.map(({ lane, queue }) => [lane, queue]))
  const mended = mendBatches(survey, { ...o, failed, queueOf: (lane) => queues.get(lane) ?? 'default', now })
  for (const batch of mended) {
    writes.push(store('batch', batch))
    const follows = survey.batches.has(batch.id) && hit.has(batch.id)
    if (!survey.brokenBatches.has(batch.id) && !follows) tally.note('batch')
  }
}

/** With the origin that the marks of lanes remember, so that ids stay valid. */
export function mendRoot({ survey, tally, writes }: Context, lanes: readonly Mended[], fresh: Root): void {
  const stored = survey.root
  const nextLane = Math.max(-1, ...lanes.map(({ lane }) => lane)) + 1
  const { origins } = survey
  const broken = survey.brokenRoot?.record
  const [own] = originIn(stored ?? broken)
  const origin = own !== undefined && origins.includes(own) ? own : (mostCommon(origins) ?? own ?? fresh.origin)
  const root: Root = { layout: LAYOUT, origin, nextLane }
  const paused = stored?.pausedUntil ?? pauseOf(broken)
  if (paused !== undefined) root.pausedUntil = paused
  const right = stored && stored.origin === origin && stored.nextLane === nextLane && stored.layout === LAYOUT
  if (!right && (stored || survey.brokenRoot || survey.ledgers.size > 0 || lanes.length > 0)) {
    tally.note('root')
    writes.push(store('root', root))
  }
  const marks = lanes.map(({ lane, queue, priority, held }): LaneMark => ({ lane, queue, priority, held, origin }))
  const equal = (a: LaneMark, b: LaneMark) =>
    a.queue === b.queue && a.priority === b.priority && a.held === b.held && (a.origin ?? origin) === origin
  bring({ tally, writes, touched: new Set() }, 'lane', [...survey.laneMarks.values()], marks, equal)
}

function mostCommon(origins: readonly string[]): string | undefined {
  const counts = new Map<string, number>()
  for (const origin of origins) counts.set(origin, (counts.get(origin) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0]
}
