import type { Ledger } from './records.js'

/**
 * A number that changes with any number in a ledger, FNV-1a over their bits. The ledger says what was claimed, by whom and
 * how much there is of everything: an edit that leaves its shape intact, such as a head moved back, would run tasks twice
 * without anyone noticing. Other records can be checked against it and against each other; this one bears its own proof.
 */
export function checksum(ledger: Ledger): number {
  const one = new Float64Array(1)
  const bits = new Uint32Array(one.buffer)
  let sum = 0x811c9dc5
  const mix = (value: number) => {
    one[0] = value
    sum = Math.imul(sum ^ (bits[0] ?? 0), 0x01000193)
    sum = Math.imul(sum ^ (bits[1] ?? 0), 0x01000193) ^ (sum >>> 15)
  }
  for (const { lane, priority, held, head, block, skips, sweep } of ledger.lanes) {
    mix(lane)
    mix(priority)
    mix(held ? 1 : 0)
    mix(head)
    mix(block)
    mix(skips)
    mix(sweep)
  }
  for (const { seq, until, parts } of Object.values(ledger.hosts)) {
    mix(seq)
    mix(until)
    for (const number of parts) mix(number)
  }
  for (const key of Object.keys(ledger.aside).sort()) {
    const { ready = 0, waiting = 0, nextAt = 0 } = ledger.aside[key] ?? {}
    mix(Number.parseInt(key, 10) || 0)
    mix(ready)
    mix(waiting)
    mix(nextAt)
  }
  const { ended, pruned, pausedUntil = -1 } = ledger
  for (const count of [ended.completed, ended.failed, ended.cancelled, pruned, pausedUntil]) mix(count)
  return sum >>> 0
}
