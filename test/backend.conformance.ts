import { describe } from 'vitest'
import { appendTests } from './backend/append.js'
import type { Subject } from './backend/bench.js'
import { exchangeTests } from './backend/exchange.js'
import { followUpTests } from './backend/follow-ups.js'
import { recoverTests } from './backend/recover.js'

/** What any backend must do; `make` gives an empty one each time. */
export function backendConformance(name: string, make: () => Promise<Subject>): void {
  describe(`backend: ${name}`, () => {
    const kit = { make }
    appendTests(kit)
    exchangeTests(kit)
    followUpTests(kit)
    recoverTests(kit)
  })
}
