import type { Channel, StorageNotice } from './channel.js'
import type { PartMark, Stage, Table } from './plan/records.js'
import type {
  Counts,
  ErrorRecord,
  HostId,
  Interval,
  Lane,
  Position,
  Result,
  TaskId,
  TaskSettings,
  TaskState,
  TaskView,
} from './task.js'

/** A task to be stored. Its input can be cloned: the caller has made sure. */
export interface NewTask {
  queue: string
  name: string
  input: unknown
  /** −100 … 100, lower first. */
  priority: number
  /** ms since the epoch; absent or not after now: at once. */
  runAt?: number
  settings?: TaskSettings
}

/** Tasks that differ in nothing but their inputs. */
export interface AlikeTasks extends Omit<NewTask, 'input'> {
  inputs: readonly unknown[]
  /** About how many bytes each of them takes when stored; see roughSize. */
  sizes: readonly number[]
}

/** The batch a chunk of tasks belongs to, created with its first chunk. */
export interface BatchChunk {
  id: string
  /** Of the batch; the tasks name their own. */
  queue: string
  /** Index in the whole input of the chunk's first task. Inputs that were imported before are ignored. */
  offset: number
  /** More inputs will come. */
  open: boolean
  /** Of a pipeline: its stages, counts at zero. The chunk's tasks are the input of the first. */
  stages?: Stage[]
}

export interface AddOptions {
  now: number
  batch?: BatchChunk
  durability?: 'relaxed' | 'strict'
  /** Names this append among those of the last minute, for when it is asked for again. Default: a new one. */
  nonce?: string
  /** It was asked for before, by this nonce, and not answered: if it is stored, that is the answer. */
  again?: boolean
}

/** A task the host has ended or gives back. It counts only if the host holds it under that `seq`. */
export type Settlement = {
  lane: Lane
  position: Position
  /** Of the exchange that claimed it. */
  seq: number
  /** Tasks to be stored in the same transaction; `batch` adds a task to that batch. */
  followUps?: FollowUp[]
  /** Batches whose input ends with this. */
  endBatches?: string[]
} & (
  | { to: 'completed'; value: unknown; startedAt: number; finishedAt: number; attempt: number }
  | { to: 'failed'; error: ErrorRecord; startedAt: number; finishedAt: number; attempt: number }
  /** Back to waiting: a retry, a release, or blocked behind a gate. Attempt is the one that comes next. */
  | { to: 'aside'; order: number; attempt: number; crashes: number; gate?: string; why?: string; error?: ErrorRecord }
)

/** What `ctx.enqueue` asked for. */
export interface FollowUp extends NewTask {
  batch?: string
}

export interface Exchange {
  host: HostId
  /** 1, 2, 3 … of this host. An exchange whose seq was seen is answered again and changes nothing. */
  seq: number
  now: number
  /** End of the lease, ms since the epoch. */
  until: number
  settle: Settlement[]
  claim?: {
    limit: number
    /** Handlers this host has. Tasks with other names met on the way are parked. Absent: all. */
    names?: readonly string[]
    /** Order in which queues are looked at; those not named come last. */
    queues?: readonly string[]
  }
  /** The host gives up its role: what it still holds returns uncharged, and its entry is removed. */
  leave?: boolean
}

export interface Claimed {
  id: TaskId
  lane: Lane
  position: Position
  seq: number
  queue: string
  name: string
  /** Shared with the backend's cache: to be cloned before anyone may change it. */
  input: unknown
  attempt: number
  crashes: number
  enqueuedAt: number
  priority: number
  settings: TaskSettings
}

export interface Exchanged {
  /** True: this host holds nothing here any more (it was voided). It must drop all it runs and leave the role. */
  fenced: boolean
  claimed: Claimed[]
  /** Everything the host holds now, flat parts (PART_SIZE numbers: seq, lane, from, to, attempt, crashes). What it runs beyond this is lost. */
  held: Float64Array
  /** Settlements that counted for nothing: the task was cancelled or taken. */
  dropped: { lane: Lane; position: Position }[]
  /** Names for which tasks were parked in this exchange. */
  parked: string[]
  /** Batches whose counts moved. */
  batches: string[]
  /** More can be claimed now. */
  more: boolean
  /** When the next scheduled task is due. */
  wakeAt?: number
  /** Queues that a claim passed over because they are paused … */
  paused?: string[]
  /** … which all are: nothing can be claimed before something is changed. */
  allPaused?: boolean
}

