import { expect } from 'vitest'
import type { Reads } from '../../src/backend.js'
import type { Result, TaskView } from '../../src/task.js'
import { audit } from '../support/audit.js'
import type { ModelTask } from './model.js'
import { states } from './steps.js'
import type { Client, World } from './world.js'

/** Compares plain data; fails with what differs. Much faster than `expect`, which is asked only for the message. */
export function same(actual: unknown, wanted: unknown, what: string): void {
  if (equal(actual, wanted)) return
  expect(actual, what).toEqual(wanted)
  throw new Error(`${what}: not the same`)
}

/** As `toEqual` has it: what is undefined may be missing. */
function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]))
  for (const key in a) if (!equal(Reflect.get(a, key), Reflect.get(b, key))) return false
  for (const key in b) if (Reflect.get(b, key) !== undefined && Reflect.get(a, key) === undefined) return false
  return true
}

export const pick = <T>(from: readonly T[], picks: readonly number[]): T[] =>
  [...new Set(picks.map((n) => n % Math.max(1, from.length)))].flatMap((n) => from[n] ?? [])

/** Everything a client can read must be what the model says, and the stored books must balance. Lists take longest. */
export async function check(world: World, client: Client, page: number, lists: boolean): Promise<void> {
  const { model, database } = world
  const { backend } = client
  await audit(database.raw)
  const tasks = model.tasks
  const ids = tasks.map(({ id }) => id)
  same(new Set(ids).size, ids.length, 'ids are unique')
  const [views, results] = await Promise.all([backend.get(ids), backend.results(ids)])
  tasks.forEach((task, i) => {
    same(views[i], viewOf(world, task), `task ${task.id}`)
    same(results[i], resultOf(task), `result of ${task.id}`)
  })
  for (const queue of [undefined, ...model.queues])
    same(await backend.counts(queue), model.counts(queue), `counts of ${queue ?? 'all'}`)
  await checkBatches(world, client, page)
  if (lists) for (const state of states) await checkList(world, client, state, page)
}

async function checkBatches({ model }: World, { backend }: Client, page: number): Promise<void> {
  const listed = await all(backend, 'batches', { limit: page })
  const wanted = [...model.batches.values()].map((batch) => model.batchView(batch))
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1)
  same(listed.map(withoutPace).sort(byId), wanted.sort(byId), 'batches')
  const times = listed.map(({ createdAt }) => createdAt)
  same(
    times,
    [...times].sort((a, b) => b - a),
    'batches are listed newest first',
  )
  for (const batch of model.batches.values()) {
    const view = await backend.batch(batch.id)
    same(view && withoutPace(view), model.batchView(batch), `batch ${batch.id}`)
    for (let stage = 0; stage < (batch.stages?.length ?? 1); stage++) {
      const parts = await all(backend, 'parts', { batch: batch.id, stage, limit: page })
      const found = parts.flatMap(({ lane, from, to, start, indexes }) =>
        Array.from({ length: to - from }, (_, i) => [indexes?.[i] ?? start + i, lane, from + i]),
      )
      const mine = batch.tasks.filter((task) => (task.stage ?? 0) === stage)
      const places = mine.map(({ index = -1, lane, position }) => [index, lane, position])
      const inOrder = (a: number[], b: number[]) => (a[0] ?? 0) - (b[0] ?? 0)
      same(found.sort(inOrder), places.sort(inOrder), `places of stage ${stage} of batch ${batch.id}`)
      const [first] = parts
      if (!first) continue
      const ended = await all(backend, 'ended', { lane: first.lane, from: first.from, to: first.to, limit: page })
      const covered = model.tasks.filter(
        (t) => t.lane === first.lane && t.position >= first.from && t.position < first.to,
      )
      const results = covered.sort((a, b) => a.position - b.position).flatMap((task) => resultOf(task) ?? [])
      same(ended, results, `what has ended of a part of batch ${batch.id}`)
    }
  }
}

function withoutPace<T extends object>(view: T): T {
  return { ...view, pace: undefined }
}

async function checkList(
  world: World,
  { backend }: Client,
  state: (typeof states)[number],
  limit: number,
): Promise<void> {
  const { model } = world
  const listed = await all(backend, 'tasks', { state, limit })
  const mine = model.tasks.filter((task) => model.state(task) === state)
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1)
  const wanted = mine.map((task) => viewOf(world, task))
  same([...listed].sort(byId), wanted.sort(byId), `list of ${state} tasks`)
  if (state === 'available') {
    const order = model.queues.sort().flatMap((queue) => model.inOrder(queue).filter((t) => model.state(t) === state))
    same(
      listed.map(({ id }) => id),
      order.map(({ id }) => id),
      'available tasks, in the order they would run',
    )
  }
}

/** All pages. */
async function all<K extends keyof Reads>(
  backend: Client['backend'],
  kind: K,
  query: Reads[K]['query'],
): Promise<Reads[K]['item'][]> {
  const items: Reads[K]['item'][] = []
  let cursor: string | undefined
  for (let pages = 0; pages < 10_000; pages++) {
    const page = await backend.read(kind, query, cursor)
    items.push(...page.items)
    if (page.next === undefined) return items
    cursor = page.next
  }
  throw new Error(`The pages of ${kind} never end.`)
}

function viewOf({ model }: World, task: ModelTask): TaskView {
  const { id, queue, name, input, priority, enqueuedAt, attempt, crashes, place, batchId } = task
  const state = model.state(task)
  const view: TaskView = { id, queue, name, state, input, priority, enqueuedAt, attempt, crashes, settings: {} }
  if (batchId !== undefined) view.batch = batchId
  const result = resultOf(task)
  if (result) view.result = result
  if (place.at !== 'aside') return view
  if (state === 'scheduled') view.runAt = place.order
  if (place.why !== undefined) view.why = place.why
  if (place.error !== undefined) view.lastError = place.error
  return view
}

function resultOf({ id, name, attempt, enqueuedAt, place }: ModelTask): Result | undefined {
  return place.at === 'ended' ? { id, name, attempts: attempt, enqueuedAt, ...place.outcome } : undefined
}
