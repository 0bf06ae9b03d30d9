import type { DurableObjectBackendOptions, ObjectState } from 'sitq/durable-object'
import { fill } from '../../src/found.js'
import type { Key } from '../../src/keys.js'
import type { Plan, RawRead, Storage } from '../../src/storage.js'

/** Where the tests of a bundle run: set before they do. */
export const here: { ctx?: ObjectState; env?: Env; acknowledged?: string[] } = {}

/** The object that is killed before the tests begin. */
export const KILLED = 'killed'

export interface Env {
  PLAIN: Namespace<Looking>
  WORKING: Namespace<Looking & Probing>
}
/** As much of a binding as the tests need. */
export interface Namespace<Methods> {
  getByName(name: string): Stub<Methods>
}
export type Stub<Methods> = Methods & { fetch(request: Request): Promise<Response> }

export interface Looking {
  /** Reads for a plan that is driven from elsewhere. */
  look(reads: RawRead[]): Promise<{ keys: Key[]; found: unknown[] }[]>
}

/** What can be done to an object, and asked of it, beside what a queue does. */
export interface Probing {
  die(): unknown
  /** Lets the alarm go off. */
  ring(): Promise<void>
  jump(ms: number): unknown
  /** ms from now; undefined: none is set. */
  alarmIn(): Promise<number | undefined>
  forgetAlarm(): Promise<void>
  /** What handlers noted as they began, whatever instance of the object they ran in. */
  ran(): unknown
  enqueueInside(input: string): Promise<string>
}

export function env(): Env {
  if (!here.env) throw new Error('These tests run in a Worker.')
  return here.env
}

/** What an object has stored, from outside. */
export function storageOf(stub: Looking): Storage {
  return {
    generation: 1,
    open: async () => false,
    close: async () => {},
    async run<T>(plan: () => Plan<T>): Promise<T> {
      const steps = plan()
      let step = steps.next()
      while (!step.done) {
        const reads = [...step.value]
        const raw = reads.map((read): RawRead => ({ ...read, table: 'raw', keys: [], found: [] }))
        const answers = await stub.look(raw)
        reads.forEach((read, i) => {
          const { keys = [], found = [] } = answers[i] ?? {}
          if (read.table === 'raw') read.keys = keys
          fill(read, found)
        })
        step = steps.next()
      }
      return step.value.value
    },
  }
}

export type Options = DurableObjectBackendOptions
