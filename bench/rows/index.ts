/** Every row, the most telling first. */
import type { Row } from '../contract.js'
import { drainRows } from './drain.js'
import { enqueueRows } from './enqueue.js'

export const rows: readonly Row[] = [...enqueueRows, ...drainRows]
