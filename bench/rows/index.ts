/** Every row, the most telling first. */
import type { Row } from '../contract.js'
import { chunkRows } from './chunks.js'
import { poolRows } from './dispatch.js'
import { drainRow, drainRows } from './drain.js'
import { enqueueManyRow, enqueueRows } from './enqueue.js'
import { growthRows } from './growth.js'
import { latencyRows } from './latency.js'
import { mixedRows } from './mixed.js'
import { pageRows } from './page-alive.js'
import { peerRows } from './peers.js'

export const rows: readonly Row[] = [
  ...enqueueRows,
  ...drainRows,
  ...mixedRows,
  ...latencyRows,
  ...growthRows,
  ...poolRows,
  ...pageRows,
  ...peerRows,
  ...chunkRows,
]

export { drainRow, enqueueManyRow }
