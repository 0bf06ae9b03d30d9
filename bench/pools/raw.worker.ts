/** Handlers behind Comlink and nothing else. */
import { expose } from 'comlink'
import { type Item, present } from '../rows/items.js'

const service = { noop: ({ id }: Item) => id, stamp: (_: Item) => present() }
export type Service = typeof service

expose(service)
