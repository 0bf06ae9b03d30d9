import workerpool from 'workerpool'
import type { Item } from '../rows/items.js'

workerpool.worker({ noop: ({ id }: Item) => id })
