import type { Excuses, Held, History } from './histories.js'
import type { Death, Kind } from './kills.js'

/** By kind of kill: tasks that ran again because of it, and crashes that were charged. */
export type Came = Map<Kind, { again: number; charged: number }>

/** Claims and executions that no kill explains. */
export function* unfair(history: History, excuses: Excuses, came: Came): Generator<string> {
  for (const [i, held] of history.entries()) {
    const before = history[i - 1]
    if (before) yield* again(before, held, excuses, came)
    else if (held.attempt !== 1) yield `was claimed as attempt ${held.attempt} before any other`
    const charged = held.crashes - (before?.crashes ?? 0)
    // A host may die between its claim and its report of that, so that the charge is all that is known of it.
    const charging = excuses.charging(before?.life, before?.at ?? 0, held.at)
    if (charged < 0 || charged > charging.length)
      yield `was charged ${charged} crashes, with ${charging.length} that could be`
    else if (charged > 0) {
      // What a host recorded itself was its Web Worker's end.
      const ofWorker = before?.to === 'aside'
      const death = charging.find(({ worker }) => (worker !== undefined) === ofWorker) ?? charging[0]
      if (death) count(came, death, 'charged', charged)
    }
    for (const [j, run] of held.runs.entries()) {
      if (run.attempt !== held.attempt) yield `attempt ${run.attempt} ran under a claim of attempt ${held.attempt}`
      if (isRecorded(held) && run.order > (held.toldAt ?? 0) && run.at > (held.recordedAt ?? 0))
        yield `ran in ${run.life} after it was recorded there`
      const previous = held.runs[j - 1]
      if (!previous) continue
      const death = excuses.endedWorker(previous, previous.at, run.heardAt)
      if (death) count(came, death, 'again')
      else yield `ran twice under one claim, and Web Worker ${previous.worker} lived`
    }
  }
}

export const isRecorded = ({ to }: Held) => to === 'completed' || to === 'failed'

function* again(before: Held, held: Held, excuses: Excuses, came: Came): Generator<string> {
  if (isRecorded(before)) yield `was claimed again after it was recorded as ${before.to}`
  const tried = held.attempt - before.attempt
  if (tried !== 0 && !(tried === 1 && (held.name === 'flaky' || held.name === 'spin')))
    yield `was charged ${tried} attempts`
  const ran = before.runs.at(-1)
  if (before.to === undefined) {
    const death = excuses.endedHost(before.life, before.at, held.at)
    if (!death) yield `was taken from ${before.life}, which lived`
    else if (ran && held.runs.length > 0) count(came, death, 'again')
  } else if (ran && tried === 0) {
    // Its host gave it back: what has begun and was not ended with its Web Worker is not given back.
    const death = excuses.endedWorker(ran, ran.heardAt, held.at)
    if (!death) yield `had begun in Web Worker ${ran.worker}, which lived, and was given back`
    else if (held.runs.length > 0) count(came, death, 'again')
  }
}

function count(came: Came, { kind }: Death, what: 'again' | 'charged', times = 1): void {
  const row = came.get(kind) ?? { again: 0, charged: 0 }
  row[what] += times
  came.set(kind, row)
}
