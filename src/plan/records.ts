/** What is stored: the records of the four stores. The meaning of each is told once, here; their keys: tables.ts. */
import type { ErrorRecord, HostId, Interval, Lane, Position, TaskSettings } from '../task.js'

export const stores = ['blocks', 'outcomes', 'ledger', 'marks'] as const
export type Store = (typeof stores)[number]

/** Version of this layout. Raised when what claim or settle must do changes. */
export const LAYOUT = 1

/** A block closes at this many tasks … */
export const BLOCK_TASKS = 256
/** … or bytes, and an outcome record too. */
export const BLOCK_BYTES = 128 * 1024

/** Up to 256 neighbouring tasks, written once and never changed. Key `[lane, from]`. */
export interface Block extends Interval {
  /** When they were enqueued. */
  at: number
  /** Tells a repeated append of the same tasks from another's. */
  nonce: string
  inputs: unknown[]
  /** One name for all, or one for each. */
  name: string | string[]
  batch?: string
  /** When its batch was made: once that is pruned, another may bear its id. */
  born?: number
  /** Of a pipeline: which stage this is the input of, and the index of each item in the run's input … */
  stage?: number
  indexes?: number[]
  /** … or of the first, where they are start, start + 1, … */
  start?: number
  /** Settings of all, and of single tasks by their index in the block. */
  settings?: TaskSettings
  own?: Record<number, TaskSettings>
  /** Stands for blocks that were damaged: it has no inputs, is as long as it must be, and its tasks can't be claimed. */
  lost?: true
}

export const COMPLETED = 0
export const FAILED = 1
export const CANCELLED = 2

/**
 * How neighbouring tasks ended that were settled together: up to 256, of one batch or of none. Key `[lane, to - 1]`, so that a
 * ceiling lookup finds what covers a position.
 */
export interface Outcome extends Interval {
  /** When they were settled. */
  at: number
  /** COMPLETED, FAILED or CANCELLED, for all or one each. */
  kinds: number | Uint8Array
  /** Outputs and error records; absent if all were cancelled, or have failed because a record was damaged. */
  values?: unknown[]
  /** Start and end of each, in ms after `at` (negative). NaN: never started. */
  times?: Float32Array
  /** Attempts made; absent if all made one. */
  attempts?: number | number[]
  reason?: string
  /** Copied from the blocks, so that a result is one read. Absent in cancellations of long stretches. */
  name?: string | string[]
  enqueuedAt?: number
  /** Of each, where they come from blocks of several times; `enqueuedAt` is the first one's. */
  enqueued?: Float64Array
  batch?: string
}

/** A lane's part of the ledger. */
export interface LaneState {
  lane: Lane
  priority: number
  /** Its tasks are all aside from the start (delayed); its head is always its tail. */
  held: boolean
  /** The first position that was never claimed nor set aside by a claim. Moving it is the claim. */
  head: Position
  /** Where the block begins in which head lies. */
  block: Position
  /** Positions at or after head that have ended already (cancelled); each is covered by an aside without a gate. */
  skips: number
  /** Where pruning goes on; 0: at the beginning. Infinity: it is through, and other lanes are not. */
  sweep: Position
}

/** What a host holds. */
export interface HostEntry {
  /** Of its latest exchange. */
  seq: number
  /** End of its lease. */
  until: number
  /** Flat records of PART_SIZE numbers: seq, lane, from, to, attempt, crashes. */
  parts: Float64Array
}
export const PART_SIZE = 6

/** Positions aside at one priority, or for one reason. */
export interface AsideCount {
  /** With order 0: available. */
  ready: number
  /** With a time: scheduled. Behind a string gate: blocked. */
  waiting: number
  /** Not later than the earliest time among them; 0 if some are ready. */
  nextAt: number
}

