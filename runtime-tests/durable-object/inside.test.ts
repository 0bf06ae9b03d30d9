import { describe, expect, it } from 'vitest'
import { localChannel } from '../../src/channel.js'
import { ObjectKVStorage } from '../../src/durable-object/storage.js'
import { LocalBackend } from '../../src/local.js'
import { backendConformance } from '../../test/backend.conformance.js'
import { histories } from '../../test/model/history.js'
import { history } from '../../test/model/steps.js'
import { World } from '../../test/model/world.js'
import { storageConformance } from '../../test/storage.conformance.js'
import { repeating } from '../../test/support/repeating.js'
import { here } from './here.js'

/** The object's own storage, empty. */
function empty() {
  if (!here.ctx?.storage.kv) throw new Error('These tests run in a Durable Object.')
  const { storage } = here.ctx
  const keys = [...here.ctx.storage.kv.list({ start: 'sitq:', end: 'sitq;' })].map(([key]) => key)
  for (const key of keys) here.ctx.storage.kv.delete(key)
  return storage
}

storageConformance('Durable Object', async () => new ObjectKVStorage(empty()))

for (const [name, driven] of [
  ['Durable Object', (storage: ObjectKVStorage) => storage],
  ['Durable Object that loses its answers', repeating],
] as const) {
  backendConformance(name, async () => {
    const storage = new ObjectKVStorage(empty())
    const backend = new LocalBackend({ storage: driven(storage), channel: localChannel() })
    return { backend, storage, repeats: driven === repeating, close: () => backend.close() }
  })
}

describe('model: Durable Object', () => {
  it('whatever several clients do, and whatever breaks, all that can be read is as the model says', async () => {
    let done = 0
    await histories(history(40), 12, async (steps, tell) => {
      const platform = empty()
      const world = new World({
        connect: () => new ObjectKVStorage(platform),
        raw: new ObjectKVStorage(platform),
        close: async () => {},
      })
      tell(world)
      for (const step of steps) await world.run(step)
      await world.end()
      done++
    })
    expect(done).toBeGreaterThanOrEqual(1)
  }, 60_000)
})
