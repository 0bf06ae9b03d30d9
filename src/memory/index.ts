import { localChannel } from '../channel.js'
import { checkKnown } from '../checks.js'
import type { Clock } from '../clock.js'
import { LocalBackend } from '../local.js'
import { memoryDepartures, memoryLocks } from './locks.js'
import { MemoryStorage } from './storage.js'

/** Tasks in memory: for tests, for runtimes without storage, for work that may be lost. Queues that share one instance share its tasks. */
export class MemoryBackend extends LocalBackend {
  /** Throws InvalidOptionError. */
  constructor(options: { clock?: Clock } = {}) {
    checkKnown('options', options, ['clock'])
    const [locks, departures] = [memoryLocks(), memoryDepartures()]
    super({ storage: new MemoryStorage(), channel: localChannel(), locks, departures, ...options })
  }
}
