import { files, skips } from 'sitq-runtime-tests/files'
import { runFiles, told, type Verdict } from './run.js'

/** Before each verdict: everything else is what the runtime itself prints (RFC 7464 has a sign for that). */
const MARK = '\x1e'

/**
 * Runs the tests of this bundle. `tell` is given a line for each, and the last one says that all have ended. A rejection that
 * nobody handles is a failure: `hear` is how this runtime tells of one, where it has no event for it.
 */
export async function start(
  tell: (line: string) => void,
  hear: (stray: (reason: unknown) => void) => void = hearEvents,
): Promise<void> {
  const report = (verdict: Verdict) => tell(MARK + JSON.stringify(verdict))
  hear((reason) =>
    report({ file: '(outside of tests)', test: 'unhandled rejection', state: 'failed', ms: 0, message: told(reason) }),
  )
  await runFiles(files, skips, report)
  // What was rejected by the last test must have been told.
  await new Promise((resolve) => setTimeout(resolve, 2 * LATE))
  tell(`${MARK}"ended"`)
}

/** ms. workerd tells of rejections before whoever handles them had their turn, and takes it back then. */
const LATE = 100

function hearEvents(stray: (reason: unknown) => void): void {
  const unhandled = new Set<Promise<unknown>>()
  addEventListener('unhandledrejection', (event) => {
    event.preventDefault()
    unhandled.add(event.promise)
    setTimeout(() => unhandled.delete(event.promise) && stray(event.reason), LATE)
  })
  addEventListener('rejectionhandled', (event) => unhandled.delete(event.promise))
}
