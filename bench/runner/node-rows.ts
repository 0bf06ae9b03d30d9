/** Rows whose other side runs in Node. */
import type { Row } from '../contract.js'

export const nodeRows: readonly Row[] = []
