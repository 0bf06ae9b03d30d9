/**
 * Messages as they travel. A clone writes the names of an object's fields with every object, and reads them again; hundreds of
 * runs that are alike go as columns, which takes half the time.
 */
import type { EndedRun } from '../executor.js'
import type { TaskId } from '../task.js'
import type { ToPage, ToWorker, WireRun } from './protocol.js'

interface RunColumns {
  keys: number[]
  ids: TaskId[]
  /** One for all, or one for each. */
  name: string | string[]
  inputs: unknown[]
  attempts: number[]
  /** Absent: none has any. */
  metas?: unknown[]
  /** What few have, by index. */
  rare?: [index: number, Pick<WireRun, 'timeout' | 'mark'>][]
}

/** Attempts that just succeeded as columns, all others as they are. */
interface EndColumns {
  keys: number[]
  startedAt: number[]
  finishedAt: number[]
  values: unknown[]
  others: EndedRun[]
}

type Give = Extract<ToWorker, { type: 'give' }>
type Progress = Extract<ToPage, { type: 'progress' }>
type Wired<From, To> = Omit<From, keyof To> & To

export type WireToWorker = Exclude<ToWorker, Give> | Wired<Give, { runs: RunColumns }>
export type WireToPage = Exclude<ToPage, Progress> | Wired<Progress, { ended: EndColumns }>

export const packedToWorker = (message: ToWorker): WireToWorker =>
  message.type === 'give' ? { ...message, runs: runColumns(message.runs) } : message

export const unpackedToWorker = (message: WireToWorker): ToWorker =>
  message.type === 'give' ? { ...message, runs: runsOf(message.runs) } : message

export const packedToPage = (message: ToPage): WireToPage =>
  message.type === 'progress' ? { ...message, ended: endColumns(message.ended) } : message

export const unpackedToPage = (message: WireToPage): ToPage =>
  message.type === 'progress' ? { ...message, ended: endsOf(message.ended) } : message

function runColumns(runs: readonly WireRun[]): RunColumns {
  const [first] = runs
  const alike = runs.every(({ name }) => name === first?.name)
  const columns: RunColumns = {
    keys: runs.map(({ key }) => key),
    ids: runs.map(({ id }) => id),
    name: first && alike ? first.name : runs.map(({ name }) => name),
    inputs: runs.map(({ input }) => input),
    attempts: runs.map(({ attempt }) => attempt),
  }
  if (runs.some(({ meta }) => meta !== undefined)) columns.metas = runs.map(({ meta }) => meta)
  const rare = runs.flatMap((run, i): [number, ReturnType<typeof rareOf>][] =>
    run.timeout === undefined && !run.mark ? [] : [[i, rareOf(run)]],
  )
  if (rare.length > 0) columns.rare = rare
  return columns
}

const rareOf = ({ timeout, mark }: WireRun): Pick<WireRun, 'timeout' | 'mark'> => ({
  ...(timeout === undefined ? {} : { timeout }),
  ...(mark ? { mark } : {}),
})

function runsOf({ keys, ids, name, inputs, attempts, metas, rare = [] }: RunColumns): WireRun[] {
  const runs = keys.map(
    (key, i): WireRun => ({
      key,
      id: ids[i] ?? '',
      name: (typeof name === 'string' ? name : name[i]) ?? '',
      input: inputs[i],
      attempt: attempts[i] ?? 1,
      meta: metas?.[i],
    }),
  )
  for (const [i, more] of rare) Object.assign(runs[i] ?? {}, more)
  return runs
}

function endColumns(ended: readonly EndedRun[]): EndColumns {
  const columns: EndColumns = { keys: [], startedAt: [], finishedAt: [], values: [], others: [] }
  for (const run of ended) {
    if (!run.ok || run.followUps || run.endBatches) {
      columns.others.push(run)
      continue
    }
    columns.keys.push(run.key)
    columns.startedAt.push(run.startedAt)
    columns.finishedAt.push(run.finishedAt)
    columns.values.push(run.value)
  }
  return columns
}

function endsOf({ keys, startedAt, finishedAt, values, others }: EndColumns): EndedRun[] {
  const ended = keys.map(
    (key, i): EndedRun => ({
      key,
      startedAt: startedAt[i] ?? 0,
      finishedAt: finishedAt[i] ?? 0,
      ok: true,
      value: values[i],
    }),
  )
  return others.length > 0 ? [...ended, ...others] : ended
}
