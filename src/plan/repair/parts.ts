/** Where the tasks of batches lie: the marks that say so, made again from the blocks where they are missing. */
import type { Lane } from '../../task.js'
import { closeBatch, newBatch } from '../batch.js'
import type { BatchMark, PartMark, Stage } from '../records.js'
import { isCount, isStage } from '../shapes.js'
import { firstAfter, type Stretch, size } from '../stretches.js'
import { type Births, birthsOf } from './births.js'
import { minus, union } from './stretches.js'
import { BEYOND, type Log, logOf, type Run, type Survey } from './survey.js'
import type { Tally } from './tally.js'

type BatchRun = Run & { batch: string; lane: Lane }

/** Parts by lane, sorted, none over another. Those that are not true are removed from the survey; `made` are new. */
export interface SortedParts {
  parts: Map<Lane, PartMark[]>
  made: PartMark[]
  untrue: PartMark[]
  births: Births
}

export function sortParts(survey: Survey, tally: Tally, now: number): SortedParts {
  const parts = new Map<Lane, PartMark[]>()
  const untrue: PartMark[] = []
  for (const part of survey.parts.sort((a, b) => a.lane - b.lane || a.from - b.from)) {
    const list = parts.get(part.lane) ?? []
    parts.set(part.lane, list)
    if (part.from >= (list.at(-1)?.to ?? 0) && isTrue(part, logOf(survey, part.lane))) list.push(part)
    else untrue.push(part)
  }
  tally.note('part', untrue.length)
  const alive = new Set([...survey.batches.keys(), ...survey.brokenBatches.keys()])
  for (const { batch } of [...survey.parts]) alive.add(batch)
  const births = birthsOf(survey, { alive, parts, now })
  const made = missingParts(survey, parts, births)
  tally.note('part', made.filter((part) => !tally.succeeds('part', part)).length)
  for (const part of made) {
    const list = parts.get(part.lane) ?? []
    parts.set(part.lane, list)
    list.splice(firstAfter(list, part.from), 0, part)
  }
  return { parts, made, untrue, births }
}

/** Its blocks are of its batch, as far as they are there. */
function isTrue({ batch, stage, from, to }: PartMark, { runs }: Log): boolean {
  if (to > (runs.at(-1)?.to ?? 0) + BEYOND) return false
  for (let i = firstAfter(runs, from); i < runs.length; i++) {
    const run = runs[i]
    if (!run || run.from >= to) break
    if (run.batch !== batch || (run.stage ?? 0) !== stage) return false
  }
  return true
}

function missingParts(survey: Survey, parts: Map<Lane, PartMark[]>, births: Births): PartMark[] {
  const bare = new Map<string, BatchRun[]>()
  for (const [lane, { runs }] of survey.logs) {
    const known = parts.get(lane) ?? []
    for (const run of runs) {
      const { batch } = run
      const createdAt = batch === undefined ? undefined : births.get(batch)
      if (batch === undefined || createdAt === undefined) continue
      // A batch may bear the name of one that was pruned, whose blocks may be here still.
      if ((run.born ?? createdAt) !== createdAt) continue
      const near = known.slice(firstAfter(known, run.from), firstAfter(known, run.to) + 1)
      for (const piece of minus([run], near)) {
        const list = bare.get(batch) ?? []
        bare.set(batch, list)
        list.push({ ...run, ...piece, batch, lane, ...indexesOf(run, piece) })
      }
    }
  }
  return [...bare].flatMap(([batch, runs]) => partsFor(batch, runs, [...parts.values()].flat()))
}

function indexesOf(run: Run, { from, to }: Stretch): { start?: number; indexes?: number[] } {
  if (run.indexes) return { indexes: run.indexes.slice(from - run.from, to - run.from) }
  return run.start === undefined ? {} : { start: run.start + from - run.from }
}

/** Blocks of pipelines know their indexes. Those of plain batches get the indexes that no part has, in order. */
function partsFor(batch: string, runs: readonly BatchRun[], known: readonly PartMark[]): PartMark[] {
  const taken = union(known.filter((part) => part.batch === batch && part.stage === 0).flatMap(indexStretches))
  const free = minus([{ from: 0, to: Number.MAX_SAFE_INTEGER }], taken)
  const made: PartMark[] = []
  for (const run of [...runs].sort((a, b) => a.at - b.at || a.lane - b.lane || a.from - b.from)) {
    const { lane, from, to, stage, start, indexes } = run
    if (stage !== undefined) {
      const first = start ?? Math.min(...(indexes ?? [0]))
      made.push({ batch, stage, start: first, lane, from, to, ...(indexes ? { indexes } : {}) })
      continue
    }
    for (let p = from; p < to; ) {
      const gap = free[0]
      if (!gap) break
      const length = Math.min(to - p, gap.to - gap.from)
      made.push({ batch, stage: 0, start: gap.from, lane, from: p, to: p + length })
      p += length
      gap.from += length
      if (gap.from === gap.to) free.shift()
    }
  }
  return made
}

