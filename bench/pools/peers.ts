/** Other pools, each as its documentation says, with 2 Web Workers: `run` gives them all the items and resolves with their outputs. */
import { WorkerPool } from '@fideus-labs/worker-pool'
import { wrap } from 'comlink'
import { FixedThreadPool } from 'poolifier-web-worker'
import workerpool from 'workerpool'
import type { Item } from '../rows/items.js'
import poolifierUrl from './poolifier.worker.js?worker&url'
import type { Service } from './raw.worker.js'
import workerpoolUrl from './workerpool.worker.js?worker&url'

const SIZE = 2

export interface Pool {
  run(items: readonly Item[]): Promise<unknown[]>
  end(): void
}

export const pools: Record<string, () => Pool> = {
  workerpool: () => {
    // One more would be spawned for each core but one; and a queue of tasks in the Web Worker spares it the wait for the next.
    const pool = workerpool.pool(workerpoolUrl, { minWorkers: SIZE, maxWorkers: SIZE, workerOpts: { type: 'module' } })
    return {
      run: (items) => Promise.all(items.map((item) => pool.exec('noop', [item]))),
      end: () => void pool.terminate(true),
    }
  },
  '@fideus-labs/worker-pool': () => {
    const pool = new WorkerPool(SIZE)
    const call = (item: Item) => (given: Worker | null) =>
      new Promise<{ worker: Worker; result: unknown }>((resolve) => {
        const worker = given ?? new Worker(new URL('./echo.worker.ts', import.meta.url), { type: 'module' })
        worker.onmessage = ({ data }) => resolve({ worker, result: data })
        worker.postMessage(item)
      })
    return { run: (items) => pool.runTasks(items.map(call)).promise, end: () => pool.terminateWorkers() }
  },
  'poolifier-web-worker': () => {
    const pool = new FixedThreadPool<Item, number>(SIZE, new URL(poolifierUrl, location.href), {
      workerOptions: { type: 'module' },
    })
    return {
      run: (items) => Promise.all(items.map((item) => pool.execute(item))),
      end: () => void pool.destroy(),
    }
  },
  'raw Comlink': () => {
    const workers = Array.from(
      { length: SIZE },
      () => new Worker(new URL('./raw.worker.ts', import.meta.url), { type: 'module' }),
    )
    const services = workers.map((worker) => wrap<Service>(worker))
    return {
      // All calls at once, in turn to each: a call per task is the design, waiting for each would be a handicap.
      run: (items) => Promise.all(items.map((item, i) => services[i % SIZE]?.noop(item))),
      end: () => {
        for (const worker of workers) worker.terminate()
      },
    }
  },
}
