import { describe, expectTypeOf, it } from 'vitest'
import type { Executor } from '../src/executor.js'
import { defineHandlers, type HandlerContext } from '../src/handlers.js'
import { inline } from '../src/inline.js'
import { serveHandlers, webWorkers } from '../src/web-worker/index.js'

const handlers = defineHandlers({
  plain: ({ id }: { id: number }) => id,
  nothing: () => {},
  waits: async (url: string, ctx: HandlerContext) =>
    fetch(url, { signal: ctx.signal }).then((response) => response.blob()),
  settings: {
    run: (n: number) => n,
    retry: { attempts: 2, when: (error) => error instanceof TypeError },
    timeout: 10,
    concurrency: 1,
  },
})

describe('executors', () => {
  it('take any handlers, whatever their inputs', () => {
    expectTypeOf(serveHandlers).toBeCallableWith(handlers)
    expectTypeOf(inline(handlers, { concurrency: 3 })).toEqualTypeOf<Executor>()
    serveHandlers({ odd: (a: Map<string, bigint>, ctx) => ctx.id + a.size })
  })

  it('refuse what is no handler', () => {
    // @ts-expect-error: not a function
    serveHandlers({ one: 1 })
    // @ts-expect-error: no run
    inline({ one: { timeout: 5 } })
    // @ts-expect-error: a handler takes its input and its context
    serveHandlers({ three: (_input: string, _ctx: HandlerContext, _more: number) => {} })
    // @ts-expect-error: settings are checked
    serveHandlers({ late: { run: () => {}, timeout: '5s' } })
  })

  it('take a function that makes Web Workers, not a Web Worker', () => {
    expectTypeOf(
      webWorkers(() => new Worker('x.js'), { size: 2, idleTimeout: 1, startTimeout: 1 }),
    ).toEqualTypeOf<Executor>()
    // @ts-expect-error: one Web Worker is no pool
    webWorkers(new Worker('x.js'))
    // @ts-expect-error: concurrency is the TaskWorker's
    webWorkers(() => new Worker('x.js'), { concurrency: 3 })
  })
})
