import { defineHandlers } from 'sitq'

export const handlers = defineHandlers({
  double: ({ value, note }: { value: number; note: string }) => {
    if (note !== 'from the page') throw new Error('only in the worker: this text must not reach the page')
    return value * 2
  },
})

export type Handlers = typeof handlers
