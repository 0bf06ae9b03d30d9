import type { Durations } from '../execute/durations.js'
import type { Run, WorkerView } from '../executor.js'
import type { WorkerHandle } from './worker-handle.js'

/** A run from the moment it is given until it is reported, and until its Web Worker is done with it. */
export interface Entry {
  readonly run: Run
  /** Who has it. Absent: it waits. */
  member?: Member | undefined
  /** It was announced to begin, ms since the epoch. */
  startedAt?: number | undefined
  /** The host knows how it ended; whatever its Web Worker says of it is not passed on. */
  reported: boolean
  /** Why it was aborted, if it was. */
  aborted?: DOMException
  /** It is one of those that may have crashed a Web Worker. The same for all suspects of one crash. */
  inquiry?: symbol | undefined
  /** Calls off what happens to it when its time is up. */
  callOff?: (() => void) | undefined
}

/** A Web Worker of the pool and what it was given. */
export class Member {
  readonly number: number
  readonly handle: WorkerHandle
  readonly #concurrency: number
  /** In the order given. */
  readonly given = new Map<number, Entry>()
  readonly #perName = new Map<string, number>()
  ready = false
  /** It has one suspect and gets nothing else. */
  alone = false
  ended = 0
  /** When it began with what it has, or last told of an end: monotonic. */
  progressAt = 0
  /** Those it was told to abort: it may have to be killed for one of them. */
  readonly aborting = new Set<number>()
  /** It was asked to give back what has not begun, and has not been heard since. */
  recalling = false

  constructor(number: number, concurrency: number, handle: WorkerHandle) {
    this.number = number
    this.#concurrency = concurrency
    this.handle = handle
  }

  add(entry: Entry, now: number): void {
    if (this.given.size === 0) this.progressAt = now
    entry.member = this
    this.given.set(entry.run.key, entry)
    this.#perName.set(entry.run.name, this.count(entry.run.name) + 1)
  }

  /** Undefined: it was not given that. */
  remove(key: number): Entry | undefined {
    const entry = this.given.get(key)
    if (!entry) return undefined
    entry.member = undefined
    this.given.delete(key)
    this.aborting.delete(key)
    const left = this.count(entry.run.name) - 1
    if (left > 0) this.#perName.set(entry.run.name, left)
    else this.#perName.delete(entry.run.name)
    if (this.given.size === 0) this.alone = false
    return entry
  }

  count(name: string): number {
    return this.#perName.get(name) ?? 0
  }

  /** How long what it has will keep it busy, in ms, as far as can be told. */
  load(durations: Durations): number {
    let ms = 0
    for (const [name, count] of this.#perName) ms += count * (durations.mean(name) ?? 0)
    return ms / this.#concurrency
  }

  /** All its slots are taken. */
  get isFull(): boolean {
    return this.given.size >= this.#concurrency
  }

  /** Runs it has that cannot have begun all. */
  get waiting(): number {
    return Math.max(0, this.given.size - this.#concurrency)
  }

  /** Keys of the attempts that were announced. */
  marked(): number[] {
    return [...this.given.values()].filter(({ startedAt }) => startedAt !== undefined).map(({ run }) => run.key)
  }

  /** The one attempt under way, where it is known: nothing else has begun. */
  get surelyRunning(): number | undefined {
    return this.#concurrency === 1 ? this.marked()[0] : undefined
  }

  view(): WorkerView {
    const running: WorkerView['running'] = []
    for (const { run, startedAt, reported } of this.given.values()) {
      if (reported) continue
      const { key, id, name } = run
      running.push(startedAt === undefined ? { key, id, name } : { key, id, name, startedAt })
    }
    const stopping = running.length === 0 && this.given.size > 0
    const state = !this.ready ? 'starting' : stopping ? 'stopping' : running.length > 0 ? 'busy' : 'idle'
    return { worker: this.number, state, running, ended: this.ended }
  }
}