/** The hot record: one for each queue. Key: the queue's name. */
export interface Ledger {
  queue: string
  lanes: LaneState[]
  hosts: Record<HostId, HostEntry>
  ended: { completed: number; failed: number; cancelled: number }
  pruned: number
  /** By priority, or `'blocked'` for all string gates together. */
  aside: Record<string, AsideCount>
  /** Claims nothing until then; Infinity: until resumed. */
  pausedUntil?: number
  /** See plan/checksum.ts: everything else depends on this record. */
  check?: number
}

/** About the database. Key `''` in the ledger store. */
export interface Root {
  layout: number
  /** First part of every id: random, new for each database. */
  origin: string
  nextLane: Lane
  /** Everything was paused: queues that are new begin so. */
  pausedUntil?: number
}

/** Positions that are not in line. Key `['aside', lane, to - 1]`; unless it is a skip, the same is under its gate's key. */
export interface AsideMark extends Interval {
  queue: string
  /** A priority: open when `order` (a time; 0: now) has come. A string: shut until opened, whatever the order. null: a skip. */
  gate: number | string | null
  /** A time, where the gate is a priority. Behind an input's gate: the mark of the host that put it there, see gates.ts. */
  order: number
  attempt: number
  crashes: number
  why?: string
  error?: ErrorRecord
}

/** Tasks enqueued together and followed together. Key `['batch', id]`. */
export interface BatchMark {
  id: string
  queue: string
  /** Inputs stored so far. */
  total: number
  /** How many of them were not imported but added by tasks. */
  joined?: number
  completed: number
  failed: number
  cancelled: number
  /** Of a pipeline: items that a filter left out. */
  dropped: number
  /** More inputs may come. */
  open: boolean
  /** Was cancelled: whatever is still added to it is left out. */
  stopped?: true
  createdAt: number
  /** Set in the transaction in which the last one ended. */
  endedAt?: number
  /** Smoothed pace: see plan/pace.ts. */
  pace?: { value: number; at: number; since: number }
  /** Of a pipeline: what each item goes through. */
  stages?: Stage[]
}

/** One step of a pipeline, as data, with its counts. */
export type Stage = (
  | { kind: 'map'; name: string }
  /** Keeps items whose field is true. No task of its own: it is judged when the stage before it ends. */
  | { kind: 'filter'; field: string }
  /** Keeps items for which the handler returns true. */
  | { kind: 'filter'; name: string }
) & { completed: number; failed: number; dropped: number; cancelled: number }

/** A stretch of a batch's tasks, in input order. Key `['part', batch, stage, start, lane, from]`. */
export interface PartMark extends Interval {
  batch: string
  stage: number
  /** Index in the input of the first one (the least one, if `indexes`). */
  start: number
  /** Index of each, where they are not start, start + 1, … */
  indexes?: number[]
  /** On a pipeline's first part: its stages as they were, counts at zero, should the batch's own mark be lost. */
  stages?: Stage[]
}

/** Failed positions, newest last. Key `['dead', queue, at, lane, to - 1]`. */
export interface DeadMark extends Interval {
  queue: string
  at: number
}

/** Names a lane, so that a lost ledger can be rebuilt. Key `['lane', lane]`. */
export interface LaneMark {
  lane: Lane
  queue: string
  priority: number
  held: boolean
  /** The root's, should that be lost: the ids that were given out must stay valid. */
  origin?: string
}

interface Tables {
  block: Block
  outcome: Outcome
  ledger: Ledger
  root: Root
  aside: AsideMark
  gate: AsideMark
  batch: BatchMark
  part: PartMark
  dead: DeadMark
  lane: LaneMark
}
/** A kind of record. The marks share a store; the kind is the first item of their keys. */
export type Table = keyof Tables
export type TableRecord<T extends Table> = Tables[T]

export const nameAt = (record: { name?: string | string[] }, index: number): string =>
  (typeof record.name === 'object' ? record.name[index] : record.name) ?? ''

export const settingsAt = (block: Block, i: number): TaskSettings => block.own?.[i] ?? block.settings ?? {}
