import type { HostId, Interval } from './task.js'

/**
 * What parties tell each other. Hints only: each says "look again", none is needed. Losing every one costs latency,
 * never correctness.
 */
export type Hint =
  /** Tasks were stored; `by` the backend of this id, whose own host has been told before: see Appends. */
  | { type: 'added'; queues: string[]; by?: string }
  /** Tasks ended: flat triples lane, from, to; and the batches whose counts moved. */
  | { type: 'ended'; intervals: number[]; batches: string[] }
  /**
   * Something else changed: running tasks were cancelled, a queue was paused, resumed, or a gate opened. `'missed'`: hints
   * may have been lost while this page was away or stood still, or left unsaid because nobody knew of it.
   */
  | { type: 'changed'; change: string }
  /** A standby asks whether the host is alive. */
  | { type: 'ping'; from: HostId }
  /** The host answers, and tells the names of handlers it had to park. */
  | { type: 'pong'; from: HostId; to: HostId; parked: string[] }
  /** A standby that serves names the host has parked asks for the role. */
  | { type: 'wanted'; from: HostId; names: string[] }
  /** A host began or ended its role. */
  | { type: 'role'; from: HostId; role: 'host' | 'standby' | 'stopped' }
  /**
   * A host's page is left: what it held charges nothing. Said beside `Departures`, because Firefox (153) sometimes loses what a
   * page writes to localStorage as it is closed, when its process ends with it; messages arrive. Whoever hears it notes it.
   */
  | { type: 'left'; host: HostId }
  | StorageNotice

/**
 * Something happened to the storage. `message` says what, and what to do. All tabs hear of `'deleted'`, `'damaged'` and
 * `'quota'`, the others of `'upgrade-blocked'`, and only the tab it befalls of everything else.
 */
export interface StorageNotice {
  type: 'storage'
  event: /** The connection broke, or another tab deletes the database. It is opened again. */
    | 'lost'
    /** The connection is back, of this database or of a new one. */
    | 'reopened'
    /** The browser has deleted the database by itself: all tasks are gone, and a new one is open. */
    | 'deleted'
    /** The database can't be had any more: from now on tasks are in memory, as the app chose. */
    | 'memory'
    /** The space that the browser grants is used up. Told every 10 s at most. */
    | 'quota'
    /** A tab with a newer version of the app took over the database: nothing works here until this tab is reloaded. */
    | 'closed-by-upgrade'
    /** Another tab waits for this one to be reloaded, to upgrade or delete the database. */
    | 'upgrade-blocked'
    /** This is the tab that waits: other tabs must be closed or reloaded. */
    | 'blocked'
    /** Stored records were damaged; what was found, and what came of it. */
    | 'damaged'
  message: string
}

/** The intervals that an `ended` hint tells of. */
export function* intervalsIn(flat: readonly number[]): Generator<Interval, void, undefined> {
  for (let i = 0; i + 2 < flat.length; i += 3) {
    const [lane = 0, from = 0, to = 0] = flat.slice(i, i + 3)
    yield { lane, from, to }
  }
}

/** Carries hints to everyone who shares the database, the sender's own process included. */
export interface Channel {
  post(hint: Hint): void
  /** Returns the way to stop listening. A listener that throws does not keep the others from hearing. */
  listen(hear: (hint: Hint) => void): () => void
  close(): void
}

/** Within one process. Hints arrive in a later microtask, as they would from another tab. */
export function localChannel(): Channel {
  const listeners = new Set<(hint: Hint) => void>()
  return {
    post(hint) {
      for (const hear of [...listeners]) queueMicrotask(() => listeners.has(hear) && hear(hint))
    },
    listen(hear) {
      listeners.add(hear)
      return () => listeners.delete(hear)
    },
    close: () => listeners.clear(),
  }
}
