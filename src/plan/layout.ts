/** Laying tasks out in blocks, before anyone knows where the blocks will lie. */
import type { AlikeTasks, NewTask } from '../backend.js'
import { roughSize } from '../rough-size.js'
import type { Lane, Position, TaskSettings } from '../task.js'
import { BLOCK_BYTES, BLOCK_TASKS, type Block, type PartMark } from './records.js'

/** A larger value gets a block of its own. */
const OWN_BLOCK_BYTES = 64 * 1024

/** What an append needs to know of tasks beyond the tasks: where they stand in a batch. */
export interface Joined {
  batch?: string
  /** When that was made. */
  born?: number
  stage?: number
  /** In the batch's input: of the task, or of the first one. */
  index?: number
}
export type Appended = NewTask & Joined

/** Tasks of any kind, or many of one kind. */
export type NewTasks = readonly NewTask[] | AlikeTasks
const isAlike = (tasks: NewTasks): tasks is AlikeTasks => 'inputs' in tasks
export const countOf = (tasks: NewTasks): number => (isAlike(tasks) ? tasks.inputs.length : tasks.length)

/** Neighbours in one lane that go into one block. */
export interface Stretch {
  queue: string
  priority: number
  /** Absent: in line. Else when each is due, or all are; they are in that order. */
  runAt?: number | number[]
  /** What its block will hold. */
  content: Omit<Block, 'lane' | 'from' | 'to' | 'at' | 'nonce'>
  /** In the batch's input: of the first, or the least one if they do not follow each other. */
  start: number
  indexes?: number[]
  /** Where the tasks stood in the caller's list. Absent: they were one after the other, as the stretches are. */
  members?: number[]
}

/** What comes together in a block. */
interface Gathering {
  like: Appended
  held: boolean
  tasks: Appended[]
  members: number[]
  bytes: number
}

/** When a task is due that must wait for it. */
const heldUntil = ({ runAt }: { runAt?: number }, now: number): number | undefined =>
  runAt !== undefined && runAt > now ? runAt : undefined

/** Whether a block that holds so many tasks and bytes takes one more, of that size. */
const hasRoom = (tasks: number, bytes: number, size: number): boolean =>
  tasks < BLOCK_TASKS &&
  bytes + size <= BLOCK_BYTES &&
  size <= OWN_BLOCK_BYTES &&
  !(tasks === 1 && bytes > OWN_BLOCK_BYTES)

/** The blocks-to-be of tasks, without the first ones. `joined`: the batch that they join. */
export function layOut(tasks: NewTasks, now: number, skip = 0, joined?: Joined): Stretch[] {
  if (isAlike(tasks)) return cut({ ...tasks, ...joined }, now, skip)
  if (!joined) return group(tasks, now)
  const { index = 0 } = joined
  const rest = tasks.slice(skip).map((task, i) => ({ ...task, ...joined, index: index + i }))
  return group(rest, now)
}

/** Sorts tasks into blocks-to-be: those of one lane and batch stay together, in order; held ones in the order they are due. */
export function group(tasks: readonly Appended[], now: number): Stretch[] {
  const gatherings: Gathering[] = []
  const open = new Map<string, Gathering>()
  let last: Gathering | undefined
  const order = inOrder(tasks, now)
  for (let n = 0; n < tasks.length; n++) {
    const i = order?.[n] ?? n
    const task = tasks[i]
    if (!task) continue
    const held = order !== undefined && heldUntil(task, now) !== undefined
    const size = roughSize(task.input)
    let into = last && goesWith(last, task, held) ? last : open.get(keyOf(task, held))
    if (!into || !hasRoom(into.members.length, into.bytes, size)) {
      into = { like: task, held, tasks: [], members: [], bytes: 0 }
      gatherings.push(into)
      open.set(keyOf(task, held), into)
    }
    into.tasks.push(task)
    into.members.push(i)
    into.bytes += size
    last = into
  }
  return gatherings.map(gathered)
}

/** Indexes of the tasks: those in line as they come, then those that are held, by time. undefined: none is. */
function inOrder(tasks: readonly Appended[], now: number): number[] | undefined {
  if (!tasks.some((task) => heldUntil(task, now) !== undefined)) return undefined
  const timeOf = (i: number) => (tasks[i] && heldUntil(tasks[i], now)) ?? 0
  return [...tasks.keys()].sort((a, b) => timeOf(a) - timeOf(b))
}

