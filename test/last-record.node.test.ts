import { afterEach, expect, it, vi } from 'vitest'
import { localChannel } from '../src/channel.js'
import { IndexedDBStorage } from '../src/indexeddb/storage.js'
import { LocalBackend } from '../src/local.js'
import { Bench } from './backend/bench.js'
import { write } from './support/damage.js'

// The last block of a lane is found in another way in Firefox: what is damaged must be noticed there too.

const agents = {
  Chromium: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36',
  Firefox: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
}

afterEach(() => {
  vi.unstubAllGlobals()
})

it.each(Object.entries(agents))(
  'a last block that is undefined: no id is given out twice (%s)',
  async (_, userAgent) => {
    vi.stubGlobal('navigator', { userAgent })
    const name = crypto.randomUUID()
    const open = () => {
      const storage = new IndexedDBStorage({ name })
      const backend = new LocalBackend({ storage, channel: localChannel() })
      return { storage, b: new Bench({ backend, storage, repeats: false, close: () => backend.close() }), backend }
    }
    const before = open()
    const ids = await before.b.add(512)
    await before.b.host('h').claim(300)
    await write(before.storage, { kind: 'put', store: 'blocks', key: [0, 256], record: undefined })
    await before.backend.close()
    const after = open()
    expect(await after.b.counts()).toEqual({ running: 300, failed: 212 })
    for (const id of await after.b.add(3)) expect(ids).not.toContain(id)
    await after.backend.close()
  },
)
