import fc from 'fast-check'
import { numbered } from './script.js'

/** Browsers have none. */
const env = (name: string) => (typeof process === 'undefined' ? undefined : process.env[name])

/** No more histories are begun, nor shrunk, after so many ms. */
const LONGEST = 120_000

/** More histories, or fewer. */
export const factor = Number(env('RUNS') ?? 1)

/** A history that is being run, as it is told. */
export interface Telling {
  readonly script: readonly string[]
}

const DEFAULT_SEED = 20_261_123

/**
 * Runs random histories. One that fails is shrunk, and thrown as a script that can be read, with what runs it again:
 * SEED and REPLAY in the environment. More of them with RUNS (a factor, RUNS=10).
 */
export async function histories<Step>(
  history: fc.Arbitrary<Step[]>,
  runs: number,
  run: (steps: readonly Step[], tell: (telling: Telling) => void) => Promise<void>,
): Promise<void> {
  // The same histories each time, so that a change is what makes the difference; another SEED finds others.
  const [seed = DEFAULT_SEED, path] = [env('SEED'), env('REPLAY')]
  const property = fc.asyncProperty(history, (steps) => run(steps, () => {}))
  const details = await fc.check(property, {
    numRuns: Math.ceil(runs * factor),
    // On a busy machine, what was found by then is told.
    interruptAfterTimeLimit: LONGEST * Math.max(1, factor),
    seed: Number(seed),
    ...(path === undefined ? {} : { path }),
  })
  if (!details.failed) return
  // The last one that was run need not be the one that failed: it is run once more, to be told.
  const [steps = []] = details.counterexample ?? []
  let told: readonly string[] = []
  let error: unknown = details.errorInstance
  try {
    await run(steps, ({ script }) => {
      told = script
    })
  } catch (again) {
    error = again
  }
  const message = error instanceof Error ? error.message : String(error)
  const where = `after ${details.numRuns} histories, at the end of\n${numbered(told)}`
  const repeat = `Again: SEED=${details.seed} REPLAY=${details.counterexamplePath}`
  throw new Error(`${message}\n\n${where}\n\n${repeat}`, { cause: error })
}