/** What someone who is not the host asks to be changed. */
export type Change =
  | { type: 'cancel'; ids: TaskId[]; reason?: string; now: number }
  /** Cancels a batch's tasks and ends its input. */
  | { type: 'cancel-batch'; batch: string; reason?: string; now: number }
  /** Cancels everything that waits or runs. No queue: in all of them. */
  | { type: 'clear'; queue?: string; reason?: string; now: number }
  /** Failed and cancelled tasks, and those whose input did not fit their handler, become available again. */
  | { type: 'retry'; ids: TaskId[]; now: number }
  /** No queue: all that exist. */
  | { type: 'pause'; queue?: string; until: number }
  | { type: 'resume'; queue?: string }
  | { type: 'end-batch'; batch: string; now: number }
  /**
   * What is held behind these gates goes back to its priority. `but`: not what was set aside with this `order`. `limit`: so
   * many tasks at most, and as many as 512 stretches of neighbours that wait for the same; asking again goes on. Fewer than
   * both were all.
   */
  | { type: 'open-gate'; gate: string | readonly string[]; but?: number; limit?: number; now: number }

export interface BatchView {
  id: string
  queue: string
  total: number
  /** Of the total, those that came by `add`: where an interrupted import goes on. The others were added by tasks. */
  imported: number
  done: number
  completed: number
  failed: number
  cancelled: number
  /** Of a pipeline: items that a filter left out; they count as done. */
  dropped: number
  open: boolean
  createdAt: number
  endedAt?: number
  /** Smoothed, per second, at the time of the last settlement, with that time. */
  pace?: { value: number; at: number; since: number }
  stages?: Stage[]
}

/** A gate that holds tasks of a queue back: `handler:NAME`, `input:NAME`. */
export interface GateView {
  queue: string
  gate: string
}

/** What can be read in pages. */
export interface Reads {
  /** Tasks in a state; ended ones newest first, waiting ones in the order they would run. */
  tasks: { query: { state: TaskState; queue?: string; limit: number }; item: TaskView }
  /** Gates with tasks held behind them, each once for each queue. */
  gates: { query: { limit: number }; item: GateView }
  /** Newest first. */
  batches: { query: { limit: number }; item: BatchView }
  /** A batch's stretches of one stage (0 if it is no pipeline), in input order; those that start before `start` may be left out. */
  parts: { query: { batch: string; stage: number; start?: number; limit: number }; item: PartMark }
  /** Results of those tasks of an interval that have ended, in order of position. `limit` counts records of up to 256. */
  ended: { query: Interval & { limit: number }; item: Result }
}
/** A position in a listing: a storage key, so that any page costs the same. */
export type Cursor = string
export interface Page<Item> {
  items: Item[]
  /** Absent: this was the last page. */
  next?: Cursor
}

/** How long ended tasks are kept. Those of a batch are kept until it has ended and `age` more. */
export interface Retention {
  /** In ms. Default 7 days. */
  age?: number
  /** Ended tasks outside of batches, at most. Default 100,000. */
  count?: number
  now: number
}

/** Web Locks, or what stands for them. */
export interface Locks {
  /**
   * Calls `held` once the lock is this caller's and keeps it until that promise ends. `lost` aborts if it was stolen.
   * Resolves to false if the signal aborted first, if `ifAvailable` and it was not, or if it was stolen before the caller could be told.
   */
  hold(
    options: { signal?: AbortSignal; ifAvailable?: boolean; steal?: boolean },
    held: (lost: AbortSignal) => Promise<void>,
  ): Promise<boolean>
}

/** What a host hears of tasks that are being stored from its own page. It must not throw. */
export interface AppendListener {
  /** They are about to be: an exchange that is asked for before this returns goes with them, and finds them, in one transaction. */
  offered(): void
  /** They are being: what is asked for from now on comes after that. Not of those that an exchange of this host has gone with. */
  begun(): void
}

/** Says that tasks are being stored, to the host in the same page, which need not wait until they are. */
export interface Appends {
  /** What the hints about them bear. */
  readonly id: string
  /** Returns the way to stop listening. */
  listen(listener: AppendListener): () => void
}

/**
 * Where hosts say that they go without giving back what they hold: their pages are left or reloaded, and what a page begins
 * to store then may never be stored. What they held was interrupted and counts no crash.
 */
