import type { Reporter } from 'vitest/node'

/**
 * Prints `Tests: N passed, N failed, N skipped` as the very last line, for CI and for people. A file that failed to load and
 * an error outside every test count as failures too.
 */
export const summary: Reporter = {
  onTestRunEnd(modules, errors) {
    const counts = { passed: 0, failed: errors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      const tests = [...module.children.allTests()]
      for (const test of tests) counts[test.result().state]++
      if (module.state() === 'failed' && tests.length === 0) counts.failed++
    }
    const { passed, failed, skipped, pending } = counts
    process.once('exit', () => console.log(`Tests: ${passed} passed, ${failed} failed, ${skipped + pending} skipped`))
  },
}
