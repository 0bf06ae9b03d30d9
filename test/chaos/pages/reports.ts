import type { Seen } from '../../support/pages/witness.js'

/**
 * What pages and their Web Workers tell the orchestrator while it kills them. Each report is answered before its sender goes
 * on, so what was not heard did not happen: a handler does nothing before its execution is known, nothing is run before its
 * claim is known. What is heard of one who is dead by now is harmless.
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

/**
 * Says that something happened, and resolves with the answer. A WebSocket, because a request costs ten times as much and
 * executions are reported by the hundred thousand. Never resolves if the sender's page is going: whatever went on then would
 * be an execution that nobody knows of.
 */
export function reporter(): (what: Report) => Promise<number> {
  const answers: ((number: number) => void)[] = []
  const socket = new WebSocket(new URL(path, location.href.replace('http', 'ws')))
  const open = new Promise((resolve) => socket.addEventListener('open', resolve))
  // In order, as the reports are.
  socket.addEventListener('message', ({ data }) => answers.shift()?.(Number(data)))
  return async (what) => {
    await open
    socket.send(JSON.stringify(what))
    return new Promise((resolve) => answers.push(resolve))
  }
}
