/** Laying tasks out in blocks, before anyone knows where the blocks will lie. */
import type { NewTask } from '../backend.js'
import { roughSize } from '../rough-size.js'
import type { Lane, Position, TaskSettings } from '../task.js'
import { BLOCK_BYTES, BLOCK_TASKS, type Block, type PartMark } from './records.js'

/** A larger value gets a block of its own. */
const OWN_BLOCK_BYTES = 64 * 1024

/** What an append needs to know of a task beyond the task: where it stands in a batch. */
export interface Appended extends NewTask {
  batch?: string
  /** When that was made. */
  born?: number
  stage?: number
  /** Index in the batch's input. */
  index?: number
}

/** Neighbours in one lane that go into one block. */
export interface Group {
  queue: string
  priority: number
  /** Absent: in line. */
  runAt?: number
  batch?: string
  stage?: number
  /** Indexes in the caller's list. */
  members: number[]
  bytes: number
}

/** Sorts tasks into blocks-to-be: those of one lane, time and batch stay together, in order. */
export function group(tasks: readonly Appended[], now: number): Group[] {
  const groups: Group[] = []
  const open = new Map<string, Group>()
  tasks.forEach((task, i) => {
    const runAt = task.runAt !== undefined && task.runAt > now ? task.runAt : undefined
    const key = JSON.stringify([task.queue, task.priority, runAt, task.batch, task.stage])
    const bytes = roughSize(task.input)
    let into = open.get(key)
    const full = into && (into.members.length >= BLOCK_TASKS || into.bytes + bytes > BLOCK_BYTES)
    const large = bytes > OWN_BLOCK_BYTES || (into && into.bytes > OWN_BLOCK_BYTES && into.members.length === 1)
    if (!into || full || large) {
      into = { queue: task.queue, priority: task.priority, members: [], bytes: 0 }
      if (runAt !== undefined) into.runAt = runAt
      if (task.batch !== undefined) into.batch = task.batch
      if (task.stage !== undefined) into.stage = task.stage
      groups.push(into)
      open.set(key, into)
    }
    into.members.push(i)
    into.bytes += bytes
  })
  return groups
}

/** The block of a group, once its place is known. */
export function block(
  tasks: readonly Appended[],
  of: Group,
  at: { lane: Lane; from: Position; now: number; nonce: string },
): Block {
  const members = of.members.flatMap((i) => tasks[i] ?? [])
  const names = members.map((task) => task.name)
  const [first] = names
  const made: Block = {
    lane: at.lane,
    from: at.from,
    to: at.from + members.length,
    at: at.now,
    nonce: at.nonce,
    inputs: members.map((task) => task.input),
    name: first !== undefined && names.every((name) => name === first) ? first : names,
  }
  if (of.batch !== undefined) made.batch = of.batch
  if (members[0]?.born !== undefined) made.born = members[0].born
  if (of.stage !== undefined) {
    made.stage = of.stage
    // Follow-ups come in the order their predecessors ended.
    const { start, indexes } = indexesOf(members)
    if (indexes) made.indexes = indexes
    else made.start = start
  }
  addSettings(
    made,
    members.map((task) => task.settings),
  )
  return made
}

function addSettings(made: Block, settings: readonly (TaskSettings | undefined)[]): void {
  const [first] = settings
  // enqueueMany gives all its tasks the same object.
  if (first && settings.every((one) => one === first)) made.settings = first
  else {
    const own: Record<number, TaskSettings> = {}
    settings.forEach((one, i) => {
      if (one && Object.keys(one).length > 0) own[i] = one
    })
    if (Object.keys(own).length > 0) made.own = own
  }
}

/** Where tasks of a batch lie; neighbouring blocks of one append are one part. */
export function addPart(
  parts: PartMark[],
  tasks: readonly Appended[],
  of: Group,
  made: Block & { batch: string },
): void {
  const { lane, from, to, batch } = made
  const { start, indexes } = indexesOf(of.members.flatMap((i) => tasks[i] ?? []))
  const stage = of.stage ?? 0
  const last = parts.at(-1)
  const follows = last?.lane === lane && last.batch === batch && last.stage === stage && last.to === from
  if (last && follows && !indexes && !last.indexes && last.start + (last.to - last.from) === start) last.to = to
  else parts.push({ batch, stage, start, lane, from, to, ...(indexes ? { indexes } : {}) })
}

/** Indexes in the batch's input: all of them, or only the first where the others follow from it. */
function indexesOf(tasks: readonly Appended[]): { start: number; indexes?: number[] } {
  const indexes = tasks.map((task) => task.index ?? 0)
  const start = indexes[0] ?? 0
  return indexes.every((index, i) => index === start + i) ? { start } : { start: Math.min(...indexes), indexes }
}
