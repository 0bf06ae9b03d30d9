import { expect } from 'vitest'
import { allLedgers, one, ROOT } from '../../src/plan/tables.js'
import type { Storage } from '../../src/storage.js'

/** What only a look at the storage tells. */

/** What flat parts hold: place, and seq, attempt and crashes. */
export function heldIn(parts: Float64Array): Map<string, string> {
  const held = new Map<string, string>()
  for (let k = 0; k < parts.length; k += 6) {
    const [seq = 0, lane = 0, from = 0, to = 0, attempt = 0, crashes = 0] = parts.subarray(k, k + 6)
    for (let p = from; p < to; p++) {
      expect(held.has(`${lane}:${p}`), 'held twice').toBe(false)
      held.set(`${lane}:${p}`, [seq, attempt, crashes].join())
    }
  }
  return held
}

/** Hosts' entries, one for each queue. */
const entriesOf = (storage: Storage) =>
  storage.run(
    function* () {
      const ledgers = allLedgers()
      yield [ledgers]
      return { writes: [], value: ledgers.found.flatMap(({ hosts }) => Object.entries(hosts)) }
    },
    { stores: ['ledger'], write: false },
  )

export const originOf = (storage: Storage) =>
  storage.run(
    function* () {
      const root = one('root', ROOT)
      yield [root]
      return { writes: [], value: root.found[0]?.origin ?? '' }
    },
    { stores: ['ledger'], write: false },
  )

export async function leasesOf(storage: Storage): Promise<Map<string, number>> {
  const until = new Map<string, number>()
  for (const [host, entry] of await entriesOf(storage)) until.set(host, Math.max(until.get(host) ?? 0, entry.until))
  return until
}

export async function seqOf(storage: Storage, host: string): Promise<number | undefined> {
  const seqs = (await entriesOf(storage)).filter(([id]) => id === host).map(([, { seq }]) => seq)
  return seqs.length > 0 ? Math.max(...seqs) : undefined
}
