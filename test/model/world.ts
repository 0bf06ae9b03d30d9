import type { BatchChunk, Change, Claimed, Exchange, Exchanged, NewTask } from '../../src/backend.js'
import { localChannel } from '../../src/channel.js'
import { StorageError } from '../../src/errors.js'
import { LocalBackend } from '../../src/local.js'
import type { Stage } from '../../src/plan/records.js'
import type { Storage } from '../../src/storage.js'
import { formatId, parseId, type TaskId } from '../../src/task.js'
import { compareAnswers } from './answers.js'
import { check, pick, same } from './check.js'
import { DeadError, FaultyStorage } from './faults.js'
import { type Answer, Model, type ModelTask } from './model.js'
import { describeStep } from './script.js'
import { type Item, settlementsOf } from './settling.js'
import { type Action, names, type Of, pipelines, type Step } from './steps.js'
import { heldIn, leasesOf, originOf, seqOf } from './stored.js'

/** A database that clients share. */
export interface Database {
  /** A connection of its own for each client. */
  connect(): Storage
  /** For looking at what is stored. */
  raw: Storage
  close(): Promise<void>
}

export interface Client {
  name: string
  storage: FaultyStorage
  backend: LocalBackend
}

interface Host {
  id: string
  client: number
  seq: number
  held: Claimed[]
  last?: Exchange
}

const START = 1_700_000_000_000
const LEASE = 30_000
const MANY = 60
/** So many lanes, at most, are new after one step: queues and priorities of follow-ups, at once and later. */
const NEW_LANES = 14

/** Runs a history against a database and against the model, and compares the two after every step. */
export class World {
  readonly model = new Model()
  readonly script: string[] = []
  readonly clients: Client[] = []
  /** How many transactions each step took. */
  readonly transactions: number[] = []
  origin = ''
  now = START
  #monotonic = 0
  #lives = 0
  #inputs = 0
  readonly #hosts: Host[]
  readonly #gone: string[] = []
  /** Where each lane's next task will be; and whose tasks it holds. */
  readonly #lanes = new Map<number, { of: string; tail: number }>()
  readonly database: Database

  constructor(database: Database) {
    this.database = database
    for (const i of [0, 1, 2]) this.#connect(i)
    this.#hosts = [0, 1, 2].map((i) => this.#life(i))
  }

  #connect(i: number): Client {
    const storage = new FaultyStorage(this.database.connect())
    const clock = { now: () => this.now, monotonic: () => this.#monotonic, timer: () => () => {} }
    const backend = new LocalBackend({ storage, channel: localChannel(), clock })
    const client = { name: 'ABC'.charAt(i), storage, backend }
    this.clients[i] = client
    return client
  }

