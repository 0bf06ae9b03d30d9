/**
 * How many tasks to claim, from how long they take. Enough in hand for 50–100 ms of work, so that an exchange of a few ms
 * leaves no slot idle; no more, because a claimed task is one that no other host runs and that a crash takes down.
 * Pure: the loop keeps the pace and asks.
 */

import { roughSize } from '../rough-size.js'

/** Work in hand beyond what runs, for each slot, in ms. Claimed again when half of it is used up. */
const WINDOW = 100
/** Time over which the rate is smoothed, in ms. */
const SMOOTH = 200
/** What would wait for longer than this, in ms, is given back … */
const LONGEST = 2_000
/** … and a silence of this long, in ms, counts as a rate. Shorter ones may be a pause of the page. */
export const SILENCE = 1_000
/** After so long without work, in ms, what comes may be something else. */
const IDLE = 1_000
/** In hand for each Web Worker, at most. */
const MOST = 1_024
/** Inputs that wait in hand take about so many bytes, at most: the same again is on its way to them. */
const MOST_BYTES = 16 * 1024 * 1024
/** Inputs of a claim that are weighed, at most. */
const WEIGHED = 16
/** Weight of the newest duration in the mean: the last ten or twenty count. */
const WEIGHT = 0.1
/** Durations come from a clock of whole ms: many are 0. */
const LEAST = 0.01
/** Longer ones, in ms, are all the same here; a clock that was put forward makes years of a moment. */
const MOST_MS = 10_000

export interface Pace {
  /** Smoothed duration of an attempt in ms; undefined until the first has ended. */
  mean: number | undefined
  /** Tasks in hand for each slot, the running one included. Fractional while it grows. */
  perSlot: number
  /** Attempts ended per ms while there was work; undefined until measured. */
  rate?: number
  /** What an input of the latest claim takes, in bytes; undefined until the first. */
  weight?: number
}

/** Nothing is known yet: one task for each slot. */
export const freshPace: Pace = { mean: undefined, perSlot: 1 }

export interface Pool {
  /** Attempts that run at one time. */
  slots: number
  /** Web Workers the slots belong to. */
  workers: number
}

/**
 * The pace after `count` more attempts, which took `ms` in all. It grows by as much as was finished, which doubles what is
 * in hand with each round, as TCP's slow start does; it falls at once.
 */
export function observe(pace: Pace, { count, ms }: { count: number; ms: number }, { slots, workers }: Pool): Pace {
  if (count === 0) return pace
  const average = Math.min(Math.max(0, ms) / count, MOST_MS)
  const mean = pace.mean === undefined ? average : pace.mean + (average - pace.mean) * (1 - (1 - WEIGHT) ** count)
  const enough = 1 + Math.floor(WINDOW / Math.max(mean, LEAST))
  const most = Math.max(1, (MOST * workers) / slots)
  return { ...pace, mean, perSlot: Math.min(enough, most, pace.perSlot + count / slots) }
}

/**
 * The pace after a stretch of `ms` in which there was work and `count` attempts ended. Slots promise more than there is
 * where they share a thread or outnumber the cores: the rate tells what really gets done. `dry`: the work ran out, so that
 * more would have been done had there been more; then the rate is what was measured at least, at once.
 */
export function measure(pace: Pace, { count, ms, dry = false }: { count: number; ms: number; dry?: boolean }): Pace {
  const now = count / ms
  const { rate = now } = pace
  if (dry && now > rate) return { ...pace, rate: now }
  return { ...pace, rate: rate + (now - rate) * (1 - Math.exp(-ms / SMOOTH)) }
}

/**
 * How many to claim now; 0 while enough is in hand.
 * @param held what is in hand: what runs and what waits for its turn
 * @param waiting what of it waits
 */
export function claimLimit({ perSlot, rate, weight }: Pace, slots: number, held: number, waiting: number): number {
  const wanted = Math.min((perSlot - 1) * slots, (rate ?? Number.POSITIVE_INFINITY) * WINDOW)
  const ahead = Math.floor(Math.min(wanted, MOST_BYTES / Math.max(weight ?? 0, 1)))
  return waiting > ahead / 2 ? 0 : Math.max(0, slots + ahead - held)
}

/** The pace after a claim of these inputs, from some of them: looked into one by one, as large ones have their weight in one field. */
export function weigh(pace: Pace, inputs: readonly unknown[]): Pace {
  if (inputs.length === 0) return pace
  const looked = Math.min(inputs.length, WEIGHED)
  let sum = 0
  for (let i = 0; i < looked; i++) sum += roughSize(inputs[Math.floor((i * inputs.length) / looked)])
  return { ...pace, weight: sum / looked }
}

/** The pace after a time without work: it starts small again, and grows to what it was if the work is the same. */
export function afterIdle(pace: Pace, ms: number): Pace {
  return ms < IDLE
    ? pace
    : { mean: pace.mean, perSlot: 1, ...(pace.weight === undefined ? {} : { weight: pace.weight }) }
}

/**
 * Whether too much was claimed: slow tasks came after fast ones, and what waits would wait for seconds, with whatever is
 * more urgent behind it. `silence`: ms since an attempt last ended, while there was work.
 */
export function isTooMuch({ rate }: Pace, slots: number, waiting: number, silence: number): boolean {
  if (waiting <= slots) return false
  const now = silence < SILENCE ? rate : Math.min(rate ?? Number.POSITIVE_INFINITY, 1 / silence)
  return now !== undefined && waiting / now > LONGEST
}
