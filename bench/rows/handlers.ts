import { defineHandlers } from 'sitq'
import { type Item, present } from './items.js'

function spin(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

export const handlers = defineHandlers({
  noop: ({ id }: Item) => id,
  /** When it began. */
  stamp: (_: Item) => present(),
  spin: ({ id, ms }: Item & { ms: number }) => {
    spin(ms)
    return id
  },
})
export type Handlers = typeof handlers
