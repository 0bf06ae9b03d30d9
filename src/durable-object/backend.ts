import type {
  AddOptions,
  AlikeTasks,
  Backend,
  BatchChunk,
  BatchView,
  Change,
  Cursor,
  Exchange,
  Exchanged,
  NewTask,
  Page,
  Reads,
  Repaired,
  Retention,
} from '../backend.js'
import type { Channel } from '../channel.js'
import { checkKnown } from '../checks.js'
import { type Clock, systemClock } from '../clock.js'
import { ClosedError, InvalidOptionError, SitqError, StorageError } from '../errors.js'
import { peek } from '../peek.js'
import { randomText } from '../random.js'
import type { Counts, HostId, Result, TaskId, TaskView } from '../task.js'
import { AskingChannel } from './channel.js'
import type { ObjectNamespace } from './platform.js'
import { join } from './portions.js'
import {
  type Call,
  errorFrom,
  type Method,
  type QueueStub,
  type ReadCall,
  type Reply,
  type Returned,
  type Served,
} from './protocol.js'
import { sending } from './sending.js'

export type DurableObjectBackendOptions = {
  /** Default: the system's. */
  clock?: Clock
} & (
  | {
      /** The binding of a class that extends QueueObject, as in `env.JOBS`. */
      namespace: ObjectNamespace
      /** Each name is a database of its own. Default `'default'`. */
      name?: string
    }
  | {
      /** Gives a stub of the object: a new one when it is asked again, since one that lost its connection stays without. */
      stub: () => object
    }
)

/** A request for hints waits so long in the object, in ms. */
const PATIENCE = 20_000

/**
 * Tasks in a Durable Object, from any Worker that has its binding. Making one touches nothing. Make one for each request:
 * what one request has opened, another cannot use.
 *
 * Acknowledged means stored: an object's answers are held back until its writes are confirmed. An operation whose answer is
 * lost with the connection, or with the object, is asked for once more: whatever has happened is not done twice. If that is not
 * answered either, the error is StorageError `'lost'` (`'unavailable'` for what only reads): look before you repeat it.
 *
 * Objects have no locks that outlive them: hosts hold what they claim by leases alone.
 */
export class DurableObjectBackend implements Backend {
  readonly channel: Channel
  readonly #connect: () => QueueStub
  #stub: QueueStub | undefined
  readonly #closing = new AbortController()

  /** Throws InvalidOptionError. */
  constructor(options: DurableObjectBackendOptions) {
    checkKnown('options', options, ['namespace', 'name', 'stub', 'clock'])
    this.#connect = connection(options)
    const { clock = systemClock } = options
    this.channel = new AskingChannel((since) => this.#call('hints', since, PATIENCE), clock)
  }

  get closed(): AbortSignal {
    return this.#closing.signal
  }

  open(): Promise<void> {
    return this.#call('open')
  }

  add(tasks: readonly NewTask[], given: AddOptions): Promise<(TaskId | undefined)[]> {
    const { nonce = randomText(16) } = given
    const options: AddOptions = { ...given, nonce }
    const call: Call<'add'> = { method: 'add', args: [tasks, options], id: nonce }
    const again: Call<'add'> = { ...call, args: [tasks, { ...options, again: true }] }
    return this.#try<Call<'add'>, Returned<'add'>>(call, (stub, sent) => stub.sitq(sent), again)
  }

  addAlike(tasks: AlikeTasks, given: AddOptions & { batch: BatchChunk }): Promise<number> {
    const { nonce = randomText(16) } = given
    const options = { ...given, nonce }
    const call: Call<'addAlike'> = { method: 'addAlike', args: [tasks, options], id: nonce }
    const again: Call<'addAlike'> = { ...call, args: [tasks, { ...options, again: true }] }
    return this.#try<Call<'addAlike'>, Returned<'addAlike'>>(call, (stub, sent) => stub.sitq(sent), again)
  }

  exchange(exchange: Exchange): Promise<Exchanged> {
    return this.#call('exchange', exchange)
  }

  renew(host: HostId, until: number): Promise<Float64Array | undefined> {
    return this.#call('renew', host, until)
  }

  change(change: Change): Promise<number> {
    return this.#call('change', change)
  }

  get(ids: readonly TaskId[]): Promise<(TaskView | undefined)[]> {
    return this.#call('get', ids)
  }

  results(ids: readonly TaskId[]): Promise<(Result | undefined)[]> {
    return this.#call('results', ids)
  }

  batch(id: string): Promise<BatchView | undefined> {
    return this.#call('batch', id)
  }

  read<K extends keyof Reads>(kind: K, query: Reads[K]['query'], cursor?: Cursor): Promise<Page<Reads[K]['item']>> {
    const call: ReadCall<K> = { method: 'read', args: cursor === undefined ? [kind, query] : [kind, query, cursor] }
    return this.#try(call, (stub, sent) => stub.sitq<K>(sent))
  }

  counts(queue?: string): Promise<Counts> {
    return this.#call('counts', queue)
  }

  recover(options: Parameters<Backend['recover']>[0]): Promise<number | undefined> {
    return this.#call('recover', options)
  }

  prune(retention: Retention): Promise<boolean> {
    return this.#call('prune', retention)
  }

  repair(): Promise<Repaired> {
    return this.#call('repair')
  }

  /** For good. The object goes on. */
  async close(): Promise<void> {
    this.#closing.abort(new ClosedError('backend'))
    this.channel.close()
  }

  #call<M extends Method>(method: M, ...args: Parameters<Served[M]>): Promise<Returned<M>> {
    const call: Call<M> = COUNTED.includes(method) ? { method, args, id: randomText(16) } : { method, args }
    return this.#try(call, (stub, sent) => stub.sitq<M>(sent))
  }

