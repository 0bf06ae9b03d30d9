import type { Claimed, Settlement } from '../../src/backend.js'
import type { SettleKind } from './steps.js'

/** No two inputs or outputs are the same; filters look at the flags. */
export interface Item {
  n: number
  keep: boolean
  last: boolean
}

const boom = { name: 'Error', message: 'boom', code: 'bang' }

/** What a host says of a task it holds. */
export function settlementsOf(task: Claimed, kind: SettleKind, now: number, next: () => Item): Settlement[] {
  const { lane, position, seq, attempt, crashes, name } = task
  const at = { lane, position, seq }
  const times = { startedAt: now - 5, finishedAt: now, attempt }
  const { n } = next()
  const value = name === 'b' && n % 2 ? n % 4 === 1 || 'truthy' : next()
  const done = { ...at, ...times, to: 'completed' as const, value }
  const follow = { queue: n % 3 ? 'default' : 'other', name: 'a', input: next(), priority: n % 2 }
  switch (kind) {
    case 'ok':
      return [done]
    case 'fail':
      return [{ ...at, ...times, to: 'failed', error: boom, ...(n % 2 ? { followUps: [follow] } : {}) }]
    case 'retry':
      return [{ ...at, to: 'aside', order: now + 40, attempt: attempt + 1, crashes, error: boom }]
    case 'back':
      return [{ ...at, to: 'aside', order: 0, attempt, crashes }]
    case 'crash':
      return [{ ...at, to: 'aside', order: 0, attempt, crashes: crashes + 1 }]
    case 'park':
      return [{ ...at, to: 'aside', order: 0, attempt, crashes, gate: 'online', why: 'offline' }]
    case 'keep':
      return []
    case 'follow':
      return [{ ...done, followUps: [follow, { ...follow, input: next(), queue: 'new' }] }]
    case 'follow later':
      return [{ ...done, followUps: [{ ...follow, runAt: now + 70 }] }]
    case 'follow into batch':
      return [{ ...done, followUps: [{ ...follow, batch: ['x', 'y', 'z', 'p'][n % 4] ?? 'x' }] }]
    case 'end batch':
      return [{ ...done, endBatches: [['x', 'y', 'p', 'none'][n % 4] ?? 'x'] }]
    case 'wrong seq':
      return [{ ...done, seq: seq + 1 }]
    case 'twice':
      return [done, { ...done, value: 'again' }]
  }
}
