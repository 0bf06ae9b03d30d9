/**
 * Whether a record can be what its table says: types, lengths and ranges, never the inputs and values in it. Storage is
 * only as honest as the disk, the browser and whoever opens the developer tools.
 */
import { checksum } from './checksum.js'
import { CANCELLED, COMPLETED, FAILED, type Ledger, PART_SIZE, type Table, type TableRecord } from './records.js'

type Fields = Record<string, unknown>

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null
const isText = (value: unknown): value is string => typeof value === 'string'
/** Of a queue: the root's key is the one that no queue has. */
const isQueue = (value: unknown): value is string => isText(value) && value !== ''
const isNumber = (value: unknown): value is number => typeof value === 'number' && !Number.isNaN(value)
/** A position, a number of things, an index. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
const maybe = (check: (value: unknown) => boolean, value: unknown): boolean => value === undefined || check(value)

/** Vercel's edge VM clones into another realm: what it gives back is of this kind, and no instance of it. */
const isA = <T extends object>(value: unknown, kind: new (length: number) => T): value is T =>
  value instanceof kind || Object.prototype.toString.call(value) === `[object ${kind.name}]`

function isList(value: unknown, length: number, item?: (value: unknown) => boolean): boolean {
  if (!Array.isArray(value) || value.length !== length) return false
  if (item) for (let i = 0; i < length; i++) if (!item(value[i])) return false
  return true
}

const isInterval = ({ lane, from, to }: Fields): boolean =>
  isCount(lane) && isCount(from) && isCount(to) && Number(from) < Number(to)
const length = ({ from, to }: Fields): number => Number(to) - Number(from)
const isName = (value: unknown, size: number): boolean => isText(value) || isList(value, size, isText)

function isSettings(value: unknown): boolean {
  if (!isFields(value)) return false
  return maybe(isNumber, value.timeout) && maybe(isRetry, value.retry)
}
const isRetry = (value: unknown): boolean =>
  isFields(value) && Object.values(value).every((one) => maybe(isNumber, one))
const isOwn = (value: unknown): boolean => isFields(value) && Object.values(value).every(isSettings)

function isBlock(block: Fields): boolean {
  if (!isInterval(block)) return false
  const { at, nonce, inputs, name, batch, born, stage, indexes, start, settings, own, lost } = block
  const size = length(block)
  return (
    isNumber(at) &&
    isText(nonce) &&
    isList(inputs, lost === true ? 0 : size) &&
    isName(name, size) &&
    maybe(isText, batch) &&
    maybe(isNumber, born) &&
    maybe(isCount, stage) &&
    maybe(isCount, start) &&
    maybe((list) => isList(list, size, isCount), indexes) &&
    maybe(isSettings, settings) &&
    maybe(isOwn, own)
  )
}

const isKind = (value: unknown): boolean => value === COMPLETED || value === FAILED || value === CANCELLED

/** What is left of an outcome that is worth to be kept: how each position ended, and with what. */
function isOutcomeAtHeart(outcome: unknown): outcome is Fields {
  if (!isFields(outcome) || !isInterval(outcome)) return false
  const { kinds, values } = outcome
  const size = length(outcome)
  if (values === undefined ? kinds !== CANCELLED && kinds !== FAILED : !isList(values, size)) return false
  return isKind(kinds) || (isA(kinds, Uint8Array) && kinds.length === size && kinds.every(isKind))
}

function isOutcome(outcome: Fields): boolean {
  if (!isOutcomeAtHeart(outcome)) return false
  const { at, times, attempts, reason, name, enqueuedAt, enqueued, batch } = outcome
  const size = length(outcome)
  return (
    isNumber(at) &&
    maybe((list) => isA(list, Float32Array) && list.length === 2 * size, times) &&
    maybe((count) => isCount(count) || isList(count, size, isCount), attempts) &&
    maybe(isText, reason) &&
    maybe((value) => isName(value, size), name) &&
    maybe(isNumber, enqueuedAt) &&
    maybe((list) => isA(list, Float64Array) && list.length === size && list.every(isNumber), enqueued) &&
    maybe(isText, batch)
  )
}

function isLaneState(state: unknown): boolean {
  if (!isFields(state)) return false
  const { lane, priority, held, head, block, skips, sweep } = state
  const numbers = isCount(lane) && isCount(head) && isCount(block) && isCount(skips) && isNumber(sweep)
  return numbers && Number.isInteger(priority) && typeof held === 'boolean'
}

/** Lanes are named once, and new tasks of a priority go to one of them. */
function areLanes(lanes: unknown): boolean {
  if (!Array.isArray(lanes) || !lanes.every(isLaneState)) return false
  const names = new Set(lanes.map(({ lane }) => lane))
  const logs = lanes.filter(({ held }) => !held).map(({ priority }) => priority)
  return names.size === lanes.length && new Set(logs).size === logs.length
}

