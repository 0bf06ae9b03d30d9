import { describe } from 'vitest'
import { appendTests } from './backend/append.js'
import { batchTests } from './backend/batches.js'
import type { Subject } from './backend/bench.js'
import { changeTests } from './backend/change.js'
import { exchangeTests } from './backend/exchange.js'
import { followUpTests } from './backend/follow-ups.js'
import { listTests } from './backend/list.js'
import { pipelineTests } from './backend/pipelines.js'
import { pruneTests } from './backend/prune.js'
import { readTests } from './backend/read.js'
import { recoverTests } from './backend/recover.js'

/** What any backend must do; `make` gives an empty one each time. */
export function backendConformance(name: string, make: () => Promise<Subject>): void {
  describe(`backend: ${name}`, () => {
    const kit = { make }
    appendTests(kit)
    batchTests(kit)
    exchangeTests(kit)
    followUpTests(kit)
    changeTests(kit)
    recoverTests(kit)
    pipelineTests(kit)
    pruneTests(kit)
    listTests(kit)
    readTests(kit)
  })
}
