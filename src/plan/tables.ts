/** Where records lie, and how plans ask for them and write them. */
import { isList, type Key } from '../keys.js'
import type { Add, RawRead, ReadOf, Write } from '../storage.js'
import type { Interval, Lane, Position } from '../task.js'
import type { AsideMark, Store, Table, TableRecord } from './records.js'

const storeOf: Record<Table, Store> = {
  block: 'blocks',
  outcome: 'outcomes',
  ledger: 'ledger',
  root: 'ledger',
  aside: 'marks',
  gate: 'marks',
  batch: 'marks',
  part: 'marks',
  dead: 'marks',
  lane: 'marks',
}

/** Sorts after every number and string: the upper end of what shares a prefix. */
export const LAST: Key = []
/** The root's key; the queues' keys all sort after it, since a queue's name is not empty. */
export const ROOT = ''
const FIRST_QUEUE = '\u0000'

const full = (table: Table, key: Key): Key =>
  storeOf[table] === 'marks' ? [table, ...(isList(key) ? key : [key])] : key

const keys: { [T in Table]: (record: TableRecord<T>) => Key } = {
  block: ({ lane, from }) => [lane, from],
  outcome: ({ lane, to }) => [lane, to - 1],
  ledger: ({ queue }) => queue,
  root: () => ROOT,
  aside: ({ lane, to }) => [lane, to - 1],
  gate: ({ queue, gate, order, lane, to }) => [queue, gate ?? '', order, lane, to - 1],
  batch: ({ id }) => id,
  part: ({ batch, stage, start, lane, from }) => [batch, stage, start, lane, from],
  dead: ({ queue, at, lane, to }) => [queue, at, lane, to - 1],
  lane: ({ lane }) => lane,
}

/** The key of a record in its table, as reads and writes ask for it. */
export const keyWithin = <T extends Table>(table: T, record: TableRecord<T>): Key => keys[table](record)
/** … and as the storage knows it. */
export const keyOf = <T extends Table>(table: T, record: TableRecord<T>): Key => full(table, keyWithin(table, record))

/** Whether marks of this kind are known here. */
export const isMark = (kind: unknown): kind is Table => isTable(kind) && storeOf[kind] === 'marks'
export const isTable = (kind: unknown): kind is Table => typeof kind === 'string' && Object.hasOwn(storeOf, kind)

/** The record under a key. */
export function one<T extends Table>(table: T, key: Key): ReadOf<T> {
  return { table, store: storeOf[table], key: full(table, key), found: [] }
}

/** The records from one key to another, both included. */
export function range<T extends Table>(
  table: T,
  from: Key,
  to: Key,
  options: { limit?: number; reverse?: boolean } = {},
): ReadOf<T> {
  return { table, store: storeOf[table], key: full(table, from), to: full(table, to), ...options, found: [] }
}

/** Whatever lies between two keys, both included. */
export const rawRange = (store: Store, key: Key, to: Key, limit: number): RawRead => ({
  table: 'raw',
  store,
  key,
  to,
  limit,
  keys: [],
  found: [],
})

export const allLedgers = () => range('ledger', FIRST_QUEUE, LAST)
/** The first record that ends after a position: the one that covers it, if `from` is not beyond. */
export const ceiling = <T extends 'outcome' | 'aside'>(table: T, lane: Lane, p: Position) =>
  range(table, [lane, p], [lane, Number.POSITIVE_INFINITY], { limit: 1 })
/** The asides of a stretch: those that end in it, and the one that may end beyond it. */
export const asidesIn = ({ lane, from, to }: Interval) =>
  [range('aside', [lane, from], [lane, to - 1]), ceiling('aside', lane, to)] as const
/** The block that holds a position, if there is one. */
export const blockAt = (lane: Lane, p: Position) => range('block', [lane, 0], [lane, p], { limit: 1, reverse: true })
export const lastBlock = (lane: Lane) => blockAt(lane, Number.POSITIVE_INFINITY)

export const put = <T extends Table>(table: T, key: Key, record: TableRecord<T>): Write => ({
  kind: 'put',
  store: storeOf[table],
  key: full(table, key),
  record,
})
export const add = <T extends Table>(table: T, key: Key, record: TableRecord<T>): Add => ({
  kind: 'add',
  store: storeOf[table],
  key: full(table, key),
  record,
})
export const remove = (table: Table, key: Key, to?: Key): Write => ({
  kind: 'delete',
  store: storeOf[table],
  key: full(table, key),
  ...(to === undefined ? {} : { to: full(table, to) }),
})

/** Stores a record under its own key. */
export const store = <T extends Table>(table: T, record: TableRecord<T>): Write =>
  put(table, keyWithin(table, record), record)

/** Deletes it from there; with another one, all from the first to the last. */
export const erase = <T extends Table>(table: T, record: TableRecord<T>, last?: TableRecord<T>): Write =>
  remove(table, keyWithin(table, record), last && keyWithin(table, last))

/** Where the marks of a gate that come after this one begin. */
export const behind = (mark: AsideMark): Key => keyWithin('gate', { ...mark, to: mark.to + 1 })
