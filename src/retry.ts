import type { ErrorRecord, RetryPolicy } from './task.js'

export const defaultRetry: Required<RetryPolicy> = {
  attempts: 3,
  delay: 1_000,
  factor: 2,
  maxDelay: 3_600_000,
  jitter: 0.5,
}

export type RetryDecision = { again: false } | { again: true /** In ms. */; delay: number }

/**
 * Whether a failed attempt is followed by another, and after how long: `min(maxDelay, delay · factor^(attempt − 1))`,
 * times a random number between `jitter` and 1, so that tasks which failed together do not come back together.
 *
 * `attempt` is the one that failed, from 1. `random` gives numbers from 0 to 1.
 */
export function retryDecision(
  policy: RetryPolicy | undefined,
  attempt: number,
  error: Pick<ErrorRecord, 'retryable'>,
  random: () => number,
): RetryDecision {
  const { attempts, delay, factor, maxDelay, jitter } = mergeRetry(policy)
  if (error.retryable === false || attempt >= attempts) return { again: false }
  // 0 · Infinity is no number: a factor's power overflows long before the attempts run out.
  const full = delay === 0 ? 0 : Math.min(maxDelay, delay * factor ** (attempt - 1))
  return { again: true, delay: Math.round(full * (jitter + (1 - jitter) * random())) }
}

/** One policy out of several: what a later one says counts, field by field; the defaults fill in the rest. */
export function mergeRetry(...policies: readonly (RetryPolicy | undefined)[]): Required<RetryPolicy> {
  const merged = { ...defaultRetry }
  for (const policy of policies) {
    merged.attempts = policy?.attempts ?? merged.attempts
    merged.delay = policy?.delay ?? merged.delay
    merged.factor = policy?.factor ?? merged.factor
    merged.maxDelay = policy?.maxDelay ?? merged.maxDelay
    merged.jitter = policy?.jitter ?? merged.jitter
  }
  return merged
}
