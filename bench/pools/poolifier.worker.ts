// biome-ignore assist/source/organizeImports: this one goes first
import { redeliver } from './early.js'
import { ThreadWorker } from 'poolifier-web-worker'
import type { Item } from '../rows/items.js'

// Constructing it is what makes a worker of this thread.
new ThreadWorker<Item, number>((one) => one?.id ?? Number.NaN)
// It awaits something at its top level, and its page speaks first.
redeliver()
