import { kindAt } from '../../src/plan/outcome.js'
import { CANCELLED, COMPLETED, type Outcome } from '../../src/plan/records.js'

export * from '../../src/plan/records.js'
export * from '../../src/plan/tables.js'

export function kindsOf(outcome: Outcome, p: number): 'completed' | 'failed' | 'cancelled' {
  const kind = kindAt(outcome, p)
  return kind === COMPLETED ? 'completed' : kind === CANCELLED ? 'cancelled' : 'failed'
}
