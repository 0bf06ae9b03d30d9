import type { AddOptions, NewTask } from '../backend.js'
import { SitqError, StorageError } from '../errors.js'
import type { TaskId } from '../task.js'
import type { Client } from './client.js'

type Durability = AddOptions['durability']

/** A task to be stored, which must not change any more, and who is to be told. */
export interface Entry {
  task: NewTask
  durability: Durability
  /** It is committed. */
  stored(id: TaskId): void
  failed(error: unknown): void
}

/** Most tasks in one group. */
const GROUP = 4_096
/** How many adds may go to finding the tasks for whose sake a group failed: halving finds one in 4,096 with 24. */
const SEARCHES = 64

/**
 * Puts together the tasks that are enqueued in one turn of the microtask queue: a transaction costs the same for one as
 * for hundreds. Nothing waits for a group that is on its way.
 */
export class Enqueuer {
  readonly #client: Client
  #group: Entry[] = []
  readonly #busy = new Set<Promise<void>>()

  constructor(client: Client) {
    this.#client = client
  }

  add(entry: Entry): void {
    if (this.#group.length === 0) queueMicrotask(() => this.#flush())
    this.#group.push(entry)
    if (this.#group.length >= GROUP) this.#flush()
  }

  /** Resolves when everything that was added so far is stored or refused. */
  async idle(): Promise<void> {
    this.#flush()
    await Promise.all(this.#busy)
  }

  #flush(): void {
    const group = this.#group
    this.#group = []
    if (group.length === 0) return
    const work: Promise<void> = this.#store(group, { left: SEARCHES }).finally(() => this.#busy.delete(work))
    this.#busy.add(work)
  }

  /** A task the storage refuses must not take the others down with it: the group is halved until it stands alone. */
  async #store(group: readonly Entry[], searches: { left: number }): Promise<void> {
    const { backend, clock } = this.#client
    const durability = strictest(group)
    const tasks = group.map(({ task }) => task)
    let ids: readonly (TaskId | undefined)[]
    try {
      ids = await backend.add(tasks, { now: clock.now(), ...(durability ? { durability } : {}) })
    } catch (error) {
      if (group.length === 1 || isHopeless(error) || searches.left < 2) {
        for (const { failed } of group) failed(error)
        return
      }
      searches.left -= 2
      const half = group.length >> 1
      await this.#store(group.slice(0, half), searches)
      await this.#store(group.slice(half), searches)
      return
    }
    group.forEach(({ stored, failed }, i) => {
      const id = ids[i]
      if (id === undefined) failed(new SitqError('internal', 'The backend gave no id for a task it stored.'))
      else stored(id)
    })
    this.#client.added(tasks.map(({ queue }) => queue))
  }
}

/** The order of a group is kept, so it has one durability: that of its most demanding task. */
function strictest(group: readonly Entry[]): Durability {
  if (group.some(({ durability }) => durability === 'strict')) return 'strict'
  return group.some(({ durability }) => durability === undefined) ? undefined : 'relaxed'
}

/**
 * A storage that is gone refuses every task alike. One that is full may still take a smaller one, and where one task is too
 * large, or has a Blob that cannot be stored there, the others are not.
 */
const isHopeless = (error: unknown) =>
  error instanceof StorageError && !['quota', 'broken', 'uncloneable'].includes(error.code)
