import { defineHandlers } from 'sitq'

export const handlers = defineHandlers({
  noop: ({ id }: { id: number; text: string }) => id,
})
export type Handlers = typeof handlers
