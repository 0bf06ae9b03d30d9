/** What blocked tasks wait behind: the names of gates, made and read in one place. */
import type { HostId } from './task.js'

const HANDLER = 'handler:'
const INPUT = 'input:'

/** Waits for a host that serves the handler. */
export const handlerGate = (name: string): string => HANDLER + name
/** Waits for a handler of this name that takes the task's input. */
export const inputGate = (name: string): string => INPUT + name

export const isInputGate = (gate: string | number | null | undefined): boolean =>
  typeof gate === 'string' && gate.startsWith(INPUT)

/** The handler a gate stands before, and what of it is waited for; undefined for gates of other kinds. */
export function readGate(gate: string): { kind: 'handler' | 'input'; name: string } | undefined {
  if (gate.startsWith(HANDLER)) return { kind: 'handler', name: gate.slice(HANDLER.length) }
  if (gate.startsWith(INPUT)) return { kind: 'input', name: gate.slice(INPUT.length) }
  return undefined
}

/** What a host marks tasks with that it sets aside at a gate, as their `order`: hosts' names are used once. 32 bits of FNV-1a. */
export function markOf(host: HostId): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < host.length; i++) hash = Math.imul(hash ^ host.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** The gate of tasks that failed while there was no network. */
export const ONLINE = 'online'
