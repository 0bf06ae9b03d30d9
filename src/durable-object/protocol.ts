/** What a Worker and an object say to each other: one method, so that the object's class is its author's otherwise. */
import type { Backend, Cursor, Page, Reads } from '../backend.js'
import { ClosedError, InvalidOptionError, SitqError, StorageError } from '../errors.js'
import type { ErrorRecord } from '../task.js'
import type { HintCursor, Hints } from './hints.js'

/** What is served: the contract of a backend. */
export interface Served
  extends Pick<
    Backend,
    | 'open'
    | 'add'
    | 'addAlike'
    | 'exchange'
    | 'renew'
    | 'change'
    | 'get'
    | 'results'
    | 'batch'
    | 'read'
    | 'counts'
    | 'recover'
    | 'prune'
  > {
  repair(): ReturnType<NonNullable<Backend['repair']>>
  hints(since: HintCursor | undefined, timeout: number): Promise<Hints>
  /** Of an answer that was too long for one. Undefined: it is not there any more. */
  rest(name: string): Promise<Portion | undefined>
}
export interface Portion {
  items: unknown[]
  rest?: string
}
export type Method = keyof Served

export interface Call<M extends Method> {
  method: M
  args: Parameters<Served[M]>
  /** Names what must not happen twice, for when it is asked for again. */
  id?: string
}
export interface ReadCall<K extends keyof Reads> {
  method: 'read'
  args: [kind: K, query: Reads[K]['query'], cursor?: Cursor]
}
export type AnyCall = { [M in Method]: Call<M> }[Method]

/** An error that crosses from isolate to isolate keeps its message alone: ours go as data. */
export type Reply<Value> =
  /** `rest`: there is more of a list in it, to be asked for by that name. */
  { ok: true; value: Value; rest?: string } | { ok: false; error: SentError }
export type Returned<M extends Method> = Awaited<ReturnType<Served[M]>>

/** An object's end of it, as a stub has it. */
export interface QueueStub {
  sitq<K extends keyof Reads>(call: ReadCall<K>): Promise<Reply<Page<Reads[K]['item']>>>
  sitq<M extends Method>(call: Call<M>): Promise<Reply<Returned<M>>>
}

export interface SentError {
  name: string
  message: string
  code?: string
  option?: string
  cause?: ErrorRecord
}

/** A record, so that a code that is missing here does not compile. */
const storageCodes: Record<StorageCode, true> = {
  unavailable: true,
  blocked: true,
  quota: true,
  lost: true,
  'newer-version': true,
  uncloneable: true,
  broken: true,
}
type StorageCode = ConstructorParameters<typeof StorageError>[0]
const isStorageCode = (code: string | undefined): code is StorageCode =>
  code !== undefined && Object.hasOwn(storageCodes, code)

/** The error that a record stands for. */
export function errorFrom({ name, message, code, option, cause }: SentError): Error {
  const options = cause === undefined ? undefined : { cause }
  if (name === 'StorageError' && isStorageCode(code)) return new StorageError(code, message, options)
  if (name === 'ClosedError') return new ClosedError('object')
  if (name === 'InvalidOptionError') return new InvalidOptionError(option ?? '', message)
  if (code !== undefined) return new SitqError(code, message, options)
  return Object.assign(new Error(message, options), { name })
}
