import type { AddOptions, Change, Exchange, NewTask, Settlement } from '../../src/backend.js'
import type { Counts, ErrorRecord, TaskState } from '../../src/task.js'

/**
 * What a backend promises, as plainly as it can be said: a list of tasks, each in one place, and batches that are counted by
 * counting. It knows no blocks, marks or counters, shares no code with the plans and is far too slow for anything but tests.
 */

type Place =
  | { at: 'line' }
  | { at: 'aside'; order: number; gate?: string; why?: string; error?: ErrorRecord }
  | { at: 'held'; host: string; seq: number }
  | { at: 'ended'; outcome: Outcome }

export type Outcome = { finishedAt: number; startedAt?: number } & (
  | { status: 'completed'; value: unknown }
  | { status: 'failed'; error: ErrorRecord }
  | { status: 'cancelled'; reason?: string }
)

/** A stage of a pipeline, without counts. */
export type StageOf =
  | { kind: 'map'; name: string }
  | { kind: 'filter'; name: string }
  | { kind: 'filter'; field: string }

export interface ModelTask {
  /** `''` until someone has looked: the ids of follow-ups are told to nobody. */
  id: string
  lane: number
  position: number
  queue: string
  name: string
  input: unknown
  priority: number
  enqueuedAt: number
  /** What its batch was called; `batch` is gone once that was pruned. */
  batchId?: string
  batch?: ModelBatch
  stage?: number
  index?: number
  place: Place
  /** The attempt that runs or comes next; of one that has ended, the last one made. */
  attempt: number
  crashes: number
}

export interface ModelBatch {
  id: string
  queue: string
  tasks: ModelTask[]
  /** How many of the inputs came by `add`. */
  imported: number
  total: number
  open: boolean
  stopped: boolean
  createdAt: number
  endedAt?: number
  stages?: readonly StageOf[]
  /** Of a pipeline: at which stage a filter left out the item of this index. */
  dropped: Map<number, number>
  /** Of a pipeline: the items that passed the last stage. */
  through: Set<number>
}

export interface Answer {
  fenced: boolean
  claimed: ModelTask[]
  dropped: { lane: number; position: number }[]
  parked: string[]
  /** Batches that changed. */
  batches: string[]
  /** Something is left that this host could be given at once. */
  more: boolean
  /** The latest time at which the host has to look again. */
  wakeAt: number
  /** Whether anything was changed, so that a repeat must find it. */
  traced: boolean
}

const CRASHED_TOGETHER = 16
const LEAST_PRIORITY = -100

export class Model {
  readonly tasks: ModelTask[] = []
  readonly batches = new Map<string, ModelBatch>()
  readonly pausedUntil = new Map<string, number>()
  /** Those that have an entry, with the number of their latest exchange that surely left a trace. */
  readonly hosts = new Map<string, number>()
  /** What queues that are made later begin with. */
  allPaused = 0
  /** Tasks that nobody has seen the ids of. */
  unseen: ModelTask[] = []

  // — what can be read ——————————————————————————————————————————————————————————————————————————————————————————————————

  state({ place }: ModelTask): TaskState {
    if (place.at === 'line') return 'available'
    if (place.at === 'held') return 'running'
    if (place.at === 'ended') return place.outcome.status
    return place.gate !== undefined ? 'blocked' : place.order > 0 ? 'scheduled' : 'available'
  }

  counts(queue?: string): Counts {
    const counts: Counts = { blocked: 0, scheduled: 0, available: 0, running: 0, completed: 0, failed: 0, cancelled: 0 }
    for (const task of this.tasks) if (queue === undefined || task.queue === queue) counts[this.state(task)]++
    return counts
  }