export interface Departures {
  /** This host is gone. Synchronous: there is no later. */
  leave(host: HostId): void
  /**
   * Resolves once `left` knows of those that said so before their lock became free: a lock may be faster than words. Soon, whatever
   * happens. Left out: it knows at once.
   */
  heard?(): Promise<void>
  /** Those that have left and were not forgotten yet. */
  left(): HostId[]
  forget(hosts: readonly HostId[]): void
}

/** What a repair found and what came of it. All zero: nothing was wrong. */
export interface Repaired {
  /** Records that were missing, unreadable or contradicted others, by kind. */
  damaged: Partial<Record<Table, number>>
  /** Tasks whose input or result is lost: they have failed, with the code `'damaged'`. */
  failed: number
  /** Tasks that were nowhere: they are available again. */
  returned: number
}

/**
 * Where tasks live. TaskQueue and TaskWorker speak only this. Every method is one transaction: it happens whole or not
 * at all, and a resolved promise means committed. Everything that can fail for reasons of the platform rejects with
 * StorageError. Time comes in with the calls.
 */
export interface Backend {
  /** Opened by the first operation too. */
  open(): Promise<void>
  /** Stores tasks, in order. Resolves with their ids, in order; undefined for those ignored because the batch had them. */
  add(tasks: readonly NewTask[], options: AddOptions): Promise<(TaskId | undefined)[]>
  /**
   * Stores tasks that are alike as the next ones of a batch. Resolves with how many of them, the first ones, were ignored because
   * the batch had them.
   */
  addAlike(tasks: AlikeTasks, options: AddOptions & { batch: BatchChunk }): Promise<number>
  /** Settles and claims in one transaction. The first exchange of a host, seq 1, makes its entry. */
  exchange(exchange: Exchange): Promise<Exchanged>
  /** Extends the lease. Answers what the host holds; undefined: it was voided. */
  renew(host: HostId, until: number): Promise<Float64Array | undefined>
  /** Resolves with the number of tasks changed. Unknown ids count nothing. */
  change(change: Change): Promise<number>
  /** In order; undefined for unknown and pruned ones. */
  get(ids: readonly TaskId[]): Promise<(TaskView | undefined)[]>
  /** Results alone, one read where `get` needs four; undefined for those that have not ended or are unknown. */
  results(ids: readonly TaskId[]): Promise<(Result | undefined)[]>
  batch(id: string): Promise<BatchView | undefined>
  read<K extends keyof Reads>(kind: K, query: Reads[K]['query'], cursor?: Cursor): Promise<Page<Reads[K]['item']>>
  /** No queue: of all. */
  counts(queue?: string): Promise<Counts>
  /**
   * Takes back what dead hosts hold. `'left'`: those in `left` are dead, whatever else; `'expired'`: those too whose lease
   * has run out, or ends after `latest`, because it is from before the clock was put back; `'others'`: all but `me`, for who
   * holds the lock; and always those in `gone`. Each task counts a crash, unless its host is in `left`; at `maxCrashes` it fails as `crashed`. `entered`: an
   * exchange of this host was answered, so that it has an entry; if it has none, it was voided and takes nothing back.
   * Resolves with the number of tasks taken back; undefined: it was voided.
   */
  recover(options: {
    me: HostId
    dead: 'others' | 'expired' | 'left'
    left: readonly HostId[]
    gone?: readonly HostId[]
    now: number
    /** ms since the epoch. Default: no lease ends too late to be true. */
    latest?: number
    entered?: boolean
    maxCrashes: number
  }): Promise<number | undefined>
  /** One slice. Resolves with true if there is more to do. */
  prune(retention: Retention): Promise<boolean>
  /**
   * Checks every record and mends what is damaged; what it finds when it is not asked it mends by itself. Absent: what is
   * behind it sees to that.
   */
  repair?(): Promise<Repaired>
  close(): Promise<void>
  /** Absent: there are none, and leases alone say who holds what. */
  readonly locks?: Locks
  /** Absent: a host that goes without a word counts as crashed. */
  readonly departures?: Departures
  /** Absent: a host hears of new tasks by hints alone. */
  readonly appends?: Appends
  /** Aborts with ClosedError when `close` is called: workers that wait for a role, or have it, end at once. Absent: they notice when they next use it. */
  readonly closed?: AbortSignal
  /** False: what is stored ends with this page or process. */
  readonly durable?: boolean
  /** What has befallen the storage since this backend was made, for those who subscribe later: events that are told once. */
  readonly notices?: readonly StorageNotice[]
  readonly channel: Channel
}
