import { expect, onTestFinished } from 'vitest'
import type {
  Backend,
  BatchChunk,
  Change,
  Claimed,
  Exchanged,
  FollowUp,
  NewTask,
  Reads,
  Settlement,
} from '../../src/backend.js'
import type { Storage } from '../../src/storage.js'
import type { Counts, ErrorRecord, HostId, Result, TaskId, TaskState, TaskView } from '../../src/task.js'
import { audit } from '../support/audit.js'

/** A backend under test, with a way to look at what it stored. */
export interface Subject {
  backend: Backend
  storage: Storage
  /** Every transaction runs twice: what was changed is counted by the first run, and nobody hears its answer. */
  repeats: boolean
  close(): Promise<void>
}
export interface Kit {
  make: () => Promise<Subject>
}

export const NOW = 1_700_000_000_000
const LEASE = 30_000
export const boom: ErrorRecord = { name: 'Error', message: 'boom', code: 'bang' }

/** What a test works with. After it the database must balance. */
export async function start({ make }: Kit): Promise<Bench> {
  const subject = await make()
  const bench = new Bench(subject)
  onTestFinished(async () => {
    await audit(subject.storage)
    await subject.close()
  })
  return bench
}

type AddedTask = Partial<NewTask>
type Times = { value?: unknown; followUps?: FollowUp[]; endBatches?: string[] }

export class Bench {
  now = NOW
  readonly backend: Backend
  readonly repeats: boolean
  #hosts = 0

  constructor({ backend, repeats }: Subject) {
    this.backend = backend
    this.repeats = repeats
  }

  /** `tasks`: how many, with inputs 0, 1, 2 …, or what they are. */
  added(tasks: number | readonly AddedTask[], batch?: Partial<BatchChunk> & { id: string }) {
    const list = typeof tasks === 'number' ? Array.from({ length: tasks }, () => ({})) : tasks
    const whole = list.map((task, i): NewTask => ({ queue: 'default', name: 'work', input: i, priority: 0, ...task }))
    const chunk = batch && { offset: 0, open: false, queue: 'default', ...batch }
    return this.backend.add(whole, { now: this.now, ...(chunk ? { batch: chunk } : {}) })
  }

  async add(tasks: number | readonly AddedTask[], batch?: Partial<BatchChunk> & { id: string }): Promise<TaskId[]> {
    const ids = await this.added(tasks, batch)
    return ids.map((id) => id ?? 'ignored')
  }

  host(id: HostId = `host${this.#hosts++}`): TestHost {
    return new TestHost(this, id)
  }

  /** Asks for a change, and checks how many tasks it says it changed. */
  async change(change: Change, count?: number): Promise<void> {
    const changed = await this.backend.change(change)
    if (count !== undefined) expect(this.repeats ? [0, count] : [count]).toContain(changed)
  }

  cancel(ids: TaskId[], count?: number, reason?: string): Promise<void> {
    return this.change({ type: 'cancel', ids, now: this.now, ...(reason === undefined ? {} : { reason }) }, count)
  }

  retry(ids: TaskId[], count?: number): Promise<void> {
    return this.change({ type: 'retry', ids, now: this.now }, count)
  }

  async recover(me: TestHost, o: { dead?: 'others' | 'expired'; left?: HostId[]; maxCrashes?: number } = {}) {
    const options = { dead: 'others', left: [], maxCrashes: 3, ...o } as const
    return this.backend.recover({ ...options, me: me.id, now: this.now })
  }

  async view(id: TaskId): Promise<TaskView | undefined> {
    return (await this.backend.get([id]))[0]
  }

  async result(id: TaskId): Promise<Result | undefined> {
    return (await this.backend.results([id]))[0]
  }

  async states(ids: readonly TaskId[]): Promise<(TaskState | undefined)[]> {
    return (await this.backend.get(ids)).map((view) => view?.state)
  }