  /** The order in which tasks that wait for nothing are claimed, or would be. */
  inOrder(queue: string): ModelTask[] {
    const order = ({ place }: ModelTask) => (place.at === 'aside' ? place.order : Number.POSITIVE_INFINITY)
    return this.tasks
      .filter((task) => task.queue === queue && (task.place.at === 'line' || this.#waits(task)))
      .sort(
        (a, b) => a.priority - b.priority || compare(order(a), order(b)) || a.lane - b.lane || a.position - b.position,
      )
  }

  heldBy(host: string): ModelTask[] {
    return this.tasks.filter(({ place }) => place.at === 'held' && place.host === host)
  }

  /** What a batch's view says, recounted. */
  batchView(batch: ModelBatch) {
    const of = (status: string, stage?: number) =>
      batch.tasks.filter((task) => this.state(task) === status && (stage === undefined || (task.stage ?? 0) === stage))
        .length
    const [failed, cancelled, dropped] = [of('failed'), of('cancelled'), batch.dropped.size]
    const completed = batch.stages ? batch.through.size : of('completed')
    const stages = batch.stages?.map((stage, s) => {
      // An item has passed a stage if it is beyond it: further on, through, or dropped by a later one.
      const items = new Set(batch.tasks.filter((task) => (task.stage ?? 0) > s).map(({ index }) => index))
      for (const index of batch.through) items.add(index)
      for (const [index, at] of batch.dropped) if (at > s) items.add(index)
      const droppedHere = [...batch.dropped.values()].filter((at) => at === s).length
      return {
        ...stage,
        completed: items.size,
        failed: of('failed', s),
        cancelled: of('cancelled', s),
        dropped: droppedHere,
      }
    })
    return {
      ...{
        id: batch.id,
        queue: batch.queue,
        total: batch.total,
        imported: batch.imported,
        completed,
        failed,
        cancelled,
        dropped,
      },
      ...{ done: completed + failed + cancelled + dropped, open: batch.open, createdAt: batch.createdAt },
      ...(batch.endedAt === undefined ? {} : { endedAt: batch.endedAt }),
      ...(stages ? { stages } : {}),
    }
  }

  // — what can be done ——————————————————————————————————————————————————————————————————————————————————————————————————

  /** Which of the tasks are new; the others are ignored, because the batch has them. */
  add(tasks: readonly NewTask[], { now, batch: chunk }: AddOptions): (ModelTask | undefined)[] {
    if (!chunk) return tasks.map((task) => this.#store(task, now))
    const batch = this.batches.get(chunk.id) ?? this.#newBatch(chunk.id, chunk.queue, now, chunk.stages)
    if (!batch.open) return tasks.map(() => undefined)
    const ignored = Math.min(tasks.length, Math.max(0, batch.imported - chunk.offset))
    const added = tasks.map((task, i) => (i < ignored ? undefined : this.#join(batch, this.#store(task, now))))
    batch.imported += tasks.length - ignored
    batch.open = chunk.open
    this.#close(batch, now)
    return added
  }

  /** `seen`: the latest exchange of this host that left a trace; undefined if the host is not known, or was voided. */
  exchange(x: Exchange, seen: number | undefined): Answer {
    if (seen === undefined && x.seq > 1) return { ...this.#nothing(), fenced: true }
    return seen !== undefined && seen >= x.seq ? this.#replay(x) : this.#execute(x)
  }

  /** A repeat: what it claimed and still holds. */
  #replay(x: Exchange): Answer {
    const claimed = this.heldBy(x.host).filter(({ place }) => place.at === 'held' && place.seq === x.seq)
    return { ...this.#nothing(), claimed, more: true, traced: true }
  }

  #nothing(): Answer {
    const nobody = { claimed: [], dropped: [], parked: [], batches: [] }
    return { fenced: false, ...nobody, more: false, wakeAt: Number.POSITIVE_INFINITY, traced: false }
  }

  #execute(x: Exchange): Answer {
    if (this.queues.length === 0) this.#queue('default')
    const before = new Map([...this.batches.values()].map((batch) => [batch, JSON.stringify(this.batchView(batch))]))
    const dropped: Answer['dropped'] = []
    const counted: { task: ModelTask; one: Settlement }[] = []
    for (const one of [...x.settle].sort((a, b) => a.lane - b.lane || a.position - b.position)) {
      const { lane, position, seq } = one
      const task = this.find(lane, position)
      const holds = task?.place.at === 'held' && task.place.host === x.host && task.place.seq === seq
      if (!task || !holds || counted.some((other) => other.task === task)) dropped.push({ lane, position })
      else counted.push({ task, one })
    }
    for (const { task, one } of counted) this.#settle(task, one, x.now)
    const claim = this.#claim(
      x,
      counted.map(({ task }) => task),
    )
    const moved = [...this.batches.values()].filter(
      (batch) => before.get(batch) !== JSON.stringify(this.batchView(batch)),
    )
    claim.more ||= this.unseen.length > 0
    const traced = counted.length > 0 || claim.claimed.length > 0 || claim.parked.length > 0 || x.seq === 1
    const left = x.leave ? this.heldBy(x.host) : []
    for (const task of left) this.#giveBack(task)
    if (x.leave) this.hosts.delete(x.host)
    else if (traced) this.hosts.set(x.host, x.seq)
    return { ...this.#nothing(), ...claim, dropped, batches: moved.map(({ id }) => id), traced }
  }

  #settle(task: ModelTask, one: Settlement, now: number): void {
    if (one.to === 'aside') {
      const { order, attempt, crashes, gate, why, error } = one
      task.place = {
        at: 'aside',
        order,
        ...(gate === undefined ? {} : { gate }),
        ...(why ? { why } : {}),
        ...(error ? { error } : {}),
      }
      Object.assign(task, { attempt, crashes })
      return
    }
    const { startedAt, finishedAt } = one
    const end = one.to === 'completed' ? { status: one.to, value: one.value } : { status: one.to, error: one.error }
    this.#end(task, { startedAt, finishedAt, ...end }, one.attempt, now)
    if (one.to === 'completed') this.#onward(task, one.value, now)
    for (const { batch: joins, ...follow } of one.followUps ?? []) {
      if (joins === undefined) this.unseen.push(this.#store(follow, now))
      else {
        const known = this.batches.get(joins)
        const batch = known ?? this.#newBatch(joins, follow.queue, now)
        if (!known) batch.open = false
        if (batch.stopped) continue
        this.unseen.push(this.#join(batch, this.#store(follow, now)))
        this.#close(batch, now)
      }
    }
    for (const id of one.endBatches ?? []) {
      const batch = this.batches.get(id)
      if (!batch) continue
      batch.open = false
      this.#close(batch, now)
    }
  }

  /** An item of a pipeline leaves a stage: filters by a field are judged at once, what passes them has its next task. */
  #onward(task: ModelTask, value: unknown, now: number): void {
    const { batch, stage = 0, index = 0 } = task
    if (!batch?.stages) return
    const judged = batch.stages[stage]?.kind === 'filter'
    const item = judged ? task.input : value
    let next = stage + 1
    if (judged && value !== true) batch.dropped.set(index, stage)
    else {
      for (; next < batch.stages.length; next++) {
        const of = batch.stages[next]
        if (!of || !('field' in of)) break
        const flags = new Map<string, unknown>(typeof item === 'object' && item ? Object.entries(item) : [])
        if (flags.get(of.field) === true) continue
        batch.dropped.set(index, next)
        break
      }
      const of = batch.stages[next]
      if (!of) batch.through.add(index)
      else if (batch.dropped.get(index) === undefined && 'name' in of) {
        const priority = Math.max(LEAST_PRIORITY, task.priority - 1)
        const made = this.#store({ queue: task.queue, name: of.name, input: item, priority }, now)
        Object.assign(made, { batch, batchId: batch.id, stage: next, index })
        batch.tasks.push(made)
        this.unseen.push(made)
      }
    }
    this.#close(batch, now)
  }

  /** `settled`: in this exchange. What it has put aside or stored itself is there for the next one. */
  #claim(x: Exchange, settled: readonly ModelTask[]): Pick<Answer, 'claimed' | 'parked' | 'more' | 'wakeAt'> {
    const claimed: ModelTask[] = []
    const parked = new Set<string>()
    let wakeAt = Number.POSITIVE_INFINITY
    let more = false
    const held = this.heldBy(x.host)
    if (!x.claim) return { claimed, parked: [], more, wakeAt }
    const { limit, names, queues = [] } = x.claim
    const rank = (queue: string) => (queues.includes(queue) ? queues.indexOf(queue) : queues.length)
    const alone = () => [...held, ...claimed].some(({ crashes }) => crashes >= 2)
    const inOrder = this.queues.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    let waits = false
    for (const queue of inOrder) {
      const until = this.pausedUntil.get(queue) ?? 0
      if (until > x.now) {
        wakeAt = Math.min(wakeAt, until)
        continue
      }
      for (const task of this.inOrder(queue)) {
        const { place } = task
        if (place.at === 'aside' && place.order > x.now) {
          wakeAt = Math.min(wakeAt, place.order)
          continue
        }
        if (settled.includes(task) || this.unseen.includes(task)) {
          more = true
          continue
        }
        const full = waits || alone()
        if (full || claimed.length >= limit) {
          more ||= !full
          continue
        }
        if (names && !names.includes(task.name)) {
          const error = place.at === 'aside' && place.error ? { error: place.error } : {}
          const why = `No handler named '${task.name}' is served here.`
          task.place = { at: 'aside', order: 0, gate: `handler:${task.name}`, why, ...error }
          parked.add(task.name)
          continue
        }
        const together = [...held, ...claimed].filter(({ crashes }) => crashes === 1).length
        if (task.crashes === 1 && together >= CRASHED_TOGETHER) continue
        // It runs alone: everyone behind it waits until what this host holds has ended.
        if (task.crashes >= 2 && held.length + claimed.length > 0) {
          waits = true
          continue
        }
        claimed.push(task)
      }
    }
    if (waits || alone()) more = false
    for (const task of claimed) task.place = { at: 'held', host: x.host, seq: x.seq }
    return { claimed, parked: [...parked], more, wakeAt }
  }

  change(c: Change, of: readonly ModelTask[]): number {
    switch (c.type) {
      case 'cancel':
        return this.#cancel(of, c)
      case 'cancel-batch': {
        const batch = this.batches.get(c.batch)
        if (!batch) return 0
        if (batch.endedAt === undefined) batch.stopped = true
        const count = this.#cancel(batch.tasks, c)
        batch.open = false
        this.#close(batch, c.now)
        return count
      }
      case 'clear':
        return this.#cancel(
          this.tasks.filter(({ queue }) => c.queue === undefined || queue === c.queue),
          c,
        )
      case 'retry':
        return this.#retry(of, c.now)
      case 'pause':
      case 'resume': {
        const until = c.type === 'pause' ? c.until : 0
        if (c.queue === undefined) this.allPaused = until
        else this.#queue(c.queue)
        const queues = c.queue === undefined ? this.queues : [c.queue]
        for (const queue of queues) this.pausedUntil.set(queue, until)
        return queues.length
      }
      case 'end-batch': {
        const batch = this.batches.get(c.batch)
        if (!batch?.open) return 0
        batch.open = false
        this.#close(batch, c.now)
        return 1
      }
      case 'open-gate': {
        const shut = this.tasks.filter(({ place }) => place.at === 'aside' && place.gate === c.gate)
        for (const task of shut) {
          if (task.place.at !== 'aside') continue
          const { gate: _, why: __, ...rest } = task.place
          task.place = { ...rest, order: 0 }
        }
        return shut.length
      }
    }
  }

  #cancel(of: readonly ModelTask[], { now, reason }: { now: number; reason?: string }): number {
    const live = new Set(of.filter(({ place }) => place.at !== 'ended'))
    for (const task of live) {
      const attempts = task.place.at === 'held' ? task.attempt : task.attempt - 1
      this.#end(
        task,
        { status: 'cancelled', finishedAt: now, ...(reason === undefined ? {} : { reason }) },
        attempts,
        now,
      )
    }
    return live.size
  }