const goesWith = ({ like, held }: Gathering, task: Appended, isHeld: boolean): boolean =>
  like.queue === task.queue &&
  like.priority === task.priority &&
  held === isHeld &&
  like.batch === task.batch &&
  like.stage === task.stage

const keyOf = ({ queue, priority, batch, stage }: Appended, held: boolean): string =>
  JSON.stringify([queue, priority, held, batch, stage])

function gathered({ like, held, tasks, members }: Gathering): Stretch {
  const { start, indexes } = like.batch === undefined ? { start: 0 } : indexesOf(tasks)
  const made: Stretch = {
    queue: like.queue,
    priority: like.priority,
    content: {
      inputs: tasks.map((task) => task.input),
      name: tasks.every(({ name }) => name === like.name) ? like.name : tasks.map(({ name }) => name),
      ...joinedIn(like, start, indexes),
      ...settingsIn(tasks.map((task) => task.settings)),
    },
    start,
    members,
  }
  if (held) made.runAt = tasks.map((task) => task.runAt ?? 0)
  if (indexes) made.indexes = indexes
  return made
}

/** The same of tasks that are alike, without the first ones. */
function cut(tasks: AlikeTasks & Joined, now: number, skip: number): Stretch[] {
  const { queue, priority, name, inputs, sizes, settings, index = 0 } = tasks
  const runAt = heldUntil(tasks, now)
  const stretches: Stretch[] = []
  for (let from = skip; from < inputs.length; ) {
    let bytes = 0
    let to = from
    do bytes += sizes[to++] ?? 0
    while (to < inputs.length && hasRoom(to - from, bytes, sizes[to] ?? 0))
    const start = index + from - skip
    const content = { inputs: inputs.slice(from, to), name, ...joinedIn(tasks, start), ...settingsIn([settings]) }
    stretches.push({ queue, priority, content, start, ...(runAt === undefined ? {} : { runAt }) })
    from = to
  }
  return stretches
}

/** What a block says of its tasks' batch. */
function joinedIn({ batch, born, stage }: Joined, start: number, indexes?: number[]) {
  return {
    ...(batch === undefined ? {} : { batch }),
    ...(born === undefined ? {} : { born }),
    // Follow-ups come in the order their predecessors ended.
    ...(stage === undefined ? {} : { stage, ...(indexes ? { indexes } : { start }) }),
  }
}

function settingsIn(settings: readonly (TaskSettings | undefined)[]): Pick<Block, 'settings' | 'own'> {
  const [first] = settings
  // The same object for all: it was given for all.
  if (settings.every((one) => one === first)) return first ? { settings: first } : {}
  const own: Record<number, TaskSettings> = {}
  settings.forEach((one, i) => {
    if (one && Object.keys(one).length > 0) own[i] = one
  })
  return Object.keys(own).length > 0 ? { own } : {}
}

/** Its block, once its place is known. */
export function block({ content }: Stretch, at: { lane: Lane; from: Position; now: number; nonce: string }): Block {
  const { lane, from, now, nonce } = at
  return { lane, from, to: from + content.inputs.length, at: now, nonce, ...content }
}

/** Where tasks of batches lie; neighbouring blocks of one append are one part. */
export function partsOf(stretches: readonly Stretch[], blocks: readonly Block[]): PartMark[] {
  const parts: PartMark[] = []
  for (const [i, { lane, from, to, batch, stage = 0 }] of blocks.entries()) {
    if (batch === undefined) continue
    const { start, indexes } = stretches[i] ?? { start: 0 }
    const last = parts.at(-1)
    const follows = last?.lane === lane && last.batch === batch && last.stage === stage && last.to === from
    if (last && follows && !indexes && !last.indexes && last.start + (last.to - last.from) === start) last.to = to
    else parts.push({ batch, stage, start, lane, from, to, ...(indexes ? { indexes } : {}) })
  }
  return parts
}

/** Indexes in the batch's input: all of them, or only the first where the others follow from it. */
function indexesOf(tasks: readonly Appended[]): Pick<Stretch, 'start' | 'indexes'> {
  const indexes = tasks.map((task) => task.index ?? 0)
  const start = indexes[0] ?? 0
  return indexes.every((index, i) => index === start + i) ? { start } : { start: Math.min(...indexes), indexes }
}