function isHost(entry: unknown): boolean {
  if (!isFields(entry) || !isCount(entry.seq) || !isNumber(entry.until)) return false
  const { parts } = entry
  if (!isA(parts, Float64Array) || parts.length % PART_SIZE !== 0) return false
  for (let i = 0; i < parts.length; i++) if (!isCount(parts[i])) return false
  for (let i = 2; i < parts.length; i += PART_SIZE) if (Number(parts[i]) >= Number(parts[i + 1])) return false
  return true
}

const isAsideCount = (count: unknown): boolean =>
  isFields(count) && isCount(count.ready) && isCount(count.waiting) && isNumber(count.nextAt)

function isLedger(ledger: Fields): ledger is Fields & Ledger {
  const { queue, lanes, hosts, ended, pruned, aside, pausedUntil, check } = ledger
  return (
    isQueue(queue) &&
    areLanes(lanes) &&
    isFields(hosts) &&
    Object.values(hosts).every(isHost) &&
    isFields(ended) &&
    isCount(ended.completed) &&
    isCount(ended.failed) &&
    isCount(ended.cancelled) &&
    isCount(pruned) &&
    isFields(aside) &&
    Object.values(aside).every(isAsideCount) &&
    maybe(isNumber, pausedUntil) &&
    maybe(isCount, check)
  )
}

/** Ledgers without a checksum were written before there was one. */
const isChecked = (ledger: Ledger): boolean => ledger.check === undefined || ledger.check === checksum(ledger)

function isRoot({ layout, origin, nextLane, pausedUntil }: Fields): boolean {
  return isCount(layout) && isOrigin(origin) && isCount(nextLane) && maybe(isNumber, pausedUntil)
}
export const isOrigin = (origin: unknown): origin is string => isText(origin) && /^[0-9a-z]{8}$/.test(origin)

export const isTime = (value: unknown): value is number =>
  isNumber(value) && value >= 0 && value < Number.POSITIVE_INFINITY

function isWaiting(mark: Fields): boolean {
  const { queue, order, attempt, crashes, why, error } = mark
  const known = isInterval(mark) && isQueue(queue) && isTime(order) && isCount(attempt) && isCount(crashes)
  return known && maybe(isText, why) && maybe(isFields, error)
}
const isAside = (mark: Fields): boolean => isWaiting(mark) && (mark.gate === null || isGateName(mark.gate))
const isGate = (mark: Fields): boolean => isWaiting(mark) && isGateName(mark.gate)
const isGateName = (gate: unknown): boolean => (isText(gate) && gate !== '') || Number.isInteger(gate)

const isPace = (pace: unknown): boolean =>
  isFields(pace) && isNumber(pace.value) && isNumber(pace.at) && isNumber(pace.since)

export function isStage(stage: unknown): boolean {
  if (!isFields(stage)) return false
  const { kind, name, field, completed, failed, dropped, cancelled } = stage
  const does = kind === 'map' ? isText(name) : kind === 'filter' && (isText(name) || isText(field))
  return does && [completed, failed, dropped, cancelled].every(isCount)
}
const isStages = (stages: unknown): boolean => Array.isArray(stages) && stages.every(isStage)

function isBatch(batch: Fields): boolean {
  const { id, queue, total, joined, completed, failed, cancelled, dropped, open } = batch
  const { stopped, createdAt, endedAt, pace, stages } = batch
  return (
    isText(id) &&
    isQueue(queue) &&
    [total, completed, failed, cancelled, dropped].every(isCount) &&
    maybe(isCount, joined) &&
    typeof open === 'boolean' &&
    maybe((value) => value === true, stopped) &&
    isNumber(createdAt) &&
    maybe(isNumber, endedAt) &&
    maybe(isPace, pace) &&
    maybe(isStages, stages)
  )
}

function isPart(part: Fields): boolean {
  if (!isInterval(part) || !isText(part.batch) || !isCount(part.stage) || !isCount(part.start)) return false
  return maybe((list) => isList(list, length(part), isCount), part.indexes) && maybe(isStages, part.stages)
}

const isDead = (mark: Fields): boolean => isInterval(mark) && isQueue(mark.queue) && isNumber(mark.at)

const isLane = ({ lane, queue, priority, held, origin }: Fields): boolean =>
  isCount(lane) && isQueue(queue) && Number.isInteger(priority) && typeof held === 'boolean' && maybe(isOrigin, origin)

const shapes: { [T in Table]: (record: Fields) => boolean } = {
  block: isBlock,
  outcome: isOutcome,
  ledger: (ledger) => isLedger(ledger) && isChecked(ledger),
  root: isRoot,
  aside: isAside,
  gate: isGate,
  batch: isBatch,
  part: isPart,
  dead: isDead,
  lane: isLane,
}

export function fits<T extends Table>(table: T, record: unknown): record is TableRecord<T> {
  return isFields(record) && shapes[table](record)
}
