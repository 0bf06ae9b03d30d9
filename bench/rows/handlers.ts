import { defineHandlers } from 'sitq'
import type { Item } from './items.js'

/** The present on a clock that all threads of a browser share, in ms with fractions. */
export const present = () => performance.timeOrigin + performance.now()

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
