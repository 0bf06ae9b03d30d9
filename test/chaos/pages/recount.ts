import type { AsideMark, BatchMark, Block, Ledger, Outcome, Root } from '../../../src/plan/records.js'

/**
 * Recounts a database from its four stores, read in one transaction, without the library: where each task is, and
 * whether what is stored of counts equals that. What the records mean is told in src/plan/records.ts and once more here.
 */
export interface Recount {
  origin: string
  tasks: Counted[]
  /** What does not add up, in words. */
  faults: string[]
  /** Hosts with an entry, and how many tasks each holds. */
  hosts: Record<string, number>
  batches: Pick<BatchMark, 'id' | 'total' | 'completed' | 'failed' | 'cancelled' | 'dropped' | 'open' | 'endedAt'>[]
  /** Stored counts of all queues together. */
  ended: Ledger['ended']
}

export interface Counted {
  /** `lane:position` */
  place: string
  name: string
  key: string
  batch?: string
  /** Where it is: one place, or there is a fault. */
  state: State
  attempts?: number
  /** Of one that completed: the number of the execution in its value. */
  run?: number
  /** Of one that failed: its error's code, or else its message. */
  error?: string
}

type State = 'completed' | 'failed' | 'cancelled' | 'aside' | 'leased' | 'line' | 'nowhere' | 'twice'

interface Contents {
  blocks: Block[]
  outcomes: Outcome[]
  ledgers: Ledger[]
  root: Root | undefined
  asides: AsideMark[]
  gates: AsideMark[]
  batches: BatchMark[]
}

/** Of `kinds` in an outcome. */
const KINDS = ['completed', 'failed', 'cancelled'] as const
/** Numbers in a part: seq, lane, from, to, attempt, crashes. */
const PART = 6

/** The database's random name; undefined if there is no such database. Makes none. */
export async function rootOf(name: string): Promise<string | undefined> {
  const names = await indexedDB.databases()
  if (!names.some((one) => one.name === name)) return undefined
  return (await read(name)).root?.origin
}

export async function recountOf(name: string): Promise<Recount> {
  return recount(await read(name))
}