function indexStretches({ start, indexes, from, to }: PartMark): Stretch[] {
  return indexes ? indexes.map((index) => ({ from: index, to: index + 1 })) : [{ from: start, to: start + to - from }]
}

/** How the tasks of a batch ended, by stage: completed, failed, cancelled. */
export type Endings = Map<string, Stages>
type Stages = Map<number, [number, number, number]>

export function countIn(endings: Endings, { batch, stage }: PartMark, counts: readonly [number, number, number]): void {
  const stages = endings.get(batch) ?? new Map<number, [number, number, number]>()
  endings.set(batch, stages)
  const [completed, failed, cancelled] = stages.get(stage) ?? [0, 0, 0]
  stages.set(stage, [completed + counts[0], failed + counts[1], cancelled + counts[2]])
}

/** Batches as they must be: those that are lost from their parts, the counts of plain ones recounted. */
export function mendBatches(
  survey: Survey,
  o: {
    parts: Map<Lane, PartMark[]>
    births: Births
    endings: Endings
    failed: Endings
    queueOf: (lane: Lane) => string
    now: number
  },
): BatchMark[] {
  const byBatch = new Map<string, PartMark[]>()
  for (const part of [...o.parts.values()].flat()) {
    const list = byBatch.get(part.batch) ?? []
    byBatch.set(part.batch, list)
    list.push(part)
  }
  const mended: BatchMark[] = []
  for (const id of new Set([...survey.batches.keys(), ...survey.brokenBatches.keys(), ...byBatch.keys()])) {
    const mine = byBatch.get(id) ?? []
    const stored = survey.batches.get(id)
    if (!stored && mine.length === 0) continue
    const batch = stored ? structuredClone(stored) : rebuilt(id, mine, survey, o)
    if (stored?.stages) {
      batch.total = size(mine.filter(({ stage }) => stage === 0))
      addFailed(batch, o.failed.get(id))
    } else recount(batch, mine, o.endings.get(id))
    closeBatch(batch, o.now)
    if (!stored || !same(stored, batch)) mended.push(batch)
  }
  return mended
}

const same = (a: BatchMark, b: BatchMark): boolean => JSON.stringify(a) === JSON.stringify(b)

/** What can still be read of it, and what its parts tell. Its input counts as ended: nobody else would ever end it. */
function rebuilt(
  id: string,
  parts: readonly PartMark[],
  survey: Survey,
  o: { births: Births; queueOf: (lane: Lane) => string; now: number },
): BatchMark {
  const broken = survey.brokenBatches.get(id)
  const left = new Map(typeof broken === 'object' && broken !== null ? Object.entries(broken) : [])
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
  const [first] = parts
  const stages = stagesOf(left.get('stages')) ?? parts.find((part) => part.stages)?.stages
  const queue = text(left.get('queue')) ?? (first ? o.queueOf(first.lane) : 'default')
  const batch = { ...newBatch(id, queue, o.now, stages && structuredClone(stages)), open: left.get('open') === true }
  batch.createdAt = o.births.get(id) ?? o.now
  const joined = left.get('joined')
  if (isCount(joined)) batch.joined = joined
  if (left.get('stopped') === true) batch.stopped = true
  return batch
}

const isStages = (stages: unknown): stages is Stage[] => Array.isArray(stages) && stages.every(isStage)
const stagesOf = (stages: unknown): Stage[] | undefined => (isStages(stages) ? stages : undefined)

/** The run goes on with counts that were right: only what has failed just now is added. */
function addFailed(batch: BatchMark, failed: ReadonlyMap<number, readonly number[]> | undefined): void {
  for (const [stage, counts] of failed ?? []) {
    const count = counts[1] ?? 0
    batch.failed += count
    const of = batch.stages?.[stage]
    if (of) of.failed += count
  }
}

function recount(batch: BatchMark, parts: readonly PartMark[], endings: Stages | undefined): void {
  const inputs = (stage: number) => size(parts.filter((part) => part.stage === stage))
  const ended = (stage: number) => endings?.get(stage) ?? [0, 0, 0]
  if (!batch.stages) {
    const [completed, failed, cancelled] = ended(0)
    Object.assign(batch, { total: inputs(0), completed, failed, cancelled })
    return
  }
  Object.assign(batch, { total: inputs(0), completed: 0, failed: 0, cancelled: 0, dropped: 0 })
  let passed = 0
  batch.stages.forEach((stage, i) => {
    const tasks = 'name' in stage
    const [completed, failed, cancelled] = tasks ? ended(i) : [passed, 0, 0]
    const later = batch.stages?.findIndex((next, j) => j > i && 'name' in next) ?? -1
    // What the filters between here and the next stage of tasks left out. After the last one nobody can tell.
    const on = later === -1 ? completed : inputs(later)
    const judges = stage.kind === 'filter'
    Object.assign(stage, {
      completed: judges ? on : completed,
      failed,
      cancelled,
      dropped: judges ? Math.max(0, completed - on) : 0,
    })
    passed = judges ? on : completed
    batch.failed += failed
    batch.cancelled += cancelled
    batch.dropped += stage.dropped
  })
  batch.completed = passed
}
