import { Books } from './books.js'
import { Diary } from './diary.js'
import { type Death, type Kind, killsOf, kinds, lockKinds, perform } from './kills.js'
import { Looks } from './looks.js'
import { Scene } from './scene.js'
import { Seeded } from './seeded.js'
import type { Site } from './site.js'
import { judge, type Verdict } from './verdict.js'
import { type Job, type Single, workOf } from './work.js'
import { Workload } from './workload.js'

export interface SeedOptions {
  seed: number
  kills: number
  /** About so many are stored. */
  tasks: number
  /** Kinds of kills. Default: all. */
  among?: readonly Kind[]
  /** Default: true. Without a secure context there are no locks, and kinds of kills that take one are left out. */
  secure?: boolean
}

export interface Played extends Verdict {
  seed: number
  ms: number
  deaths: readonly Death[]
  /** Databases that the browser deleted. */
  deletions: number
  /** Of these, how many the library has told of. */
  reported: number
  /** Tasks that were acknowledged in databases that the browser deleted. */
  gone: number
  /** From a kill until the next execution, in ms, by kind. */
  pauses: { kind: Kind; ms: number }[]
  diary: Diary
}

/** A kill is not waited for longer than this, in ms, if fewer tasks run than were hoped for. */
const LONGEST_PAUSE = 4_000
/** After the last kill everything ends within this, in ms; an open transaction of a frozen page alone takes 60 s. */
const QUIET_WITHIN = 180_000
/** Tabs beside the host. */
const STANDBYS = 1

/**
 * Plays a seed: work and kills at once, until both are done and everything is quiet; then judges.
 *
 * What is repeatable is the script: which tasks are stored in which batches, what their handlers do, which kills come in which
 * order, after how many executions, and whom they are meant for. What is not is real time: where in its code a page is when
 * it dies. Played again, a seed that failed comes close to the same moments, not to the same instruction; play it a few times.
 */
export async function play(
  site: Site,
  { seed, kills, tasks, among = kinds, secure = true }: SeedOptions,
): Promise<Played> {
  const scene = new Scene(site, `chaos-${seed}`, { secure })
  try {
    const possible = secure ? among : among.filter((kind) => !lockKinds.includes(kind))
    return await new Play(scene, seed).run(kills, tasks, possible)
  } finally {
    await scene.end()
  }
}

class Play {
  readonly #scene: Scene
  readonly #seed: number
  readonly #random: Seeded
  readonly #diary = new Diary()
  readonly #workload: Workload
  readonly #jobs: Job[] = []
  #singles: Single[] = []
  /** Of the database that is there, and of those before. */
  #deaths: Death[] = []
  readonly #allDeaths: Death[] = []
  #looks = new Looks()
  readonly #pauses: Played['pauses'] = []
  #origin: string | undefined
  #deletions = 0
  #reported = 0
  #gone = 0
  /** Executions in databases that are gone. */
  #before = 0
  /** Faults found on the way. */
  readonly #faults: string[] = []

  constructor(scene: Scene, seed: number) {
    this.#scene = scene
    this.#seed = seed
    this.#random = new Seeded(seed)
    this.#workload = new Workload(scene, this.#diary)
  }