  #life(i: number): Host {
    return { id: `host${i + 1}.${this.#lives++}`, client: i, seq: 0, held: [] }
  }

  /** Does a step, then looks at everything; unless it is told not to, because others have looked there. */
  async run({ action, fault, page }: Step, look = true): Promise<void> {
    const line = this.script.push(describeStep(action, fault)) - 1
    const i = 'client' in action ? action.client : 'host' in action ? action.host : 0
    const client = this.clients[i] ?? this.#connect(i)
    client.storage.arm(fault)
    let note: string | undefined
    try {
      note = await this.#act(action, i)
    } catch (error) {
      if (!(error instanceof DeadError)) throw error
      note = this.#died(i)
    }
    client.storage.disarm()
    this.transactions.push(client.storage.count)
    const struck = client.storage.struck
    this.script[line] += `${note ? ` → ${note}` : ''}${struck ? ` [fault: ${struck}]` : ''}`
    await this.#learn()
    const reader = this.#client(i)
    reader.storage.disarm()
    if (!look) return
    // With many tasks, not after every step, nor in small pages.
    const many = this.model.tasks.length > MANY
    await check(this, reader, many ? MANY : page, !many || this.script.length % 4 === 0)
  }

  /** Nothing breaks any more, and one host runs what is left: everything ends. Looked at through every client's eyes. */
  async end(): Promise<void> {
    await this.#act({ do: 'resume', client: 0, queue: undefined }, 0)
    for (const queue of this.model.queues) await this.#change(0, { type: 'resume', queue })
    for (const gate of [...names, 'online'] as const) await this.#act({ do: 'open gate', client: 0, gate }, 0)
    // A host may hold what it does not know of: it was too late with what it said, or said it wrongly.
    this.#hosts[0] = this.#life(0)
    await this.#act({ do: 'recover', host: 0, dead: 'others', left: true, maxCrashes: 3 }, 0)
    // They would run one by one, or 16 at a time: hundreds take too long.
    const crashed = this.model.tasks.filter(({ crashes }) => crashes > 0).length
    if (crashed > MANY) await this.#act({ do: 'clear', client: 0, queue: undefined }, 0)
    const claims = {
      limit: 600,
      claims: true,
      names: undefined,
      queues: undefined,
      leave: false,
      twice: false,
    } as const
    for (let round = 0; this.#live > 0; round++) {
      if (round > 2_000) throw new Error(`${this.#live} tasks never end.`)
      this.now += 100
      await this.#act({ do: 'exchange', host: 0, settle: ['ok'], ...claims }, 0)
      await this.#learn()
    }
    for (const client of this.clients) await check(this, client, MANY, true)
  }

  get #live(): number {
    return this.model.tasks.filter(({ place }) => place.at !== 'ended').length
  }

  /** The process is gone, with its hosts; the model is told what it had done to the database before. */
  #died(i: number): string {
    this.#gone.push(this.#hosts[i]?.id ?? '')
    this.#hosts[i] = this.#life(i)
    this.#connect(i)
    return 'it died'
  }

  /** Does what is to be done: once it was, the model does it too. What it answered is compared, if it answered. */
  async #attempt<T>(
    i: number,
    act: (client: Client) => Promise<T>,
    apply: () => void,
    answered: (value: T) => void = () => {},
    several = false,
  ) {
    const client = this.#client(i)
    let value: T
    try {
      value = await act(client).finally(() => client.storage.disarm())
    } catch (error) {
      const lost = error instanceof StorageError && error.code === 'lost'
      if (!(error instanceof StorageError || error instanceof DeadError)) throw error
      if (error instanceof StorageError && !client.storage.struck) throw error
      // With every other code, nothing was stored.
      if (error instanceof StorageError && !lost && !several)
        same(client.storage.committed, false, `stored in spite of '${error.code}'`)
      if (client.storage.committed) apply()
      if (error instanceof DeadError) throw error
      return `StorageError '${error.code}'`
    }
    apply()
    answered(value)
    return undefined
  }

  #client(i: number): Client {
    const client = this.clients[i]
    if (!client) throw new Error('There is no such client.')
    return client
  }

  #act(action: Action, i: number): Promise<string | undefined> | string | undefined {
    const { now } = this
    switch (action.do) {
      case 'add':
        return this.#add(i, this.#tasksOf(action))
      case 'add to batch':
        return this.#addToBatch(i, action)
      case 'exchange':
        return this.#exchange(action)
      case 'repeat':
        return this.#repeat(action)
      case 'renew':
        return this.#renew(action)
      case 'recover':
        return this.#recover(action)
      case 'cancel':
      case 'retry': {
        const tasks = pick(this.model.tasks, action.picks)
        // Some that nobody knows are asked for too.
        const ids = [...tasks.map(({ id }) => id), 'nobody', formatId('zzzzzzzz', 0, 0), this.id(99, 3)]
        return this.#change(
          i,
          { type: action.do, ids, now, ...(action.do === 'cancel' ? { reason: 'test' } : {}) },
          tasks,
        )
      }
      case 'cancel batch':
        return this.#change(i, { type: 'cancel-batch', batch: action.batch, now })
      case 'end batch':
        return this.#change(i, { type: 'end-batch', batch: action.batch, now })
      case 'clear':
        return this.#change(i, { type: 'clear', now, ...(action.queue ? { queue: action.queue } : {}) })
      case 'pause':
        return this.#change(i, {
          type: 'pause',
          until: now + action.ms,
          ...(action.queue ? { queue: action.queue } : {}),
        })
      case 'resume':
        return this.#change(i, { type: 'resume', ...(action.queue ? { queue: action.queue } : {}) })
      case 'open gate': {
        const gate = action.gate === 'online' ? action.gate : `handler:${action.gate}`
        return this.#change(i, { type: 'open-gate', gate, now })
      }
      case 'prune':
        return this.#prune(i, action)
      case 'repair': {
        const nothing = { damaged: {}, failed: 0, returned: 0 }
        const found = (repaired: unknown) => same(repaired, nothing, 'what a repair found')
        return this.#attempt(
          i,
          ({ backend }) => backend.repair(),
          () => {},
          found,
        )
      }
      case 'time': {
        this.now += action.ms
        // A clock that is set back stands still by the other one; a short jump forward may be one of the wall clock alone.
        if (action.ms > 50) this.#monotonic += action.ms
        return
      }
      case 'restart':
        this.#gone.push(this.#hosts[i]?.id ?? '')
        this.#hosts[i] = this.#life(i)
        this.#connect(i)
        return
    }
  }

  // — add ———————————————————————————————————————————————————————————————————————————————————————————————————————————————

  #input(): Item {
    const n = this.#inputs++
    return { n, keep: n % 3 !== 0, last: n % 5 !== 0 }
  }

  #tasksOf({ groups }: Of<'add'>): NewTask[] {
    return groups.flatMap(({ count, queue, name, priority, delay }) =>
      Array.from({ length: count }, () => {
        const runAt = delay ? { runAt: this.now + delay } : {}
        return { queue, name, input: this.#input(), priority, ...runAt }
      }),
    )
  }

  #addToBatch(i: number, { batch: id, count, queue, priority, delay, again, open }: Of<'add to batch'>) {
    const known = this.model.batches.get(id)
    const stages = id === 'p' || id === 'q' ? pipelines[id] : undefined
    const first = stages?.[0]
    const name = first && 'name' in first ? first.name : 'a'
    const offset = Math.max(0, (known?.imported ?? 0) - again)
    const runAt = delay ? { runAt: this.now + delay } : {}
    const tasks = Array.from({ length: count }, () => ({ queue, name, input: this.#input(), priority, ...runAt }))
    const counted = stages?.map((stage): Stage => ({ ...stage, completed: 0, failed: 0, dropped: 0, cancelled: 0 }))
    return this.#add(i, tasks, { id, queue, offset, open, ...(counted ? { stages: counted } : {}) })
  }

  async #add(i: number, tasks: NewTask[], batch?: BatchChunk) {
    const options = { now: this.now, ...(batch ? { batch } : {}) }
    // Those of a batch are alike. Each way to add them gets its turn.
    const [like] = batch && tasks.length % 2 === 0 ? tasks : []
    const sizes = tasks.map(() => 20)
    const alike = like && batch && { ...like, inputs: tasks.map(({ input }) => input), sizes }
    let stored: (ModelTask | undefined)[] = []
    const apply = () => {
      stored = this.model.add(tasks, options)
      // Should no answer come, their ids have to be found out.
      this.model.unseen.push(...stored.flatMap((task) => task ?? []))
    }
    const note = await this.#attempt(
      i,
      ({ backend }): Promise<number | (TaskId | undefined)[]> =>
        alike ? backend.addAlike(alike, { now: this.now, batch }) : backend.add(tasks, options),
      apply,
      (ids) => {
        if (typeof ids === 'number') return same(ids, stored.filter((task) => !task).length, 'how many were ignored')
        same(ids.map(Boolean), stored.map(Boolean), 'which tasks were stored')
        ids.forEach((id, k) => {
          const task = stored[k]
          if (task && id) this.#bind(task, id)
        })
        this.model.unseen = []
      },
    )
    const ignored = stored.filter((task) => !task).length
    return note ?? (ignored > 0 ? `${ignored} ignored` : undefined)
  }

  id(lane: number, position: number): TaskId {
    return formatId(this.origin || 'zzzzzzzz', lane, position)
  }

  /** Gives a task its id: lanes are dense, in order, one for each queue and priority and one for what is delayed. */
  #bind(task: ModelTask, id: TaskId): void {
    const { origin = '', lane = -1, position = -1 } = parseId(id) ?? {}
    this.origin ||= origin
    same(origin, this.origin, 'the origin of an id')
    const held = task.place.at === 'aside' && task.place.order > 0
    const of = [task.queue, task.priority, held].join()
    const known = this.#lanes.get(lane) ?? { of, tail: 0 }
    this.#lanes.set(lane, known)
    same(known.of, of, `what lane ${lane} holds`)
    // Those of several times are stored time by time.
    if (!held) same(position, known.tail, `the position of a new task in lane ${lane}`)
    known.tail = Math.max(known.tail, position + 1)
    Object.assign(task, { id, lane, position })
  }

  /** Finds the ids of what nobody was told of: follow-ups, and tasks that were added by someone who got no answer. */
  async #learn(): Promise<void> {
    const { unseen } = this.model
    this.model.unseen = []
    if (unseen.length === 0) return
    if (!this.origin) {
      this.origin = await originOf(this.database.raw)
    }
    const tails = [...this.#lanes].map(([lane, { tail }]) => ({ lane, tail }))
    const next = Math.max(-1, ...this.#lanes.keys()) + 1
    for (let k = 0; k < NEW_LANES; k++) tails.push({ lane: next + k, tail: 0 })
    const ids = tails.flatMap(({ lane, tail }) => unseen.map((_, k) => this.id(lane, tail + k)))
    const views = await this.#reader().backend.get(ids)
    const key = (of: { input: unknown; queue: string; name: string; priority: number }) =>
      JSON.stringify([of.queue, of.name, of.priority, of.input])
    const found = new Map(views.flatMap((view) => (view ? [[key(view), view.id] as const] : [])))
    const known = unseen.map((task) => ({ task, id: found.get(key(task)) }))
    for (const { task, id } of known)
      if (!id) throw new Error(`Not stored: ${JSON.stringify({ ...task, batch: undefined })}`)
    for (const { task, id = '' } of known.sort((a, b) => ((a.id ?? '') < (b.id ?? '') ? -1 : 1))) this.#bind(task, id)
  }

  #reader(): Client {
    return this.clients.find(({ storage }) => !storage.dead) ?? this.#connect(0)
  }

  // — exchange ——————————————————————————————————————————————————————————————————————————————————————————————————————————

  async #exchange(action: Of<'exchange'>): Promise<string> {
    const host = this.#hosts[action.host] ?? this.#life(action.host)
    const { now } = this
    const settle = host.held.flatMap((task, k) =>
      settlementsOf(task, action.settle[k % action.settle.length] ?? 'keep', now, () => this.#input()),
    )
    const { limit, names, queues } = action
    const x: Exchange = {
      ...{ host: host.id, seq: ++host.seq, now, until: now + LEASE, settle },
      ...(action.claims ? { claim: { limit, ...(names ? { names } : {}), ...(queues ? { queues } : {}) } } : {}),
      ...(action.leave ? { leave: true } : {}),
    }
    host.last = structuredClone(x)
    let note = await this.#send(host, x)
    // A host sends what was not answered again until it is: who knows whether it was done.
    if (note.startsWith('StorageError')) note += `, sent again: ${await this.#send(host, structuredClone(x), true)}`
    if (action.twice && host === this.#hosts[action.host])
      note += `; repeated: ${await this.#send(host, structuredClone(x), true)}`
    if (action.leave) this.#hosts[action.host] = this.#life(action.host)
    return note
  }

  async #repeat(action: Of<'repeat'>): Promise<string> {
    const host = this.#hosts[action.host]
    if (!host?.last) return 'it has sent none'
    const x = { ...structuredClone(host.last), now: this.now, until: this.now + LEASE }
    const note = await this.#send(host, x, true)
    if (x.leave) this.#hosts[action.host] = this.#life(action.host)
    return note
  }

  async #send(host: Host, x: Exchange, again = false): Promise<string> {
    const seen = await seqOf(this.database.raw, host.id)
    const traced = this.model.hosts.get(host.id)
    if (traced !== undefined && (seen ?? -1) < traced) same(seen, traced, `the number of ${host.id}'s latest exchange`)
    same(seen === undefined, traced === undefined, `whether ${host.id} is known`)
    let predicted: Answer | undefined
    let answer: Exchanged | undefined
    const repeated = () => again || this.#client(host.client).storage.struck === 'repeated'
    const note = await this.#attempt(
      host.client,
      ({ backend }) => backend.exchange(structuredClone(x)),
      () => {
        predicted = this.model.exchange(x, seen)
      },
      (value) => {
        answer = value
        // The ids of what it claimed are known; those of what it stored are not yet.
        if (predicted) compareAnswers(this.model, x, predicted, value, repeated())
      },
    )
    if (!answer) return note ?? 'no answer'
    if (answer.fenced) {
      const i = this.#hosts.indexOf(host)
      if (i >= 0 && !repeated()) this.#hosts[i] = this.#life(i)
      return 'fenced'
    }
    const holds = heldIn(answer.held)
    const claimed = structuredClone(answer.claimed)
    const settled = new Set(x.settle.map(({ lane, position }) => `${lane}:${position}`))
    const rest = host.held.filter(({ lane, position }) => !settled.has(`${lane}:${position}`))
    const all = new Map([...rest, ...claimed].map((task) => [`${task.lane}:${task.position}`, task]))
    host.held = [...all].filter(([key]) => holds.has(key)).map(([, task]) => task)
    const { dropped, parked } = answer
    const parts = [
      `claimed ${claimed.length}`,
      dropped.length && `dropped ${dropped.length}`,
      parked.length && `parked ${parked}`,
    ]
    return parts.filter(Boolean).join(', ')
  }

  // — the others ————————————————————————————————————————————————————————————————————————————————————————————————————————

  async #renew({ host: i, ms }: Of<'renew'>): Promise<string | undefined> {
    const host = this.#hosts[i]
    if (!host) return
    const until = this.now + ms
    const known = this.model.hosts.has(host.id)
    return this.#attempt(
      i,
      ({ backend }) => backend.renew(host.id, until),
      () => {},
      (held) => {
        same(held !== undefined, known, `whether ${host.id} may renew its lease`)
        if (!held) return
        const wanted = this.model.heldBy(host.id).map(({ lane, position }) => `${lane}:${position}`)
        same([...heldIn(held).keys()].sort(), wanted.sort(), `what ${host.id} holds`)
      },
    )
  }

  async #recover({ host: i, dead, left: leaves, maxCrashes }: Of<'recover'>): Promise<string | undefined> {
    const me = this.#hosts[i]?.id ?? ''
    const left = leaves ? this.#gone : []
    const leases = await leasesOf(this.database.raw)
    const isGone = (host: string, until: number) => dead === 'others' || left.includes(host) || until < this.now
    const gone = [...leases].filter(([host, until]) => host !== me && isGone(host, until))
    let count = 0
    return this.#attempt(
      i,
      ({ backend }) => backend.recover({ me, dead, left, now: this.now, maxCrashes }),
      () => {
        count = this.model.recover(
          gone.map(([host]) => host),
          { left, now: this.now, maxCrashes },
        )
      },
      (value) => this.#count(i, value ?? Number.NaN, count, 'tasks taken back'),
    )
  }

  async #change(i: number, change: Change, of: readonly ModelTask[] = []): Promise<string | undefined> {
    let count = 0
    const note = await this.#attempt(
      i,
      ({ backend }) => backend.change(change),
      () => {
        count = this.model.change(change, of)
      },
      (value) => this.#count(i, value, count, `tasks changed by ${change.type}`),
    )
    return note ?? String(count)
  }

  /** What a plan that was run twice has changed is counted by the run of which nobody heard. */
  #count(i: number, value: number, wanted: number, what: string): void {
    if (this.#client(i).storage.struck === 'repeated' && value === 0) return
    same(value, wanted, what)
  }

  /** What goes is for the backend to say, within what may go. */
  async #prune(i: number, { age, count }: Of<'prune'>): Promise<string | undefined> {
    const { model, now } = this
    let died: unknown
    const note = await this.#attempt(
      i,
      async ({ backend }) => {
        for (let round = 0; round < 50; round++) if (!(await backend.prune({ now, age, count }))) return
        throw new Error('Pruning does not end.')
      },
      () => {},
      () => {},
      true,
    ).catch((error: unknown) => {
      if (!(error instanceof DeadError)) throw error
      died = error
      return 'it died'
    })
    const kept = Math.max(age, 60_000)
    const reader = this.#reader()
    const gone = []
    for (const batch of model.batches.values()) {
      const view = await reader.backend.batch(batch.id)
      const old = batch.endedAt !== undefined && batch.endedAt < now - kept
      if (!note)
        same(view === undefined, old, `whether batch ${batch.id}, ended ${batch.endedAt}, was pruned at ${now}`)
      else if (!view) same(old, true, `pruned batch ${batch.id} was old enough`)
      if (!view) gone.push(batch)
    }
    model.forget([], gone)
    const outside = model.tasks.filter((task) => !task.batch && task.place.at === 'ended').length
    const views = await reader.backend.get(model.tasks.map(({ id }) => id))
    const pruned = model.tasks.filter((_, k) => !views[k])
    for (const { id, batch, place } of pruned) {
      const at = place.at === 'ended' ? place.outcome.finishedAt : Number.POSITIVE_INFINITY
      const why = { id, batch: batch?.id, place: place.at }
      same(why, { id, batch: undefined, place: 'ended' }, 'a task that was pruned')
      same(at <= now - 60_000, true, `${id}, pruned at ${now}, ended ${at}`)
      if (at >= now - kept) same(outside > count, true, `${id} is one too many of ${outside}`)
    }
    model.forget(pruned, [])
    if (died) throw died
    return note ?? `${pruned.length} tasks, ${gone.length} batches`
  }
}
