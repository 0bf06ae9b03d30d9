import { describe } from 'vitest'
import { appendTests } from './backend/append.js'
import type { Subject } from './backend/bench.js'

/** What any backend must do; `make` gives an empty one each time. */
export function backendConformance(name: string, make: () => Promise<Subject>): void {
  describe(`backend: ${name}`, () => {
    const kit = { make }
    appendTests(kit)
  })
}
