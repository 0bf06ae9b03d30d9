import type { HostId } from './task.js'

/**
 * What parties tell each other. Hints only: each says "look again", none is needed. Losing every one costs latency,
 * never correctness.
 */
export type Hint =
  /** Tasks were stored. */
  | { type: 'added'; queues: string[] }
  /** Tasks ended: flat triples lane, from, to; and the batches whose counts moved. */
  | { type: 'ended'; intervals: number[]; batches: string[] }
  /** Something else changed: running tasks were cancelled, a queue was paused, resumed, or a gate opened. */
  | { type: 'changed'; change: string }
  /** A standby asks whether the host is alive. */
  | { type: 'ping'; from: HostId }
  /** The host answers, and tells the names of handlers it had to park. */
  | { type: 'pong'; from: HostId; to: HostId; parked: string[] }
  /** A standby that serves names the host has parked asks for the role. */
  | { type: 'wanted'; from: HostId; names: string[] }
  /** A host began or ended its role. */
  | { type: 'role'; from: HostId; role: 'host' | 'standby' | 'stopped' }
  /** The storage was reopened, lost, or is out of space; or records in it were damaged, and what came of it. */
  | {
      type: 'storage'
      event: 'reopened' | 'lost' | 'quota' | 'upgrade-blocked' | 'closed-by-upgrade' | 'damaged'
      message: string
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
