/**
 * Another tab that does what this one says. They speak by BroadcastChannel, which is how a real queue would wake another tab; the
 * clocks of two processes are set against each other by the quickest of many exchanges.
 */
import { type Backend, TaskQueue } from 'sitq'
import { IndexedDBBackend } from 'sitq/indexeddb'
import { openRecords, putRecord } from '../baselines/records.js'
import type { Handlers } from './handlers.js'
import { type Item, present } from './items.js'

const CHANNEL = 'bench-other-tab'
/** In the address of the page that is to be the other tab. */
const ROLE = '#other-tab'
/** ms to wait for a tab to open. */
const PATIENCE = 10_000

type Order =
  | { type: 'time' }
  | { type: 'enqueue'; database: string; input: Item }
  | { type: 'put'; input: Item }
  | { type: 'end' }
interface Done {
  type: 'done'
  /** When it was begun, on the other tab's clock. */
  from: number
  id: string
}
type Message = { order: Order } | Done | { type: 'stored' } | { type: 'here' }

export interface OtherTab {
  /** When the call was made, on this tab's clock, and the id. */
  enqueue(backend: Backend, input: Item): Promise<{ from: number; id: string }>
  /** `stored` is called once it is committed. */
  put(input: Item, stored: () => void): Promise<{ from: number }>
  close(): void
}

/** Undefined if the browser refuses. */
export async function openOtherTab(): Promise<OtherTab | undefined> {
  const channel = new BroadcastChannel(CHANNEL)
  const here = heard(channel, 'here', PATIENCE)
  window.open(`${location.pathname}${ROLE}`, '_blank', 'noopener,popup,width=400,height=300')
  if (!(await here)) return undefined
  const ask = async (order: Order): Promise<Done> => {
    const done = heard(channel, 'done', PATIENCE)
    channel.postMessage({ order } satisfies Message)
    const message = await done
    if (message?.type !== 'done') throw new Error('The other tab does not answer.')
    return message
  }
  const offset = await offsetOf(() => ask({ type: 'time' }))
  return {
    async enqueue(backend, input) {
      const database = backend instanceof IndexedDBBackend ? backend.name : ''
      const { from, id } = await ask({ type: 'enqueue', database, input })
      return { from: from - offset, id }
    },
    async put(input, stored) {
      void heard(channel, 'stored', PATIENCE).then(stored)
      const { from } = await ask({ type: 'put', input })
      return { from: from - offset }
    },
    close() {
      channel.postMessage({ order: { type: 'end' } } satisfies Message)
      channel.close()
    },
  }
}

/** How far the other clock is ahead, in ms: right within half of the quickest exchange. */
async function offsetOf(ask: () => Promise<Done>): Promise<number> {
  let quickest = Number.POSITIVE_INFINITY
  let offset = 0
  for (let i = 0; i < 50; i++) {
    const asked = present()
    const { from } = await ask()
    const took = present() - asked
    if (took >= quickest) continue
    quickest = took
    offset = from - (asked + took / 2)
  }
  return offset
}

type Told = Exclude<Message, { order: Order }>

function heard(channel: BroadcastChannel, type: Told['type'], patience: number): Promise<Told | undefined> {
  return new Promise((resolve) => {
    const end = (message: Told | undefined) => {
      clearTimeout(timer)
      channel.removeEventListener('message', hear)
      resolve(message)
    }
    const hear = ({ data }: MessageEvent<Message>) => {
      if ('type' in data && data.type === type) end(data)
    }
    const timer = setTimeout(() => end(undefined), patience)
    channel.addEventListener('message', hear)
  })
}

/** What the page does that was opened as the other tab. False: it is none. */
export function beOtherTab(): boolean {
  if (location.hash !== ROLE) return false
  const channel = new BroadcastChannel(CHANNEL)
  const say = (message: Message) => channel.postMessage(message)
  let queue: TaskQueue<Handlers> | undefined
  let records: IDBDatabase | undefined
  channel.addEventListener('message', ({ data }: MessageEvent<Message>) => {
    if ('order' in data) void obey(data.order)
  })
  async function obey(order: Order): Promise<void> {
    let from = present()
    let id = ''
    if (order.type === 'end') return window.close()
    if (order.type === 'enqueue') {
      queue ??= new TaskQueue<Handlers>({ backend: new IndexedDBBackend({ name: order.database }) })
      from = present()
      ;({ id } = await queue.enqueue('stamp', order.input))
    }
    if (order.type === 'put') {
      records ??= await openRecords()
      from = present()
      await putRecord(records, order.input)
      say({ type: 'stored' })
    }
    say({ type: 'done', from, id })
  }
  say({ type: 'here' })
  return true
}
