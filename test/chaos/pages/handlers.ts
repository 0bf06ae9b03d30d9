import { defineHandlers, type HandlerContext } from 'sitq'
import { type FlowItem, finished, type Item, keeps, type Output } from './items.js'
import { reporter } from './reports.js'

/** The page gives its Web Workers a name of its life and a number. */
const [life = '', worker = ''] = self.name.split('#')
const report = reporter()

async function begin(
  { id, name, attempt }: HandlerContext,
  { key, ms = 0 }: Pick<Item, 'key' | 'ms'>,
): Promise<Output> {
  const run = await report({ type: 'run', life, worker: Number(worker), id, name, key, attempt, at: now() })
  const end = performance.now() + ms
  while (performance.now() < end);
  return { key, run }
}

/** ms since the epoch, finer than Date.now(). */
const now = () => performance.timeOrigin + performance.now()

export const handlers = defineHandlers({
  work: (item: Item, ctx) => begin(ctx, item),

  async parent(item: Item, ctx) {
    const output = await begin(ctx, item)
    for (let i = 0; i < (item.children ?? 0); i++) {
      const { batch } = item
      ctx.enqueue('work', { key: `${item.key}/${i}` }, batch === undefined ? {} : { batch })
    }
    return output
  },

  async flaky(item: Item, ctx) {
    const output = await begin(ctx, item)
    if (ctx.attempt <= (item.bad ?? 0)) throw new Error(`attempt ${ctx.attempt} is meant to fail`)
    return output
  },

  async spin(item: Item, ctx) {
    const output = await begin(ctx, item)
    if (ctx.attempt <= (item.bad ?? 0)) for (;;);
    return output
  },

  /** Waits instead of computing: it hears its signal, and its Web Worker stays idle. */
  async wait(item: Item, ctx) {
    const output = await begin(ctx, { key: item.key })
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, item.ms)
      ctx.signal.addEventListener('abort', () => {
        clearTimeout(timer)
        reject(ctx.signal.reason)
      })
    })
    return output
  },

  async check(item: FlowItem, ctx) {
    await begin(ctx, item)
    return { ...item, fits: keeps(item.index) }
  },

  async finish(item: FlowItem & { fits: boolean }, ctx) {
    await begin(ctx, { key: `${item.key}!`, ms: item.ms })
    return finished(item.index)
  },
})

export type Handlers = typeof handlers
