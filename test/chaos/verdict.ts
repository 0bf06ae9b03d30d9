import type { Counts } from 'sitq'
import { parseId } from '../../src/task.js'
import { placeOf } from '../support/pages/witness.js'
import type { Books } from './books.js'
import { type Came, isRecorded, unfair } from './fair.js'
import { Excuses, type History, historiesOf } from './histories.js'
import type { Death } from './kills.js'
import { keeps } from './pages/items.js'
import type { Counted, Recount } from './pages/recount.js'
import { endOf, type FlowJob, type ImportJob, type Job, type Single } from './work.js'

/** What is known at the end of a seed, when nothing is left to do. */
export interface Evidence {
  /** There were locks: one host at a time, and dead ones are noticed at once. */
  secure: boolean
  books: Books
  deaths: readonly Death[]
  jobs: readonly Job[]
  /** Tasks that were enqueued alone, those of the kills included. */
  singles: readonly Single[]
  recount: Recount
  counts: Counts
  /** What `flowResults` said, by run. */
  flows: ReadonlyMap<string, number | string>
}

export interface Verdict {
  tasks: number
  executions: number
  /** Executions of an attempt that had been begun before. */
  again: number
  /** Acknowledged and not there, or without an outcome. */
  lost: number
  /** Recorded twice, or stored twice. */
  doubled: number
  /** What came of the kills. */
  came: Came
  /** Everything that should not be, in words. */
  faults: string[]
}

/** Judges a seed. Pure. */
export function judge(evidence: Evidence): Verdict {
  const { books, recount } = evidence
  const { histories, stray } = historiesOf(books)
  const excuses = new Excuses(evidence.deaths, books)
  const came: Came = new Map()
  const faults = [...recount.faults]
  for (const run of stray) faults.push(`${run.id} (${run.key}) ran in ${run.life} without a claim`)
  let doubled = 0
  for (const [place, history] of histories) {
    const recorded = history.filter(isRecorded)
    if (recorded.length > 1) doubled++
    for (const fault of unfair(history, excuses, came)) faults.push(`${place}: ${fault}\n${tell(history)}`)
  }
  const byKey = keyed(recount.tasks)
  for (const [key, tasks] of byKey) {
    if (tasks.length === 1) continue
    doubled++
    faults.push(`${key} is stored ${tasks.length} times`)
  }
  const lost: string[] = []
  for (const [key, id] of books.acknowledged) {
    const task = find(byKey, key)
    if (!isEnded(task) || task?.place !== placeOf(parseId(id))) lost.push(key)
  }
  for (const key of lost) faults.push(`${key} was acknowledged and is ${find(byKey, key)?.state ?? 'gone'}`)
  for (const task of recount.tasks) {
    const fault = task.state === 'cancelled' ? undefined : unfounded(task, histories.get(task.place) ?? [])
    if (fault) faults.push(`${task.place} (${task.key}) ${fault}`)
  }
  for (const single of evidence.singles) faults.push(...singleFaults(single, byKey, books))
  for (const job of evidence.jobs) {
    if (job.type === 'import') faults.push(...importFaults(job, byKey, recount))
    if (job.type === 'flow') faults.push(...flowFaults(job, byKey, evidence))
  }
  faults.push(...leftovers(evidence))
  const begun = new Set(books.runs.map(({ id, attempt }) => `${id} ${attempt}`))
  const { length: executions } = books.runs
  const again = executions - begun.size
  return { tasks: recount.tasks.length, executions, again, lost: lost.length, doubled, came, faults }
}

/** Tasks by handler and key: of a pipeline's item there is one for each stage. */
function keyed(tasks: readonly Counted[]): Map<string, Counted[]> {
  const byKey = new Map<string, Counted[]>()
  for (const task of tasks) {
    const key = `${task.name} ${task.key}`
    const list = byKey.get(key)
    if (list) list.push(task)
    else byKey.set(key, [task])
  }
  return byKey
}

const singleNames = ['work', 'parent', 'flaky', 'spin', 'wait']

function find(byKey: Map<string, Counted[]>, key: string): Counted | undefined {
  return singleNames.flatMap((name) => byKey.get(`${name} ${key}`) ?? [])[0]
}

const isEnded = (task: Counted | undefined) =>
  task?.state === 'completed' || task?.state === 'failed' || task?.state === 'cancelled'

