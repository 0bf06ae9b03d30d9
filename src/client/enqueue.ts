import type { AddOptions, NewTask } from '../backend.js'
import { SitqError, StorageError } from '../errors.js'
import type { TaskId } from '../task.js'
import type { Client } from './client.js'

type Durability = AddOptions['durability']

/** Most tasks in one group. */
const GROUP = 4_096
/** How many adds may go to finding the tasks for whose sake a group failed: halving finds one in 4,096 with 24. */
const SEARCHES = 64

/** Tasks that are stored together, and what came of each. One promise serves them all: what waits is what garbage collection costs. */
class Group {
  readonly tasks: NewTask[] = []
  /** That of its most demanding task: its order is kept, so it has one. */
  durability: Durability = 'relaxed'
  /** Resolves when each of them is stored or refused. */
  readonly over: Promise<void>
  /** When that was, by the monotonic clock. */
  at = 0
  end: () => void = () => {}
  readonly #ids: (TaskId | undefined)[] = []
  readonly #refused = new Map<number, unknown>()

  constructor() {
    this.over = new Promise((resolve) => {
      this.end = resolve
    })
  }

  /** Returns its place. */
  add(task: NewTask, durability: Durability): number {
    if (durability === 'strict' || this.durability === 'relaxed') this.durability = durability
    return this.tasks.push(task) - 1
  }

  stored(from: number, ids: readonly (TaskId | undefined)[]): void {
    this.#ids.length = from // those before it may have been refused
    this.#ids.push(...ids)
  }

  refused(from: number, to: number, error: unknown): void {
    for (let place = from; place < to; place++) this.#refused.set(place, error)
  }

  /** Throws what kept it from being stored. */
  idOf(place: number): TaskId {
    const id = this.#ids[place]
    if (id !== undefined) return id
    if (this.#refused.has(place)) throw this.#refused.get(place)
    throw new SitqError('internal', 'The backend gave no id for a task it stored.')
  }
}

/**
 * Puts together the tasks that are enqueued in one turn of the microtask queue: a transaction costs the same for one as
 * for hundreds. Nothing waits for a group that is on its way.
 */
export class Enqueuer {
  readonly #client: Client
  #group: Group | undefined
  readonly #busy = new Set<Promise<void>>()

  constructor(client: Client) {
    this.#client = client
  }

  /**
   * Stores a task, which must not change any more. Resolves once it is committed, with what `made` makes of its id and of the time
   * when that was heard, by the monotonic clock.
   */
  add<T>(task: NewTask, durability: Durability, made: (id: TaskId, at: number) => T): Promise<T> {
    const group = this.#group ?? this.#begin()
    const place = group.add(task, durability)
    if (group.tasks.length >= GROUP) this.#flush()
    return group.over.then(() => made(group.idOf(place), group.at))
  }

  /** Resolves when everything that was added so far is stored or refused. */
  async idle(): Promise<void> {
    this.#flush()
    await Promise.all(this.#busy)
  }

  #begin(): Group {
    queueMicrotask(() => this.#flush())
    this.#group = new Group()
    return this.#group
  }

  #flush(): void {
    const group = this.#group
    this.#group = undefined
    if (!group) return
    const work: Promise<void> = this.#store(group, 0, group.tasks.length, { left: SEARCHES }).finally(() => {
      group.at = this.#client.clock.monotonic()
      group.end()
      this.#busy.delete(work)
    })
    this.#busy.add(work)
  }

  /** A task the storage refuses must not take the others down with it: the group is halved until it stands alone. */
  async #store(group: Group, from: number, to: number, searches: { left: number }): Promise<void> {
    const { backend, clock } = this.#client
    const { durability } = group
    const tasks = group.tasks.slice(from, to)
    try {
      const ids = await backend.add(tasks, { now: clock.now(), ...(durability ? { durability } : {}) })
      group.stored(from, ids)
    } catch (error) {
      if (tasks.length === 1 || isHopeless(error) || searches.left < 2) {
        group.refused(from, to, error)
        return
      }
      searches.left -= 2
      const middle = from + (tasks.length >> 1)
      await this.#store(group, from, middle, searches)
      await this.#store(group, middle, to, searches)
      return
    }
    this.#client.added(tasks.map(({ queue }) => queue))
  }
}

/**
 * A storage that is gone refuses every task alike. One that is full may still take a smaller one, and where one task is too
 * large, or has a Blob that cannot be stored there, the others are not.
 */
const isHopeless = (error: unknown) =>
  error instanceof StorageError && !['quota', 'broken', 'uncloneable'].includes(error.code)
