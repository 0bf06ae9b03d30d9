import fc from 'fast-check'
import { numbered } from './script.js'

const env = (name: string) => (typeof process === 'undefined' ? undefined : process.env[name])

/** A history that can be run from its beginning, and told. */
export interface Telling {
  script: readonly string[]
}

/**
 * Runs random histories. One that fails is shrunk and thrown as a script. More with RUNS in the environment (a factor:
 * RUNS=10); SEED and REPLAY (what a failure prints) run one again.
 */
export async function histories<Step>(
  step: fc.Arbitrary<Step>,
  o: { runs: number; steps: number },
  run: (steps: readonly Step[], tell: (telling: Telling) => void) => Promise<void>,
): Promise<void> {
  const [seed, path] = [env('SEED'), env('REPLAY')]
  let told: Telling = { script: [] }
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: o.steps, size: 'max' }),
    async (steps) => {
      await run(steps, (telling) => {
        told = telling
      })
    },
  )
  const details = await fc.check(property, {
    numRuns: Math.ceil(o.runs * Number(env('RUNS') ?? 1)),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path }),
  })
  if (!details.failed) return
  // The last one that was run need not be the one that failed.
  const [steps] = details.counterexample ?? [[]]
  let error: unknown = details.errorInstance
  try {
    await run(steps, (telling) => {
      told = telling
    })
  } catch (again) {
    error = again
  }
  const message = error instanceof Error ? error.message : String(error)
  const repeat = `SEED=${details.seed} REPLAY=${details.counterexamplePath}`
  throw new Error(
    `${message}\n\nafter ${details.numRuns} histories, in step ${told.script.length} of\n${numbered(told.script)}\n\n${repeat}`,
    {
      cause: error,
    },
  )
}