/** An outcome is one of an execution that is known. */
function unfounded(task: Counted, history: History): string | undefined {
  const runs = history.flatMap((held) => held.runs)
  if (!isEnded(task)) return `is ${task.state}`
  if (runs.length === 0) return `${task.state} without an execution`
  if (task.state !== 'completed' || task.run === undefined) return undefined
  return runs.some(({ number }) => number === task.run)
    ? undefined
    : `completed by execution ${task.run}, which is another's`
}

function* singleFaults(single: Single, byKey: Map<string, Counted[]>, { cancelled }: Books): Generator<string> {
  const { name, item } = single
  const { key, children = 0, batch } = item
  const task = byKey.get(`${name} ${key}`)?.[0]
  // Not acknowledged and not there: it may be called again, which this one was not.
  if (!task) return
  const end = endOf(single)
  const wasCancelled = task.state === 'cancelled'
  if (cancelled.has(key) && !wasCancelled) yield `${key} was cancelled, and ${task.state} all the same`
  if (wasCancelled && single.cancelAfter === undefined) yield `${key} was cancelled by nobody`
  if (!wasCancelled && (task.state !== end.state || task.attempts !== end.attempts))
    yield `${key} ${task.state} at attempt ${task.attempts} (${task.error}), not ${end.state} at ${end.attempts}`
  for (let i = 0; i < children; i++) {
    const found = byKey.get(`work ${key}/${i}`) ?? []
    const expected = task.state === 'completed' ? 1 : 0
    if (found.length !== expected) yield `${key}/${i} was enqueued ${found.length} times`
    if (found[0] && found[0].batch !== batch) yield `${key}/${i} is in batch ${found[0].batch}, not ${batch}`
  }
}

function* importFaults(
  { id, total }: ImportJob,
  byKey: Map<string, Counted[]>,
  { batches }: Recount,
): Generator<string> {
  for (let i = 0; i < total; i++) {
    const task = byKey.get(`work ${id}:${i}`)?.[0]
    if (task?.state !== 'completed' || task.batch !== id || task.attempts !== 1)
      yield `${id}:${i} is ${JSON.stringify(task) ?? 'gone'}`
  }
  const batch = batches.find((one) => one.id === id)
  if (batch?.total !== total || batch.completed !== total || batch.endedAt === undefined)
    yield `${id} of ${total} is ${JSON.stringify(batch)}`
}

function* flowFaults(
  { id, total }: FlowJob,
  byKey: Map<string, Counted[]>,
  { recount: { batches }, flows }: Evidence,
): Generator<string> {
  let kept = 0
  for (let i = 0; i < total; i++) {
    if (keeps(i)) kept++
    const [first, ...others] = byKey.get(`check ${id}:${i}`) ?? []
    if (first?.state !== 'completed' || others.length > 0)
      yield `${id}:${i} is ${first?.state ?? 'gone'} at its first stage`
    const last = byKey.get(`finish ${id}:${i}`) ?? []
    if (last.length !== (keeps(i) ? 1 : 0)) yield `${id}:${i} came ${last.length} times to its last stage`
  }
  const batch = batches.find((one) => one.id === id)
  const right = batch?.total === total && batch.completed === kept && batch.dropped === total - kept
  if (!right || batch.endedAt === undefined) yield `${id} of ${total} is ${JSON.stringify(batch)}`
  if (flows.get(id) !== kept) yield `${id} ended with ${flows.get(id)}, not with ${kept} results`
}

/** When all is quiet nothing is held by anyone, and the counters say so. */
function* leftovers({ secure, recount, counts, books }: Evidence): Generator<string> {
  const { completed, failed, cancelled, ...waiting } = counts
  for (const [state, count] of Object.entries(waiting)) if (count !== 0) yield `${count} tasks are counted as ${state}`
  const ended = { completed, failed, cancelled }
  if (JSON.stringify(ended) !== JSON.stringify(recount.ended))
    yield `counts() says ${JSON.stringify(ended)}, the ledgers ${JSON.stringify(recount.ended)}`
  const latest = books.exchanges.filter(({ fenced }) => !fenced).at(-1)?.host
  for (const [host, held] of Object.entries(recount.hosts)) {
    if (secure && host !== latest) yield `host ${host} is dead and has an entry`
    if (held > 0) yield `host ${host} holds ${held} tasks`
  }
}

const tell = (history: History): string =>
  history
    .map((held) => {
      const { at, life, attempt, crashes, to = 'nothing known', runs } = held
      const ran = runs.map((run) => `#${run.number} in Web Worker ${run.worker} at ${run.heardAt}`).join(', ')
      return `    claimed at ${at} in ${life}, attempt ${attempt}, crashes ${crashes}: ${to}; ran ${ran || 'not'}`
    })
    .join('\n')
