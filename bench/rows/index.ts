/** Every row, the most telling first. */
import type { Row } from '../contract.js'
import { poolRows } from './dispatch.js'
import { drainRows } from './drain.js'
import { enqueueRows } from './enqueue.js'
import { mixedRows } from './mixed.js'

export const rows: readonly Row[] = [...enqueueRows, ...drainRows, ...mixedRows, ...poolRows]
