import type { Backend, Exchanged, Settlement } from '../backend.js'
import { endedIntervals } from './settle.js'

/** Tells everyone what an exchange has changed for them. */
export function tellExchange(
  { channel, locks }: Pick<Backend, 'channel' | 'locks'>,
  settle: readonly Settlement[],
  { dropped, batches }: Exchanged,
): void {
  if (settle.length === 0) return
  const intervals = endedIntervals(settle, dropped)
  if (intervals.length > 0 || batches.length > 0) channel.post({ type: 'ended', intervals, batches })
  if (locks) return
  // There may be other hosts to run what this one has just stored or given back.
  const queues = settle.flatMap(({ followUps }) => followUps?.map(({ queue }) => queue) ?? [])
  if (queues.length > 0) channel.post({ type: 'added', queues: [...new Set(queues)] })
}