  /** Asks once more if the first time was not answered: whatever is served can be asked for again. */
  async #try<C extends { method: Method }, Value>(
    call: C,
    ask: (stub: QueueStub, call: C) => Promise<Reply<Value>>,
    again = call,
  ): Promise<Value> {
    const asking = this.#ask(call, ask)
    const stub = this.#stub
    try {
      return await asking
    } catch (error) {
      // One that is overloaded has told so, and is better left alone.
      if (error instanceof SitqError || peek(error, 'overloaded') === true) throw unanswered(call.method, error)
      // Others that lost it may have a new one by now: what follows each other keeps its order only on one stub.
      if (this.#stub === stub) this.#stub = undefined
      return await this.#ask(again, ask).catch((last: unknown) => {
        throw unanswered(call.method, last)
      })
    }
  }

  async #ask<C, Value>(call: C, ask: (stub: QueueStub, call: C) => Promise<Reply<Value>>): Promise<Value> {
    this.#closing.signal.throwIfAborted()
    this.#stub ??= this.#connect()
    const stub = this.#stub
    const reply = await sending(call, (sent) => ask(stub, sent))
    if (!reply.ok) throw errorFrom(reply.error)
    for (let { rest } = reply; rest !== undefined; ) {
      const portion = await stub.sitq({ method: 'rest', args: [rest] })
      if (!portion.ok || !portion.value) throw new Error('The rest of the answer is gone.')
      join(reply.value, portion.value.items)
      rest = portion.value.rest
    }
    return reply.value
  }
}

function connection(options: DurableObjectBackendOptions): () => QueueStub {
  if ('stub' in options && typeof options.stub === 'function') {
    const { stub } = options
    return () => checked(stub())
  }
  if ('namespace' in options && typeof options.namespace?.getByName === 'function') {
    const { namespace, name = 'default' } = options
    return () => checked(namespace.getByName(name))
  }
  throw new InvalidOptionError(
    'namespace',
    'Give the binding of your QueueObject, as in { namespace: env.JOBS }, or a stub.',
  )
}

function checked(stub: object): QueueStub {
  if (isQueue(stub)) return stub
  throw new InvalidOptionError('namespace', 'This is no stub of a Durable Object that extends QueueObject.')
}

/** A stub has every method one asks for: whether the object does shows when it is called. */
const isQueue = (stub: object): stub is QueueStub => typeof Reflect.get(stub, 'sitq') === 'function'

/** What is done to tasks and counts them: a second time it would count others. */
const COUNTED: readonly Method[] = ['change', 'recover']
/** What changes nothing. */
const READS: readonly Method[] = ['open', 'get', 'results', 'batch', 'read', 'counts', 'hints']

/** No answer came. What was asked for may have happened. */
function unanswered(method: Method, cause: unknown): unknown {
  if (cause instanceof SitqError) return cause
  const text = cause instanceof Error ? cause.message : String(cause)
  const code = READS.includes(method) ? 'unavailable' : 'lost'
  return new StorageError(code, `The Durable Object could not be reached, or did not answer: ${text}`, { cause })
}