  /** Only the states that there are. */
  async counts(queue?: string): Promise<Partial<Counts>> {
    const counts = await this.backend.counts(queue)
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))
  }

  /** All pages. */
  async all<K extends keyof Reads>(kind: K, query: Reads[K]['query']): Promise<Reads[K]['item'][]> {
    const items: Reads[K]['item'][] = []
    let cursor: string | undefined
    for (let pages = 0; pages < 10_000; pages++) {
      const page = await this.backend.read(kind, query, cursor)
      items.push(...page.items)
      if (page.next === undefined) return items
      cursor = page.next
    }
    throw new Error('The pages never end.')
  }

  async list(state: TaskState, limit = 50, queue?: string): Promise<TaskView[]> {
    return this.all('tasks', { state, limit, ...(queue === undefined ? {} : { queue }) })
  }

  /** Prunes until there is no more to do. */
  async prune(o: { age?: number; count?: number } = {}): Promise<void> {
    for (let i = 0; i < 1_000; i++) if (!(await this.backend.prune({ ...o, now: this.now }))) return
    throw new Error('Pruning never ends.')
  }

  /** Claims everything and completes it. Returns the inputs in the order they were claimed. */
  async runAll(limit = 100, value?: (task: Claimed) => unknown): Promise<unknown[]> {
    const host = this.host()
    const inputs: unknown[] = []
    for (let i = 0; i < 1_000; i++) {
      const claimed = await host.claim(limit)
      if (claimed.length === 0) break
      inputs.push(...claimed.map(({ input }) => input))
      await host.complete(claimed, value)
    }
    await host.exchange({ leave: true })
    return inputs
  }
}

interface Step {
  settle?: Settlement[]
  claim?: { limit: number; names?: readonly string[]; queues?: readonly string[] }
  leave?: boolean
  seq?: number
}

/** A host that exchanges what the test says. */
export class TestHost {
  seq = 0
  readonly id: HostId
  readonly #bench: Bench

  constructor(bench: Bench, id: HostId) {
    this.#bench = bench
    this.id = id
  }

  exchange({ settle = [], seq = ++this.seq, ...rest }: Step = {}): Promise<Exchanged> {
    const { now, backend } = this.#bench
    return backend.exchange({ host: this.id, seq, now, until: now + LEASE, settle, ...rest })
  }

  async claim(limit = 100, o: { names?: readonly string[]; queues?: readonly string[] } = {}): Promise<Claimed[]> {
    return (await this.exchange({ claim: { limit, ...o } })).claimed
  }

  async complete(tasks: readonly Claimed[], value?: (task: Claimed) => unknown): Promise<Exchanged> {
    return this.exchange({ settle: tasks.map((task) => this.done(task, value ? { value: value(task) } : {})) })
  }

  async fail(tasks: readonly Claimed[]): Promise<Exchanged> {
    return this.exchange({ settle: tasks.map((task) => this.failed(task)) })
  }

  done({ lane, position, seq, attempt, input }: Claimed, o: Times = {}): Settlement {
    const times = { startedAt: this.#bench.now - 2, finishedAt: this.#bench.now - 1, attempt }
    return { lane, position, seq, to: 'completed', value: input, ...times, ...o }
  }

  failed(
    { lane, position, seq, attempt }: Claimed,
    o: Omit<Times, 'value'> & { error?: ErrorRecord } = {},
  ): Settlement {
    const times = { startedAt: this.#bench.now - 2, finishedAt: this.#bench.now - 1, attempt }
    return { lane, position, seq, to: 'failed', error: boom, ...times, ...o }
  }

  /** Given back unchanged, unless told otherwise. */
  aside(task: Claimed, o: Partial<Extract<Settlement, { to: 'aside' }>> = {}): Settlement {
    const { lane, position, seq, attempt, crashes } = task
    return { lane, position, seq, to: 'aside', order: 0, attempt, crashes, ...o }
  }
}

export const inputs = (tasks: readonly { input: unknown }[]): unknown[] => tasks.map(({ input }) => input)
export const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i)
