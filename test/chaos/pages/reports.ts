import type { Seen } from '../../support/pages/witness.js'

/**
 * What pages and their Web Workers tell the orchestrator while it kills them. Each report is an HTTP request that is answered
 * before its sender goes on, so what was not heard did not happen: a handler does nothing before its execution is known,
 * nothing is run before its claim is known. What is heard twice, or of one who is dead by now, is harmless.
 */
export type Report =
  /** A page was opened, or reloaded: every time it is another life. */
  | { type: 'opened'; tab: string; life: string }
  | { type: 'role'; life: string; role: string }
  /** A handler begins. Answered with the number of the execution. */
  | { type: 'run'; life: string; worker: number; id: string; name: string; key: string; attempt: number; at: number }
  /** A host has recorded and claimed; `tab` is the page's life. */
  | Extract<Seen, { type: 'exchange' }>
  /** The library said that it is stored. */
  | { type: 'acknowledged'; key: string; id: string }
  /** The library said that it is cancelled. */
  | { type: 'cancelled'; key: string }
  /** What the library tells of the storage. */
  | { type: 'storage'; life: string; event: string; message: string }
  | { type: 'error'; life: string; message: string }

export const path = '/report'

/** From a page. Rejects if nobody listens any more, as when the page is being closed. */
export async function report(what: Report): Promise<void> {
  await fetch(path, { method: 'POST', body: JSON.stringify(what) })
}

/** From a Web Worker, which stands still until it is heard. */
export function reportAndWait(what: Report): number {
  const request = new XMLHttpRequest()
  request.open('POST', path, false)
  try {
    request.send(JSON.stringify(what))
    return Number(request.responseText)
  } catch {
    // The page is being closed and takes its requests with it. Whatever went on here would be an execution that nobody
    // knows of, and an error would be an outcome that the handler never had.
    for (;;);
  }
}
