import { defineHandlers, type HandlerContext } from 'sitq'
import { parseId } from '../../../src/task.js'
import { placeOf, teller } from './witness.js'

export interface Item {
  index: number
  /** Computes for so long, in ms. Default 0. */
  ms?: number
}

export interface Checked extends Item {
  fits: boolean
}

/** The page gives its Web Workers a name that says whose they are. */
const [database = '', tab = ''] = self.name.split(' ')
const { tell, go } = teller(database, tab)

function note({ id, name, attempt }: HandlerContext, { index }: Item): void {
  tell({ type: 'run', tab, name, index, place: placeOf(parseId(id)), attempt })
}

function spin(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** Every execution is seen by the test before it does anything else. */
export const oldHandlers = defineHandlers({
  work(item: Item, ctx) {
    note(ctx, item)
    spin(item.ms ?? 0)
    return { index: item.index, square: item.index ** 2, tab }
  },
  /** Runs until the test says so, or until it is aborted. */
  async hold(item: Item, ctx) {
    note(ctx, item)
    await new Promise<void>((resolve, reject) => {
      void go.then(resolve)
      ctx.signal.addEventListener('abort', () => {
        const reason = String(ctx.signal.reason)
        tell({ type: 'aborted', tab, index: item.index, reason })
        reject(ctx.signal.reason)
      })
    })
    return { index: item.index, square: item.index ** 2, tab }
  },
  /** Does not listen to anything, at the first attempt: it has to be killed. */
  spin(item: Item, ctx) {
    note(ctx, item)
    if (ctx.attempt === 1) spin(60_000)
    return ctx.attempt
  },
  /** Ends its Web Worker without a word. */
  quit(item: Item, ctx): Promise<never> {
    note(ctx, item)
    self.close()
    return new Promise(() => {})
  },
  /** Asks the server that the page is from; rejects without a network. */
  async load(item: Item, ctx) {
    note(ctx, item)
    return (await fetch(`/elsewhere?${item.index}`, { cache: 'no-store' })).status
  },
  check(item: Item, ctx): Checked {
    note(ctx, item)
    spin(item.ms ?? 0)
    return { ...item, fits: item.index % 3 !== 0 }
  },
  finish(item: Checked, ctx) {
    note(ctx, item)
    spin(item.ms ?? 0)
    return `item ${item.index}`
  },
})

export const handlers = defineHandlers({
  ...oldHandlers,
  /** Only a newer version of the app has it. */
  fresh(item: Item, ctx) {
    note(ctx, item)
    return `fresh ${item.index}`
  },
})

export type Handlers = typeof handlers
