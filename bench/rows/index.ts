/** Every row, the most telling first. */
import type { Row } from '../contract.js'
import { poolRows } from './dispatch.js'
import { drainRows } from './drain.js'
import { enqueueRows } from './enqueue.js'
import { growthRows } from './growth.js'
import { latencyRows } from './latency.js'
import { mixedRows } from './mixed.js'
import { pageRows } from './page-alive.js'

export const rows: readonly Row[] = [
  ...enqueueRows,
  ...drainRows,
  ...mixedRows,
  ...latencyRows,
  ...growthRows,
  ...poolRows,
  ...pageRows,
]
