import type { Diary } from './diary.js'
import type { Living, Scene } from './scene.js'
import type { Job } from './work.js'

/** What a call comes to whose tab dies. Everything else is an error of the library, or of this suite. */
const DIED = /closed|crashed|navigation|destroyed|detached|disposed|not running/i
/** Between tries, in ms: whoever is dead is replaced meanwhile. */
const PAUSE = 20

/** Sees to it that jobs are done by whichever tabs live: one that is interrupted is called again in another. */
export class Workload {
  readonly #scene: Scene
  readonly #diary: Diary
  readonly #given: Job[] = []
  readonly #open = new Set<Promise<void>>()
  /** Errors that tabs were given although they lived. */
  readonly complaints: string[] = []
  #turn = 0
  /** Jobs of an earlier database are given up. */
  #era = 0

  constructor(scene: Scene, diary: Diary) {
    this.#scene = scene
    this.#diary = diary
  }

  give(jobs: readonly Job[]): void {
    for (const job of jobs) {
      this.#given.push(job)
      this.#begin(job)
    }
  }

  /** The database is another one: everything is to be done again. */
  again(): void {
    this.#era++
    for (const job of this.#given) this.#begin(job)
  }

  /** Resolves once every job is done. */
  async done(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open)
  }

  #begin(job: Job): void {
    const doing = this.#do(job, this.#era).finally(() => this.#open.delete(doing))
    this.#open.add(doing)
  }

  async #do(job: Job, era: number): Promise<void> {
    let left: Job | undefined = job
    while (left && era === this.#era) {
      const { awake } = this.#scene
      const living: Living | undefined = awake[this.#turn++ % awake.length]
      if (!living) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE))
        continue
      }
      try {
        await this.#in(living, left)
        return
      } catch (error) {
        const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
        if (!DIED.test(message)) {
          this.complaints.push(message)
          this.#diary.write(`${living.name} complains: ${message}`)
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE))
        left = era === this.#era ? this.#rest(left) : undefined
      }
    }
  }

  #in(living: Living, job: Job): Promise<void> {
    if (job.type === 'singles') return this.#scene.call(living, 'singles', job)
    return job.type === 'import' ? this.#scene.call(living, 'import', job) : this.#scene.call(living, 'flow', job)
  }

  /**
   * Batches and runs go on where they stopped, by their id. Single tasks have none to go by: the one that was under way may
   * be stored or not, as its caller would have to find out; this caller leaves it at that.
   */
  #rest(job: Job): Job | undefined {
    if (job.type !== 'singles') return job
    const at = job.tasks.findIndex(({ item }) => !this.#scene.books.acknowledged.has(item.key))
    const tasks = at < 0 ? [] : job.tasks.slice(at + 1)
    return tasks.length > 0 ? { ...job, tasks } : undefined
  }
}
