import { defineHandlers, type HandlerContext, PermanentError } from 'sitq'
import { files } from './import/files.js'
import { readSlice } from './import/slice.js'
import type { Item } from './jobs/item.js'
import { type Metrics, metrics } from './jobs/metrics.js'
import { priorities } from './jobs/priorities.js'
import { type Processed, processed } from './jobs/process.js'
import { type Validation, validate } from './jobs/validate.js'
import { work } from './jobs/work.js'

export interface UserItem extends Item<unknown> {
  /** Errors known before. */
  found?: string[]
  /** A batch: a valid user goes on to be processed in it. */
  next?: string
}

/** Where a slice of a stored file begins, and where its rows go. */
export interface SliceInput {
  file: string
  /** In bytes. */
  from: number
  /** Index of the first row. */
  row: number
  delay: number
  batches: { imports: string; validation: string; processing: string }
}

export interface SliceOutput {
  rows: number
  /** Bytes of the file that are imported by now. */
  done: number
}

export const handlers = defineHandlers({
  /** Judges a user; with `next`, its processing is stored in the same transaction as the judgement. */
  validateUser: ({ found, next, ...item }: UserItem, ctx): Validation<unknown> => {
    work(item.delay)
    const judged = validate(item, found)
    if (next !== undefined && judged.is_valid)
      ctx.enqueue('processItem', item, { batch: next, priority: priorities.processing })
    return judged
  },

  processItem: (item: Item<unknown>): Processed => {
    work(item.delay)
    return processed(item)
  },

  computeMetrics: ({ data, delay }: Item<readonly number[]>): Metrics => {
    work(delay)
    return metrics(data)
  },

  /** Imports one slice of a file. Its rows and the next slice are stored with its outcome: all of it happens or nothing. */
  importSlice: async (
    { file: id, from, row, delay, batches }: SliceInput,
    ctx: HandlerContext,
  ): Promise<SliceOutput> => {
    const file = await files.find(id)
    if (!file) throw new PermanentError('The file is no longer stored here. Choose it again.')
    const { rows, next } = await readSlice(file, from, row)
    for (const each of rows) {
      const item: UserItem = { ...each, next: batches.processing }
      if (delay > 0) item.delay = delay
      ctx.enqueue('validateUser', item, { batch: batches.validation, priority: priorities.validation })
    }
    if (next)
      ctx.enqueue(
        'importSlice',
        { file: id, ...next, delay, batches },
        { batch: batches.imports, priority: priorities.imports },
      )
    else for (const batch of [batches.imports, batches.validation]) ctx.endBatch(batch)
    return { rows: rows.length, done: next?.from ?? file.content.size }
  },
})

export type Handlers = typeof handlers
