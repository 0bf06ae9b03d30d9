import { defineHandlers, type HandlerContext } from '../../../src/handlers.js'

export type Job =
  | { do: 'return'; value?: unknown }
  | { do: 'fail'; message: string; code?: string }
  /** Computes for so long, without a break, ms. */
  | { do: 'spin'; ms: number }
  /** Waits for so long; ends early if aborted, unless deaf. */
  | { do: 'wait'; ms: number; deaf?: boolean }
  /** An error nobody catches, while the attempt goes on for so long. */
  | { do: 'throw-in-timer'; ms?: number }
  | { do: 'close-self' }
  | { do: 'uncloneable' }
  /** Returns what can be posted and not stored. */
  | { do: 'compile' }
  | { do: 'follow-up'; names: string[]; batch?: string; endBatch?: string }
  | { do: 'context' }
  | { do: 'mark-input' }

const sleep = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => reject(signal.reason))
  })

let calls = 0
let atOnce = 0
let mostAtOnce = 0

async function work(job: Job, ctx: HandlerContext): Promise<unknown> {
  calls++
  switch (job.do) {
    case 'return':
      return job.value
    case 'fail':
      throw Object.assign(new Error(job.message), job.code ? { code: job.code } : {})
    case 'spin': {
      const end = performance.now() + job.ms
      while (performance.now() < end);
      return 'spun'
    }
    case 'wait':
      await sleep(job.ms, job.deaf ? undefined : ctx.signal)
      return 'waited'
    case 'throw-in-timer':
      setTimeout(() => {
        throw new RangeError('nobody catches this')
      })
      await sleep(job.ms ?? 5_000)
      return 'survived'
    case 'close-self':
      close()
      return new Promise(() => {})
    case 'uncloneable':
      return { user: { save: () => {} } }
    case 'compile':
      return { module: new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])) }
    case 'follow-up':
      for (const name of job.names) ctx.enqueue(name, { from: ctx.id }, job.batch ? { batch: job.batch, delay: 5 } : {})
      if (job.endBatch) ctx.endBatch(job.endBatch)
      return job.names.length
    case 'context': {
      const { id, name, attempt, meta, signal } = ctx
      return { id, name, attempt, meta, aborted: signal.aborted }
    }
    case 'mark-input': {
      const before = { ...job }
      Object.assign(job, { marked: true })
      return before
    }
  }
}

/** The same for every test of an executor: what they do is in the input. */
export const handlers = defineHandlers({
  work,
  /** The same under another name: nothing is known of how long it takes. */
  other: work,
  timed: { run: work, timeout: 150 },
  picky: {
    run: work,
    retry: { attempts: 5, delay: 10, when: (error) => !(error instanceof Error && error.message === 'final') },
  },
  single: {
    async run(job: Job, ctx) {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce)
      try {
        await work(job, ctx)
        return mostAtOnce
      } finally {
        atOnce--
      }
    },
    concurrency: 1,
  },
  noop: () => undefined,
  calls: () => calls,
  /** Throws in a timer, and has ended by then. */
  stray: ({ after }: { after: number }) => {
    setTimeout(() => {
      throw new Error('stray')
    }, after)
  },
})
