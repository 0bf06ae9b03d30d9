import type { RowError } from './validate.js'

/** What a job on users comes to. */
export interface UsersSummary {
  total_users: number
  valid_users: number
  processed_users: number
  /** Valid of total, 0 to 1; 0 if there were none. */
  success_rate: number
  errors: RowError[]
}

export function usersSummary(
  counts: { total: number; valid: number; processed: number },
  errors: RowError[],
): UsersSummary {
  return {
    total_users: counts.total,
    valid_users: counts.valid,
    processed_users: counts.processed,
    success_rate: counts.total === 0 ? 0 : counts.valid / counts.total,
    errors,
  }
}
