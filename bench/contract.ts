/**
 * What a row of the bench is. A row sets one side, ours, beside others that do the same work with the same data and the same
 * durability; each side is measured on its own, round after round, in turns. Plain data but for the functions: the runner
 * in Node reads the same rows as the page that runs them.
 */

/** What one round of one side came to: numbers by metric, the metric's name ending with its unit. Lower is better but for `/s`. */
export type Sample = Record<string, number>

export interface Load {
  tasks: number
  /** Says something to whoever waits. */
  say(what: string): void
}

export interface Side {
  /** As the table shows it. */
  name: string
  /** Tasks at most, however many are asked for: for sides whose cost per task does not fall with their number. */
  most?: number
  /** Stores what all rounds need, once: the profile is kept and the browser started anew for each round. */
  prepare?(load: Load): Promise<void>
  /** One round, on a database of its own. Throws if an outcome is not what it should be; NotHereError where it can't run. */
  measure(load: Load): Promise<Sample>
}

/** What a row is to show, about one metric of our side. */
export interface Goal {
  metric: string
  /** `faster`: theirs / ours; `cost`: ours / theirs; `value`: ours alone. The first two are taken in each round. */
  as: 'faster' | 'cost' | 'value'
  /** Name of the other side. */
  against?: string
  atLeast?: number
  atMost?: number
  /** What the quick bench insists on: far worse than what is normal, so that only a collapse fails it. */
  collapse?: number
}

export interface Row {
  name: string
  title: string
  /** In the bench. */
  tasks: number
  /** On the bench page, where it may be a phone that runs it. */
  small: number
  /** In the quick bench; absent: not part of it. */
  quick?: number
  /** A row that only the runner can run, and why. */
  runner?: string
  ours: Side
  others: readonly Side[]
  goals: readonly Goal[]
}

/** This row or side can't be run here. The message says why. */
export class NotHereError extends Error {
  override readonly name = 'NotHereError'
}

/** Something was stored or answered that is not what it should be: whatever was measured counts for nothing. */
export class WrongOutcomeError extends Error {
  override readonly name = 'WrongOutcomeError'
}
