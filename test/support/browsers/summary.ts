import { stripVTControlCharacters } from 'node:util'
import type { Reporter } from 'vitest/node'

/** Characters of a failure's message that are repeated at the end: whoever sees only the last lines must see what failed. */
const SHOWN = 400

/**
 * Prints what failed, shortly, then `Tests: N passed, N failed, N skipped` as the very last line, for CI and for people. A file that
 * failed to load and an error outside every test count as failures too. Tests that passed only when repeated are named.
 */
export const summary: Reporter = {
  onTestRunEnd(modules, errors) {
    const counts = { passed: 0, failed: errors.length, skipped: 0, pending: 0 }
    const last = errors.map((error) => failure('outside of tests', error))
    for (const module of modules) {
      const tests = [...module.children.allTests()]
      for (const test of tests) {
        const { state, errors: own } = test.result()
        counts[state]++
        const name = `${module.relativeModuleId} > ${test.fullName}`
        if (state === 'failed') last.push(failure(name, own?.at(-1)))
        else if (test.diagnostic()?.flaky) last.push(failure(name, own?.at(-1), 'Repeated'))
      }
      if (module.state() === 'failed' && tests.length === 0) {
        counts.failed++
        last.push(failure(module.relativeModuleId, module.errors()[0]))
      }
    }
    const { passed, failed, skipped, pending } = counts
    last.push(`Tests: ${passed} passed, ${failed} failed, ${skipped + pending} skipped`)
    process.once('exit', () => console.log(last.join('\n')))
  },
}

function failure(
  where: string,
  error: { name?: string; message: string; stack?: string } | undefined,
  what = 'Failed',
) {
  const said = stripVTControlCharacters(error ? `${error.message} ${error.stack ?? ''}` : 'no message')
  return `${what}: ${where}: ${said.replace(/\s+/g, ' ').slice(0, SHOWN)}`
}
