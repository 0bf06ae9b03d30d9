/** What the page notices: memory while a generator is enqueued, and frames while a batch is drained. */
import { type Load, NotHereError, type Row, type Sample } from '../contract.js'
import { median } from '../statistics.js'
import { each, timed } from './clock.js'
import { drainOurs } from './drain.js'
import { type Item, item } from './items.js'
import { checkWaiting, freshQueue } from './sitq.js'

const MEGABYTE = 1_048_576

declare global {
  interface Performance {
    /** Chromium's. */
    memory?: { usedJSHeapSize: number }
  }
}

function used(): number {
  const bytes = performance.memory?.usedJSHeapSize
  if (bytes === undefined) throw new NotHereError('this browser does not tell how large its heap is')
  return bytes / MEGABYTE
}

async function heap({ tasks }: Load): Promise<Sample> {
  used()
  const queue = await freshQueue()
  globalThis.gc?.()
  const before = used()
  const held: number[] = []
  let most = 0
  const every = Math.max(1, Math.floor(tasks / 20))
  function* watched(): Generator<Item> {
    for (let id = 0; id < tasks; id++) {
      if (id % 1_000 === 0) most = Math.max(most, used())
      if (id % every === 0 && id > 0) {
        globalThis.gc?.()
        held.push(used() - before)
      }
      yield item(id)
    }
  }
  const ms = await timed(() => queue.enqueueMany('noop', watched()))
  await checkWaiting(queue, tasks)
  const half = Math.floor(held.length / 2)
  return {
    // Without gc() garbage is part of it.
    'held MB': Math.max(...held),
    'second half MB': median(held.slice(half)) - median(held.slice(0, half)),
    'with garbage MB': most - before,
    'µs/task': each(ms, tasks),
  }
}

const memory: Row = {
  name: 'heap',
  title: 'enqueueMany from a generator: growth of the page’s heap',
  tasks: 1_000_000,
  small: 50_000,
  ours: { name: 'sitq', measure: heap },
  others: [],
  goals: [
    { metric: 'held MB', as: 'value', atMost: 32 },
    { metric: 'second half MB', as: 'value', atMost: 4 },
  ],
}

/** A frame, and a task of the page, as long as it is watched. */
function watchFrames() {
  const frames: number[] = []
  const tasks: number[] = []
  let last: number | undefined
  let handle = requestAnimationFrame(function frame(at) {
    if (last !== undefined) frames.push(at - last)
    last = at
    handle = requestAnimationFrame(frame)
  })
  const told = PerformanceObserver.supportedEntryTypes.includes('longtask')
  const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)))
  if (told) observer.observe({ type: 'longtask' })
  return {
    end(): Sample {
      cancelAnimationFrame(handle)
      tasks.push(...observer.takeRecords().map(({ duration }) => duration))
      observer.disconnect()
      if (frames.length === 0) throw new NotHereError('this page is not shown: it has no frames')
      const sample = { 'frames/s': 1_000 / median(frames), 'longest frame ms': Math.max(...frames) }
      return told ? { ...sample, 'longest task ms': Math.max(0, ...tasks) } : sample
    },
  }
}

const frames: Row = {
  name: 'alive',
  title: 'the page while no-ops are drained by 2 Web Workers (tasks under 50 ms are not told: 0)',
  tasks: 100_000,
  small: 20_000,
  ours: { name: 'sitq', measure: (load) => drainOurs(load, watchFrames) },
  others: [],
  goals: [
    { metric: 'longest task ms', as: 'value', atMost: 50 },
    { metric: 'frames/s', as: 'value', atLeast: 55 },
  ],
}

export const pageRows: readonly Row[] = [memory, frames]
