// The tests in a Worker, which reaches Durable Objects by their bindings.

import { systemClock } from 'sitq'
import { QueueObject } from 'sitq/durable-object'
import { ObjectKVStorage } from '../../src/durable-object/storage.js'
import { stores } from '../../src/plan/records.js'
import type { RawRead } from '../../src/storage.js'
import { NOW } from '../../test/backend/bench.js'
import { type Env, here, type Looking } from './here.js'
import { telling } from './telling.js'

/** Nothing runs in it, and its time is the one that the tests begin with. */
export class Plain extends QueueObject implements Looking {
  override settings = { clock: { ...systemClock, now: () => NOW } }

  look(reads: RawRead[]) {
    return new ObjectKVStorage(this.ctx.storage).run(
      function* () {
        yield reads
        return { writes: [], value: reads.map(({ keys, found }) => ({ keys, found })) }
      },
      { stores, write: false },
    )
  }
}

// biome-ignore lint/style/noDefaultExport: that is what a Worker is.
export default {
  fetch(_: Request, env: Env): Response {
    here.env = env
    return telling()
  },
}
