import { type Exchange, type Exchanged, pipeline, TaskQueue, TaskWorker, type WorkerView } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { webWorkers } from 'sitq/web-worker'
import { summary } from '../../support/pages/witness.js'
import type { FlowJob, ImportJob, Single, SinglesJob } from '../work.js'
import type { Handlers } from './handlers.js'
import { finished, type Item, keeps } from './items.js'
import { recountOf, rootOf } from './recount.js'
import { reporter } from './reports.js'

/** What a page is told in its address; a reload tells it the same. */
export interface PageOptions {
  database: string
  tab: string
  /** Web Workers; 0: only looks on. */
  size: number
  /** Where there are no locks: leases decide. */
  timing?: { lease: number; renewEvery: number }
}

const options: PageOptions = JSON.parse(decodeURIComponent(location.hash.slice(1)))
const { database, tab, size, timing } = options
const life = `${tab}.${Math.round(performance.timeOrigin).toString(36)}`

const report = reporter()

class WatchedBackend extends IndexedDBBackend {
  /** Of the exchange under way. */
  under: Promise<unknown> = Promise.resolve()
  /** None begins before. */
  rest: Promise<unknown> = Promise.resolve()

  override async exchange(x: Exchange): Promise<Exchanged> {
    await this.rest
    const answering = super.exchange(x)
    this.under = answering.catch(() => {})
    const answer = await answering
    await report(summary(life, x, answer))
    return answer
  }
}

const backend = new WatchedBackend({ name: database })
const queue = new TaskQueue<Handlers>({ backend })
backend.channel.listen((hint) => {
  if (hint.type !== 'storage') return
  void report({ type: 'storage', life, event: hint.event, message: hint.message })
})

/** The Web Workers that live: chaos ends them behind the library's back. */
const workers = new Map<Worker, number>()
let spawned = 0

function spawn(): Worker {
  const name = `${life}#${++spawned}`
  const worker = new Worker(new URL('./handlers.worker.ts', import.meta.url), { type: 'module', name })
  const terminate = worker.terminate.bind(worker)
  worker.terminate = () => {
    workers.delete(worker)
    terminate()
  }
  workers.set(worker, spawned)
  return worker
}

const onError = (error: unknown) => void report({ type: 'error', life, message: String(error) })

/** The suite's kills must not make a task fail: after how many crashes one does is a setting, tested elsewhere. */
const maxCrashes = 1_000

const worker =
  size > 0
    ? new TaskWorker(queue, {
        executor: webWorkers(spawn, { size }),
        maxCrashes,
        onError,
        warn: onError,
        visible: () => true,
        ...timing,
      })
    : undefined

/** Ids of single tasks by their keys. */
const ids = new Map<string, string>()
let told = ''

const now = () => performance.timeOrigin + performance.now()

/** One task: acknowledged means reported. */
async function enqueue({ name, item, options = {} }: Single): Promise<void> {
  const { id } = await queue.enqueue(name, item, options)
  ids.set(item.key, id)
  await report({ type: 'acknowledged', key: item.key, id })
}

async function* items(job: ImportJob): AsyncGenerator<Item> {
  for (let i = 0; i < job.total; i++) {
    // An import takes its time, so that kills meet it.
    if (i % 64 === 63) await new Promise((resolve) => setTimeout(resolve, 1))
    yield { key: `${job.id}:${i}`, ms: job.ms }
  }
}

const flow = pipeline<Handlers>('flow').map('check').filter('fits').map('finish')

/** Called by the orchestrator, by name. */
export const page = {
  /** Resolves with the moments of the call and of its end, in ms since the epoch, once the role is known. */
  async start(): Promise<{ from: number; to: number; role: string }> {
    const from = now()
    worker?.subscribe(tellRole)
    await worker?.start()
    return { from, to: now(), role: worker?.role ?? 'stopped' }
  },

  views: (): WorkerView[] => worker?.workers() ?? [],

  async singles(job: SinglesJob): Promise<void> {
    for (const single of job.tasks) {
      await enqueue(single)
      if (single.cancelAfter === undefined) continue
      await new Promise((resolve) => setTimeout(resolve, single.cancelAfter))
      await page.cancel(single.item.key)
    }
  },

  single: (single: Single): Promise<void> => enqueue(single),

  /** Cancels a single task of this page. */
  async cancel(key: string): Promise<void> {
    const id = ids.get(key)
    if (id !== undefined && (await queue.task(id).cancel({ reason: 'chaos' }))) await report({ type: 'cancelled', key })
  },

  async import(job: ImportJob): Promise<void> {
    await queue.enqueueMany('work', items(job), { id: job.id, chunkSize: job.chunkSize, queue: job.queue })
  },

  async flow({ id, total, ms }: FlowJob): Promise<void> {
    const inputs = Array.from({ length: total }, (_, index) => ({ key: `${id}:${index}`, index, ms }))
    await flow.run(queue, inputs, { id, chunkSize: 128 })
  },

  /** Results of a run that are not what an undisturbed one comes to; the number of results if all are. */
  async flowResults({ id, total }: FlowJob): Promise<number | string> {
    const run = await flow.find(queue, id)
    const results = (await run?.collect()) ?? []
    const kept = Array.from({ length: total }, (_, index) => index).filter(keeps)
    for (const [i, index] of kept.entries()) {
      const result = results[i]
      const right = result?.status === 'completed' && result.index === index && result.value === finished(index)
      if (!right) return `item ${index}: ${JSON.stringify(result)}`
    }
    return results.length
  },

  counts: () => queue.counts(),

  /** Has the library kill the Web Worker that runs a task. */
  kill(id: string): void {
    const view = worker?.workers().find(({ running }) => running.some((run) => run.id === id))
    if (view) worker?.kill(view.worker)
  },

  /** Ends a Web Worker behind the library's back. Returns its number, or undefined if there is none. */
  endWorker(which: number, how: 'terminate' | 'close' | 'break'): number | undefined {
    const numbers = [...workers.values()]
    return page.endWorkerNumber(numbers[which % numbers.length] ?? 0, how)
  },

  endWorkerNumber(number: number, how: 'terminate' | 'close' | 'break'): number | undefined {
    const [victim] = [...workers].find(([, each]) => each === number) ?? []
    if (!victim) return undefined
    if (how === 'terminate') victim.terminate()
    else victim.postMessage(`chaos: ${how}`)
    return number
  },

  /** Resolves once no exchange is under way; the next one waits a moment, in which the page can be frozen. */
  async rest(): Promise<void> {
    backend.rest = new Promise((resolve) => setTimeout(resolve, 500))
    await backend.under
  },

  /** Takes the lock from whoever has it, and gives it back at once. */
  steal: () => navigator.locks.request(`sitq:${database}`, { steal: true }, async () => {}),

  root: () => rootOf(database),
  /** As a text: the protocol takes seconds for 20,000 objects. */
  recount: async (): Promise<string> => JSON.stringify(await recountOf(database)),
}

function tellRole(): void {
  const role = worker?.role ?? 'stopped'
  if (role === told) return
  told = role
  void report({ type: 'role', life, role })
}
Object.assign(globalThis, { page })
await report({ type: 'opened', tab, life })