async function read(name: string): Promise<Contents> {
  const db = await answer(indexedDB.open(name))
  try {
    const tx = db.transaction(['blocks', 'outcomes', 'ledger', 'marks'])
    const all = <T>(store: string): Promise<T[]> => answer(tx.objectStore(store).getAll())
    const kind = <T>(of: string): Promise<T[]> =>
      answer(tx.objectStore('marks').getAll(IDBKeyRange.bound([of], [of, []])))
    const [blocks, outcomes, ledger, asides, gates, batches] = await Promise.all([
      all<Block>('blocks'),
      all<Outcome>('outcomes'),
      all<Ledger | Root>('ledger'),
      kind<AsideMark>('aside'),
      kind<AsideMark>('gate'),
      kind<BatchMark>('batch'),
    ])
    const ledgers = ledger.filter((one): one is Ledger => 'lanes' in one)
    const root = ledger.find((one): one is Root => 'origin' in one)
    return { blocks, outcomes, ledgers, root, asides, gates, batches }
  } finally {
    db.close()
  }
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Where every position of every lane is said to be. */
type Places = Map<string, { states: State[]; outcome?: Outcome }>

function recount(found: Contents): Recount {
  const faults: string[] = []
  const places: Places = new Map()
  for (const ledger of found.ledgers) placeQueue(ledger, found, places)
  const tasks = found.blocks.flatMap((block) => tasksOf(block, places, faults))
  for (const place of places.keys()) faults.push(`${place}: there is no such task`)
  for (const ledger of found.ledgers) checkQueue(ledger, found, tasks, faults)
  for (const batch of found.batches) checkBatch(batch, found, tasks, faults)
  const hosts: Record<string, number> = {}
  const ended = { completed: 0, failed: 0, cancelled: 0 }
  for (const ledger of found.ledgers) {
    for (const [host, { parts }] of Object.entries(ledger.hosts)) hosts[host] = (hosts[host] ?? 0) + sizeOf(parts)
    for (const kind of KINDS) ended[kind] += ledger.ended[kind]
  }
  const batches = found.batches.map(({ id, total, completed, failed, cancelled, dropped, open, endedAt }) => {
    return { id, total, completed, failed, cancelled, dropped, open, ...(endedAt === undefined ? {} : { endedAt }) }
  })
  return { origin: found.root?.origin ?? '', tasks, faults, hosts, batches, ended }
}

function sizeOf(parts: Float64Array): number {
  let size = 0
  for (let i = 0; i < parts.length; i += PART) size += (parts[i + 3] ?? 0) - (parts[i + 2] ?? 0)
  return size
}

function placeQueue(ledger: Ledger, { blocks, outcomes, asides }: Contents, places: Places): void {
  const put = (lane: number, from: number, to: number, state: (p: number) => State, outcome?: Outcome) => {
    for (let p = from; p < to; p++) {
      const place = places.get(`${lane}:${p}`) ?? { states: [] }
      place.states.push(state(p))
      if (outcome) place.outcome = outcome
      places.set(`${lane}:${p}`, place)
    }
  }
  for (const { lane, held, head } of ledger.lanes) {
    const skipped = new Set<number>()
    for (const outcome of outcomes) {
      if (outcome.lane === lane)
        put(lane, outcome.from, outcome.to, (p) => KINDS[kindAt(outcome, p)] ?? 'nowhere', outcome)
    }
    for (const mark of asides) {
      if (mark.lane !== lane) continue
      for (let p = Math.max(mark.from, head); p < mark.to; p++) skipped.add(p)
      if (mark.gate !== null) put(lane, mark.from, mark.to, () => 'aside')
    }
    for (const { parts } of Object.values(ledger.hosts)) {
      for (let i = 0; i < parts.length; i += PART) {
        if (parts[i + 1] === lane) put(lane, parts[i + 2] ?? 0, parts[i + 3] ?? 0, () => 'leased')
      }
    }
    if (held) continue
    for (const block of blocks) {
      if (block.lane !== lane) continue
      for (let p = Math.max(head, block.from); p < block.to; p++) if (!skipped.has(p)) put(lane, p, p + 1, () => 'line')
    }
  }
}

const kindAt = ({ kinds, from }: Outcome, p: number): number =>
  typeof kinds === 'number' ? kinds : (kinds[p - from] ?? -1)

function tasksOf(block: Block, places: Places, faults: string[]): Counted[] {
  return block.inputs.map((input, i) => {
    const place = `${block.lane}:${block.from + i}`
    const { states = [], outcome } = places.get(place) ?? {}
    places.delete(place)
    const state = states.length === 1 ? (states[0] ?? 'nowhere') : states.length > 1 ? 'twice' : 'nowhere'
    if (state === 'nowhere' || state === 'twice') faults.push(`${place}: is ${states.join(' and ') || 'nowhere'}`)
    const name = (typeof block.name === 'string' ? block.name : block.name[i]) ?? ''
    const task: Counted = { place, name, key: textOf(input, 'key') ?? '', state }
    if (block.batch !== undefined) task.batch = block.batch
    if (!outcome) return task
    const at = block.from + i - outcome.from
    const value = outcome.values?.[at]
    task.attempts = (typeof outcome.attempts === 'object' ? outcome.attempts[at] : outcome.attempts) ?? 1
    if (state === 'failed') task.error = textOf(value, 'code') ?? textOf(value, 'message') ?? ''
    if (state === 'completed' && typeof value === 'object' && value !== null && 'run' in value)
      task.run = Number(value.run)
    return task
  })
}

function textOf(value: unknown, field: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const text: unknown = Reflect.get(value, field)
  return typeof text === 'string' ? text : undefined
}

/** Σ tail = pruned + ended + running + aside + in line, and every term of it; nothing is pruned here. */
function checkQueue(
  ledger: Ledger,
  { asides, gates, blocks }: Contents,
  tasks: readonly Counted[],
  faults: string[],
): void {
  const { queue } = ledger
  const expect = (what: string, stored: unknown, counted: unknown) => {
    if (JSON.stringify(stored) !== JSON.stringify(counted))
      faults.push(`${queue}: ${what} is ${JSON.stringify(stored)}, counted ${JSON.stringify(counted)}`)
  }
  const lanes = new Set(ledger.lanes.map(({ lane }) => String(lane)))
  const mine = tasks.filter(({ place }) => lanes.has(place.slice(0, place.indexOf(':'))))
  const count = (state: State) => mine.filter((task) => task.state === state).length
  for (const kind of KINDS) expect(kind, ledger.ended[kind], count(kind))
  const running = Object.values(ledger.hosts).reduce((sum, { parts }) => sum + sizeOf(parts), 0)
  expect('running', running, count('leased'))
  for (const { lane, held, head, skips } of ledger.lanes) {
    const ahead = asides
      .filter((mark) => mark.lane === lane)
      .map(({ from, to }) => Math.max(0, to - Math.max(from, head)))
    if (!held)
      expect(
        `skips of lane ${lane}`,
        skips,
        ahead.reduce((sum, size) => sum + size, 0),
      )
    const tail = blocks.filter((block) => block.lane === lane).reduce((last, { to }) => Math.max(last, to), 0)
    if (head > tail) faults.push(`${queue}: lane ${lane} has a head of ${head}, and a tail of ${tail}`)
  }
  const aside = new Map<string, { ready: number; waiting: number; nextAt: number }>()
  for (const { queue: of, gate, order, from, to } of asides) {
    if (of !== queue || gate === null) continue
    const key = typeof gate === 'number' ? String(gate) : 'blocked'
    const sum = aside.get(key) ?? { ready: 0, waiting: 0, nextAt: Number.POSITIVE_INFINITY }
    sum[typeof gate === 'number' && order === 0 ? 'ready' : 'waiting'] += to - from
    if (typeof gate === 'number') sum.nextAt = Math.min(sum.nextAt, order)
    aside.set(key, sum)
  }
  for (const key of new Set([...aside.keys(), ...Object.keys(ledger.aside)])) {
    const { ready = 0, waiting = 0, nextAt = 0 } = ledger.aside[key] ?? {}
    const counted = aside.get(key)
    expect(`aside at ${key}`, [ready, waiting], [counted?.ready ?? 0, counted?.waiting ?? 0])
    // Later than the earliest one: it would be overslept.
    if (counted && nextAt > counted.nextAt) expect(`nextAt of ${key}`, nextAt, counted.nextAt)
  }
  const keys = (marks: readonly AsideMark[]) =>
    marks.flatMap((m) =>
      m.queue === queue && m.gate !== null ? `${m.gate}/${m.order} ${m.lane}:${m.from}–${m.to}` : [],
    )
  expect('aside, by gate', keys(gates).sort(), keys(asides).sort())
}

function checkBatch(batch: BatchMark, { blocks }: Contents, tasks: readonly Counted[], faults: string[]): void {
  const states = new Map(tasks.map(({ place, state }) => [place, state]))
  const last = (batch.stages?.length ?? 1) - 1
  /** Tasks in each state, by stage. */
  const counts = Array.from({ length: last + 1 }, () => ({ completed: 0, failed: 0, cancelled: 0, all: 0 }))
  for (const { batch: of, lane, from, inputs, stage = 0 } of blocks) {
    const count = counts[stage]
    if (of !== batch.id || !count) continue
    for (let i = 0; i < inputs.length; i++) {
      const state = states.get(`${lane}:${from + i}`)
      count.all++
      if (state === 'completed' || state === 'failed' || state === 'cancelled') count[state]++
    }
  }
  const expect = (what: string, stored: unknown, counted: unknown) => {
    if (stored !== counted) faults.push(`batch ${batch.id}: ${what} is ${stored}, counted ${counted}`)
  }
  const sum = (kind: 'failed' | 'cancelled') => counts.reduce((n, count) => n + count[kind], 0)
  expect('total', batch.total, counts[0]?.all)
  expect('completed', batch.completed, counts[last]?.completed)
  expect('failed', batch.failed, sum('failed'))
  expect('cancelled', batch.cancelled, sum('cancelled'))
  const done = batch.completed + batch.failed + batch.cancelled + batch.dropped
  expect('ended', batch.endedAt !== undefined, !batch.open && done === batch.total)
  for (const [i, stage] of (batch.stages ?? []).entries()) {
    // A filter by a field has no tasks: what it lets through are those of the stage after it.
    const field = stage.kind === 'filter' && 'field' in stage
    expect(`completed at stage ${i}`, stage.completed, field ? counts[i + 1]?.all : counts[i]?.completed)
    if (field) expect(`dropped at stage ${i}`, stage.completed + stage.dropped, batch.stages?.[i - 1]?.completed)
  }
}
