/** What the runner calls in the bench page, one round of one side at a time. */
import { NotHereError, type Sample, type Side } from '../contract.js'
import { rows } from './index.js'

export type Measured = { sample: Sample } | { notHere: string }

export interface BenchPage {
  prepare(row: string, side: string, tasks: number): Promise<void>
  measure(row: string, side: string, tasks: number): Promise<Measured>
}

function find(name: string, sideName: string): Side {
  const row = rows.find((row) => row.name === name)
  const side = row && [row.ours, ...row.others].find(({ name }) => name === sideName)
  if (!side) throw new Error(`There is no row ${name} with a side ${sideName}.`)
  return side
}

const load = (tasks: number) => ({ tasks, say: () => {} })

export const benchPage: BenchPage = {
  async prepare(row, side, tasks) {
    await find(row, side).prepare?.(load(tasks))
  },
  async measure(row, side, tasks) {
    try {
      return { sample: await find(row, side).measure(load(tasks)) }
    } catch (error) {
      if (error instanceof NotHereError) return { notHere: error.message }
      throw error
    }
  },
}