  async run(kills: number, tasks: number, among: readonly Kind[]): Promise<Played> {
    const from = Date.now()
    const script = killsOf(kills, this.#random, among, this.#scene.secure)
    const share = tasks / kills
    await this.#scene.start()
    await this.#man()
    for (const [i, kill] of script.entries()) {
      const jobs = workOf(i, share, this.#random)
      this.#jobs.push(...jobs)
      for (const job of jobs) if (job.type === 'singles') this.#singles.push(...job.tasks)
      this.#workload.give(jobs)
      const moment = this.#random.next()
      const due = (i + moment) * share * 0.9
      await this.#scene.books.until(() => this.#before + this.#scene.books.runs.length >= due, LONGEST_PAUSE)
      // What goes wrong here is told with everything that led to it.
      const death = await perform(kill, this.#scene).catch((error) => void this.#faults.push(String(error)))
      if (death) this.#died(death)
      if (kill.kind === 'spin') this.#singles.push({ name: 'spin', item: kill, options: { retry: { attempts: 3 } } })
      await this.#man()
      await this.#look()
    }
    await this.#workload.done()
    this.#diary.write(`All is stored; ${this.#scene.books.runs.length} executions so far`)
    const verdict = await this.#verdict()
    const faults = [...this.#faults, ...verdict.faults]
    for (const fault of faults) this.#diary.write(`FAULT ${fault}`)
    const { length: complaints } = this.#workload.complaints
    if (complaints > 0)
      faults.push(`${complaints} calls were rejected: ${[...new Set(this.#workload.complaints)].join('; ')}`)
    const [seed, deaths, diary] = [this.#seed, this.#allDeaths, this.#diary]
    const [deletions, reported, gone, pauses] = [this.#deletions, this.#reported, this.#gone, this.#pauses]
    return { ...verdict, faults, seed, ms: Date.now() - from, deaths, deletions, reported, gone, pauses, diary }
  }

  #died(death: Death): void {
    const { books } = this.#scene
    this.#deaths.push(death)
    this.#allDeaths.push(death)
    this.#diary.write(`${death.kind}: ${death.what}; ${books.runs.length} executions so far`)
    const [runs, at] = [books.runs.length, Date.now()]
    const next = books.until(() => books.runs.length > runs, LONGEST_PAUSE)
    void next.then((ran) => ran && this.#pauses.push({ kind: death.kind, ms: Date.now() - at }))
  }

  /** Sees to it that there are a browser, a host and a standby. */
  async #man(): Promise<void> {
    if (this.#scene.tabs.size === 0 && this.#allDeaths.at(-1)?.kind === 'browser') {
      await this.#scene.start()
      await this.#compare()
    }
    while (this.#scene.tabs.size < 1 + STANDBYS) await this.#scene.openWorker()
    this.#origin ??= await this.#root()
  }

  async #root(): Promise<string | undefined> {
    const [living] = this.#scene.tabs
    return living && this.#scene.call(living, 'root')
  }

  /**
   * Chromium, killed in mid-write, may find its database damaged at a later start and delete it (PLATFORM.md, google/leveldb#1287).
   * Then nothing of what was acknowledged is there any more, and all begins anew. This is seen here by looking at the database
   * before the library opens it.
   */
  async #compare(): Promise<void> {
    const onlooker = await this.#scene.open(0)
    const origin = await this.#scene.call(onlooker, 'root')
    await this.#scene.close(onlooker)
    if (this.#origin === undefined || origin === this.#origin) return
    this.#diary.write(`Chromium has deleted the database: ${this.#origin} is ${origin ?? 'gone'}`)
    this.#deletions++
    const old = this.#scene.books
    this.#gone += old.acknowledged.size
    this.#before += old.runs.length
    this.#scene.books = new Books()
    this.#looks = new Looks()
    this.#deaths = []
    this.#singles = this.#singles.filter(({ name }) => name !== 'spin')
    this.#origin = undefined
    await this.#scene.openWorker()
    // It is for the library to notice, by what it keeps outside of the database, and to say so.
    if (await this.#scene.books.until(() => this.#scene.books.storage.some(({ event }) => event === 'deleted'), 2_000))
      this.#reported++
    this.#workload.again()
  }

  /** A recount after each kill, in the middle of everything: what is stored is right at any moment, not only in the end. */
  async #look(): Promise<void> {
    const [living] = this.#scene.awake
    if (!living) return
    const acknowledged = new Map(this.#scene.books.acknowledged)
    const recount = await this.#scene.recount(living)
    const faults = [...recount.faults, ...this.#looks.compare(recount, acknowledged)]
    for (const fault of faults) this.#faults.push(`in the middle: ${fault}`)
  }

  async #verdict(): Promise<Verdict> {
    const [living] = this.#scene.awake
    if (!living) throw new Error('No tab is left.')
    await this.#quiet()
    const flows = new Map<string, number | string>()
    for (const job of this.#jobs) {
      if (job.type === 'flow') flows.set(job.id, await this.#scene.call(living, 'flowResults', job))
    }
    this.#diary.write(`All is quiet; ${this.#scene.books.runs.length} executions`)
    const recount = await this.#scene.recount(living)
    const counts = await this.#scene.call(living, 'counts')
    const { books } = this.#scene
    this.#faults.push(...this.#looks.compare(recount, books.acknowledged))
    const { secure } = this.#scene
    return judge({
      secure,
      books,
      deaths: this.#deaths,
      jobs: this.#jobs,
      singles: this.#singles,
      recount,
      counts,
      flows,
    })
  }

  /** Waits until nothing is left to do. What does not end is for the verdict to find. */
  async #quiet(): Promise<void> {
    const end = Date.now() + QUIET_WITHIN
    while (Date.now() < end) {
      const [living] = this.#scene.awake
      const counts = living && (await this.#scene.call(living, 'counts'))
      if (counts && counts.available + counts.scheduled + counts.running + counts.blocked === 0) return
      await this.#scene.books.until(() => false, 100)
    }
    this.#diary.write('It does not get quiet.')
  }
}