  #retry(of: readonly ModelTask[], now: number): number {
    const over = new Set(of.filter((task) => ['failed', 'cancelled'].includes(this.state(task))))
    for (const task of over) {
      task.place = { at: 'aside', order: 0 }
      Object.assign(task, { attempt: 1, crashes: 0 })
      if (task.batch) this.#close(task.batch, now)
    }
    return over.size
  }

  /** `dead`: those who are taken for dead. Returns how many tasks were taken back. */
  recover(dead: readonly string[], o: { left: readonly string[]; now: number; maxCrashes: number }): number {
    let count = 0
    for (const host of dead) {
      const counts = !o.left.includes(host)
      for (const task of this.heldBy(host)) {
        count++
        if (counts) task.crashes++
        if (!counts || task.crashes < o.maxCrashes) {
          this.#giveBack(task)
          continue
        }
        const message = `Its host went down ${task.crashes} times while it ran.`
        const error = { name: 'CrashedError', code: 'crashed', message }
        this.#end(task, { status: 'failed', error, finishedAt: o.now }, task.attempt, o.now)
      }
      this.hosts.delete(host)
    }
    return count
  }

  /** Tasks and batches that pruning has removed. */
  forget(tasks: readonly ModelTask[], batches: readonly ModelBatch[]): void {
    for (const task of tasks) this.tasks.splice(this.tasks.indexOf(task), 1)
    for (const batch of batches) {
      this.batches.delete(batch.id)
      for (const task of batch.tasks) delete task.batch
    }
  }

  // — how ———————————————————————————————————————————————————————————————————————————————————————————————————————————————

  get queues(): string[] {
    return [...this.pausedUntil.keys()]
  }

  find(lane: number, position: number): ModelTask | undefined {
    return this.tasks.find((task) => task.lane === lane && task.position === position)
  }

  #waits({ place }: ModelTask): boolean {
    return place.at === 'aside' && place.gate === undefined
  }

  #queue(queue: string): void {
    if (!this.pausedUntil.has(queue)) this.pausedUntil.set(queue, this.allPaused)
  }

  #store({ queue, name, input, priority, runAt = 0 }: NewTask, now: number): ModelTask {
    this.#queue(queue)
    const place: Place = runAt > now ? { at: 'aside', order: runAt } : { at: 'line' }
    const at = { id: '', lane: -1, position: -1, enqueuedAt: now, attempt: 1, crashes: 0, place }
    const task: ModelTask = { queue, name, input, priority, ...at }
    this.tasks.push(task)
    return task
  }

  #newBatch(id: string, queue: string, now: number, stages?: readonly StageOf[]): ModelBatch {
    const batch: ModelBatch = {
      ...{ id, queue, tasks: [], imported: 0, total: 0, open: true, stopped: false, createdAt: now },
      ...{ dropped: new Map(), through: new Set() },
      ...(stages ? { stages } : {}),
    }
    this.batches.set(id, batch)
    return batch
  }

  #join(batch: ModelBatch, task: ModelTask): ModelTask {
    Object.assign(task, { batch, batchId: batch.id, index: batch.total++, ...(batch.stages ? { stage: 0 } : {}) })
    batch.tasks.push(task)
    return task
  }

  #giveBack(task: ModelTask): void {
    task.place = { at: 'aside', order: 0 }
  }

  #end(task: ModelTask, outcome: Outcome, attempt: number, now: number): void {
    task.place = { at: 'ended', outcome }
    Object.assign(task, { attempt, crashes: 0 })
    if (task.batch) this.#close(task.batch, now)
  }

  #close(batch: ModelBatch, now: number): void {
    const { open, done, total } = this.batchView(batch)
    if (open || done < total) delete batch.endedAt
    else batch.endedAt ??= now
  }
}

const compare = (a: number, b: number) => (a === b ? 0 : a < b ? -1 : 1)
