/** Which shard something belongs to. */
import type { NewTask } from '../backend.js'

/** What decides where a task is stored: tasks with the same text are on the same shard. */
export type ShardKey = (task: NewTask) => string

export const byQueue: ShardKey = ({ queue }) => queue

/**
 * The shard of a key, the same everywhere and always. Each shard bids for it and the highest bid wins (rendezvous hashing): one
 * more shard takes from each other its part and moves nothing else.
 */
export function shardOf(key: string, count: number): number {
  const hash = hashOf(key)
  let [winner, highest] = [0, -1]
  for (let shard = 0; shard < count; shard++) {
    const bid = mixed(hash ^ Math.imul(shard + 1, 0x9e3779b1))
    if (bid > highest) [winner, highest] = [shard, bid]
  }
  return winner
}

/** FNV-1a over UTF-16 code units: http://www.isthe.com/chongo/tech/comp/fnv/ */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}

/** MurmurHash3's last step: every bit of the input moves every bit of what comes out. */
function mixed(hash: number): number {
  let bits = hash ^ (hash >>> 16)
  bits = Math.imul(bits, 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
