/** The object's side of the calls. */
import { Client } from '../client/client.js'
import type { Clock } from '../clock.js'
import { errorRecord, InvalidOptionError } from '../errors.js'
import { tellExchange } from '../host/tell.js'
import type { LocalBackend } from '../local.js'
import type { HintRing } from './hints.js'
import { Rests } from './portions.js'
import type { AnyCall, Method, Reply, Returned, SentError, Served } from './protocol.js'

/** So many of the latest answers are kept for those that did not get them. */
const KEPT = 64
/** No request for hints waits longer, in ms. */
const LONGEST = 60_000

/** Answers calls; says to everyone what they changed, as TaskQueue and TaskWorker do where they are in one process. */
export class Server {
  readonly #served: Served
  readonly #rests = new Rests()
  /** What was done, by the id of its call. */
  readonly #done = new Map<string, Promise<unknown>>()

  constructor(backend: LocalBackend, hints: HintRing, clock: Clock) {
    const client = new Client(backend, clock)
    this.#served = {
      open: () => backend.open(),
      async add(tasks, options) {
        const ids = await backend.add(tasks, options)
        const queues = tasks.flatMap(({ queue }, i) => (ids[i] === undefined ? [] : queue))
        if (queues.length > 0) client.added(queues)
        return ids
      },
      async addAlike(tasks, options) {
        const ignored = await backend.addAlike(tasks, options)
        if (ignored < tasks.inputs.length) client.added([tasks.queue])
        return ignored
      },
      async exchange(exchange) {
        const answer = await backend.exchange(exchange)
        if (!answer.fenced) tellExchange(backend, exchange.settle, answer)
        return answer
      },
      renew: (host, until) => backend.renew(host, until),
      change: (change) => client.change(change),
      get: (ids) => backend.get(ids),
      results: (ids) => backend.results(ids),
      batch: (id) => backend.batch(id),
      read: (kind, query, cursor) => backend.read(kind, query, cursor),
      counts: (queue) => backend.counts(queue),
      async recover(options) {
        const recovered = await backend.recover(options)
        if (recovered) hints.post({ type: 'changed', change: 'recover' })
        return recovered
      },
      prune: (retention) => backend.prune(retention),
      repair: () => backend.repair(),
      rest: async (name) => this.#rests.next(name),
      hints: (since, timeout) => hints.since(since, Math.min(timeout, LONGEST)),
    }
  }

  /** Never rejects. */
  async answer(call: AnyCall): Promise<Reply<unknown>> {
    try {
      const value = await this.#once(call)
      const rest = call.method === 'rest' ? undefined : this.#rests.cut(value)
      return rest === undefined ? { ok: true, value } : { ok: true, value, rest }
    } catch (error) {
      return { ok: false, error: sent(error) }
    }
  }

  /** What was asked for twice may be under way still, or come late. */
  #once(call: AnyCall): Promise<unknown> {
    const { id } = call
    if (id === undefined) return this.#do(call)
    const done = this.#done.get(id)
    if (done) return done
    const doing = this.#do(call)
    this.#done.set(id, doing)
    doing.catch(() => {})
    for (const old of this.#done.keys()) {
      if (this.#done.size <= KEPT) break
      this.#done.delete(old)
    }
    return doing
  }

  #do<M extends Method>({ method, args }: { method: M; args: Parameters<Served[M]> }): Promise<Returned<M>> {
    const served: { [P in Method]: (...args: Parameters<Served[P]>) => Promise<Returned<P>> } = this.#served
    return served[method](...args)
  }
}

function sent(error: unknown): SentError {
  const { name, message, code, cause } = errorRecord(error)
  return {
    name,
    message,
    ...(code === undefined ? {} : { code }),
    ...(error instanceof InvalidOptionError ? { option: error.option } : {}),
    ...(cause === undefined ? {} : { cause }),
  }
}
