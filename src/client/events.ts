import { type Hint, intervalsIn, type StorageNotice } from '../channel.js'
import { size } from '../plan/stretches.js'
import type { HostId } from '../task.js'

/**
 * What a queue tells its subscribers, from every tab that shares the database. Events are hints: one may be lost, so
 * look again now and then, and read what is so instead of adding up what was told.
 */
export type QueueEvent =
  /** Tasks were stored. */
  | { type: 'added'; queues: string[] }
  /** So many tasks ended, some of them of these batches. */
  | { type: 'ended'; count: number; batches: string[] }
  /**
   * Something else happened, for example `'cancel'`, `'retry'`, `'clear'`, `'pause'` or `'resume'`. `'missed'`: this page was
   * in the back/forward cache or frozen, or there is one that the others did not know of: events may have been lost.
   */
  | { type: 'changed'; change: string }
  /** A worker began or ended its role. */
  | { type: 'role'; host: HostId; role: 'host' | 'standby' | 'stopped' }
  /** Something happened to the storage that someone should know of. */
  | StorageNotice

/** The event a hint makes; undefined for what hosts have to say to each other. */
export function eventOf(hint: Hint): QueueEvent | undefined {
  switch (hint.type) {
    case 'ended':
      return { type: 'ended', count: size([...intervalsIn(hint.intervals)]), batches: [...hint.batches] }
    case 'role':
      return { type: 'role', host: hint.from, role: hint.role }
    case 'added':
      return { type: 'added', queues: [...hint.queues] }
    case 'changed':
    case 'storage':
      return { ...hint }
    default:
      return undefined
  }
}
