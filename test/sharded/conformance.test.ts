import { beforeEach, describe } from 'vitest'
import { localChannel } from '../../src/channel.js'
import { LocalBackend } from '../../src/local.js'
import { MemoryStorage } from '../../src/memory/storage.js'
import { ShardedBackend } from '../../src/sharded/backend.js'
import { backendConformance } from '../backend.conformance.js'
import { audit } from '../support/audit.js'
import { differs } from './differs.js'

function conformance(count: number): void {
  backendConformance(`${count} shards in memory`, async () => {
    const storages = Array.from({ length: count }, () => new MemoryStorage())
    const shards = storages.map((storage) => new LocalBackend({ storage, channel: localChannel() }))
    const backend = new ShardedBackend({ shards })
    const [storage = new MemoryStorage()] = storages
    const close = async () => {
      for (const each of storages) await audit(each)
      await backend.close()
    }
    return { backend, storage, repeats: false, close }
  })
}

conformance(1)

describe('several', () => {
  beforeEach(({ task, skip }) => {
    const why = differs[task.name]
    if (why) skip(why)
  })
  conformance(3)
})
