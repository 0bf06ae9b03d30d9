import { expect } from 'vitest'
import { heldCount } from '../../src/plan/ledger.js'
import type { Plan, Storage } from '../../src/storage.js'
import { type AsideMark, allLedgers, kindsOf, LAST, type Ledger, range } from './records.js'

/**
 * Recounts a whole database and compares: every position of every lane is in exactly one place (in line, aside, leased,
 * ended or pruned), and every stored count equals what was counted.
 */
export async function audit(storage: Storage): Promise<void> {
  const found = await storage.run(readAll, { stores: ['blocks', 'outcomes', 'ledger', 'marks'], write: false })
  for (const ledger of found.ledgers) auditQueue(ledger, found)
  auditBatches(found)
}

function* readAll(): Plan<Contents> {
  const ledgers = allLedgers()
  const blocks = range('block', [0], [Number.POSITIVE_INFINITY, LAST])
  const outcomes = range('outcome', [0], [Number.POSITIVE_INFINITY, LAST])
  const asides = range('aside', [], [LAST])
  const gates = range('gate', [], [LAST])
  const batches = range('batch', [], [LAST])
  const parts = range('part', [], [LAST])
  const dead = range('dead', [], [LAST])
  yield [ledgers, blocks, outcomes, asides, gates, batches, parts, dead]
  const value = {
    ledgers: ledgers.found,
    blocks: blocks.found,
    outcomes: outcomes.found,
    asides: asides.found,
    gates: gates.found,
    batches: batches.found,
    parts: parts.found,
    dead: dead.found,
  }
  return { writes: [], value }
}
type Contents = {
  ledgers: Ledger[]
  blocks: import('../../src/plan/records.js').Block[]
  outcomes: import('../../src/plan/records.js').Outcome[]
  asides: AsideMark[]
  gates: AsideMark[]
  batches: import('../../src/plan/records.js').BatchMark[]
  parts: import('../../src/plan/records.js').PartMark[]
  dead: import('../../src/plan/records.js').DeadMark[]
}

function auditQueue(ledger: Ledger, all: Contents): void {
  const ended = { completed: 0, failed: 0, cancelled: 0 }
  const aside: Record<string, { ready: number; waiting: number }> = {}
  let [tails, line, running, gone, waiting] = [0, 0, 0, 0, 0]
  for (const state of ledger.lanes) {
    const { lane } = state
    const blocks = all.blocks.filter((block) => block.lane === lane)
    const tail = Math.max(state.head, blocks.at(-1)?.to ?? 0)
    // Pruning steps over blocks that must stay.
    const pruned = (p: number) => !blocks.some(({ from, to }) => from <= p && p < to)
    const places = new Map<number, string[]>()
    const put = (p: number, place: string) => places.set(p, [...(places.get(p) ?? []), place])
    for (const outcome of all.outcomes.filter((o) => o.lane === lane)) {
      for (let p = outcome.from; p < outcome.to; p++) {
        put(p, 'ended')
        ended[kindsOf(outcome, p)]++
      }
    }
    const skipped = new Set<number>()
    for (const mark of all.asides.filter((m) => m.lane === lane)) {
      for (let p = mark.from; p < mark.to; p++) {
        if (!state.held && p >= state.head) skipped.add(p)
        if (mark.gate !== null) put(p, 'aside')
      }
      if (mark.gate === null) continue
      const key = typeof mark.gate === 'string' ? 'blocked' : String(mark.gate)
      const count = aside[key] ?? { ready: 0, waiting: 0 }
      aside[key] = count
      count[typeof mark.gate === 'number' && mark.order === 0 ? 'ready' : 'waiting'] += mark.to - mark.from
      waiting += mark.to - mark.from
    }
    for (const entry of Object.values(ledger.hosts)) {
      for (let i = 0; i < entry.parts.length; i += 6) {
        if (entry.parts[i + 1] !== lane) continue
        for (let p = entry.parts[i + 2] ?? 0; p < (entry.parts[i + 3] ?? 0); p++) put(p, 'leased')
      }
    }
    for (let p = state.head; p < tail; p++) if (!state.held && !skipped.has(p)) put(p, 'line')
    for (let p = 0; p < tail; p++) {
      const expected = pruned(p) ? [] : [expect.any(String)]
      if (places.get(p)?.length !== expected.length)
        expect(places.get(p) ?? [], `lane ${lane} position ${p} of ${ledger.queue}`).toEqual(expected)
    }
    expect(state.skips, `skips of lane ${lane}`).toBe(state.held ? 0 : skipped.size)
    tails += tail
    gone += tail - blocks.reduce((sum, { from, to }) => sum + to - from, 0)
    line += state.held ? 0 : tail - state.head - state.skips
  }
  for (const entry of Object.values(ledger.hosts)) running += heldCount(entry.parts)
  expect(ledger.ended, `ended of ${ledger.queue}`).toEqual(ended)
  for (const key of new Set([...Object.keys(aside), ...Object.keys(ledger.aside)])) {
    const { ready = 0, waiting: later = 0 } = ledger.aside[key] ?? {}
    expect({ key, ready, waiting: later }).toEqual({ key, ...(aside[key] ?? { ready: 0, waiting: 0 }) })
    const times = all.asides.filter((m) => m.queue === ledger.queue && String(m.gate) === key).map((m) => m.order)
    if (key !== 'blocked' && times.length > 0) expect(ledger.aside[key]?.nextAt).toBeLessThanOrEqual(Math.min(...times))
  }
  expect(gone).toBe(ledger.pruned)
  const sum = ended.completed + ended.failed + ended.cancelled
  expect(tails).toBe(ledger.pruned + sum + running + waiting + line)
  const marked = (marks: AsideMark[]) =>
    marks
      .filter((m) => m.queue === ledger.queue && m.gate !== null)
      .map((m) => `${m.lane}:${m.from}-${m.to}@${m.gate}/${m.order}`)
  expect(marked(all.gates).sort()).toEqual(marked(all.asides).sort())
  const dead = all.dead.filter((m) => m.queue === ledger.queue).reduce((n, m) => n + m.to - m.from, 0)
  expect(dead).toBe(ended.failed)
}

/** Plain batches: their counts equal the outcomes in their parts. */
function auditBatches(all: Contents): void {
  for (const batch of all.batches.filter((b) => !b.stages)) {
    const count = { completed: 0, failed: 0, cancelled: 0 }
    let total = 0
    for (const part of all.parts.filter((p) => p.batch === batch.id)) {
      total += part.to - part.from
      for (const outcome of all.outcomes.filter((o) => o.lane === part.lane)) {
        for (let p = Math.max(part.from, outcome.from); p < Math.min(part.to, outcome.to); p++)
          count[kindsOf(outcome, p)]++
      }
    }
    const { completed, failed, cancelled } = batch
    expect({ id: batch.id, total: batch.total, completed, failed, cancelled }).toEqual({
      id: batch.id,
      total,
      ...count,
    })
    const over = !batch.open && completed + failed + cancelled === total
    expect(batch.endedAt !== undefined).toBe(over)
  }
}
