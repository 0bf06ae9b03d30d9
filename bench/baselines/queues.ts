/** Other durable queues, each as its documentation says: stores the items, then gives them back one after the other until none is left. */
import { createCollection, localOnlyCollectionOptions } from '@tanstack/db'
import { type OnlineDetector, startOfflineExecutor } from '@tanstack/offline-transactions'
import { createStore, push, shift } from 'idb-queue'
import { BackgroundSyncQueueStore } from 'serwist'
import { QueueStore } from 'workbox-background-sync'
import type { Item } from '../rows/items.js'

export interface PeerQueue {
  store(items: readonly Item[]): Promise<void>
  /** Takes all of them out, and hands each to the handler. Done with it, a queue of this kind keeps no result. */
  drain(handle: (input: unknown) => void): Promise<void>
}

/** What both have: the durable half of a background sync queue, without the requests it would send. */
interface SyncStore {
  pushEntry(entry: {
    requestData: { url: string; headers: Record<string, string>; body: ArrayBuffer }
    timestamp: number
  }): Promise<void>
  shiftEntry(): Promise<{ requestData: { body?: ArrayBuffer } } | undefined>
}

function syncQueue(store: SyncStore): PeerQueue {
  const [encoder, decoder] = [new TextEncoder(), new TextDecoder()]
  return {
    async store(items) {
      await Promise.all(
        items.map((item) => {
          const body = encoder.encode(JSON.stringify(item)).buffer
          return store.pushEntry({ requestData: { url: '/bench', headers: {}, body }, timestamp: Date.now() })
        }),
      )
    },
    async drain(handle) {
      for (let entry = await store.shiftEntry(); entry; entry = await store.shiftEntry()) {
        handle(JSON.parse(decoder.decode(entry.requestData.body)))
      }
    },
  }
}

/** Says that there is no network until told otherwise. */
class Switch implements OnlineDetector {
  #online = false
  readonly #listeners = new Set<() => void>()
  subscribe(listener: () => void) {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  notifyOnline() {
    this.#online = true
    for (const listener of this.#listeners) listener()
  }
  isOnline() {
    return this.#online
  }
  dispose() {
    this.#listeners.clear()
  }
}

/** Without what a round that broke off left there. */
async function emptied(queue: PeerQueue): Promise<PeerQueue> {
  await queue.drain(() => {})
  return queue
}

export const peerQueues: Record<string, () => Promise<PeerQueue>> = {
  'workbox-background-sync': () => emptied(syncQueue(new QueueStore('bench'))),
  serwist: () => emptied(syncQueue(new BackgroundSyncQueueStore('bench'))),
  'idb-queue': async () => {
    const store = createStore('bench-idb-queue', 'items', 'id')
    // Its default keeps 1,000 and drops what is older.
    const all = { maxNumber: Number.MAX_SAFE_INTEGER, batchEvictionNumber: 1 }
    return emptied({
      async store(items) {
        await Promise.all(items.map((item) => push(item, all, store)))
      },
      async drain(handle) {
        for (let some = await shift(128, store); some.length > 0; some = await shift(128, store)) some.forEach(handle)
      },
    })
  },
  '@tanstack/offline-transactions': async () => {
    const collection = createCollection(localOnlyCollectionOptions<Item, number>({ getKey: ({ id }) => id }))
    const network = new Switch()
    let handled = (_: unknown) => {}
    const executor = startOfflineExecutor({
      collections: { items: collection },
      onlineDetector: network,
      mutationFns: {
        handle: async ({ transaction }) => {
          collection.utils.acceptMutations(transaction)
          handled(transaction.mutations[0]?.modified)
        },
      },
    })
    await executor.waitForInit()
    await executor.clearOutbox()
    let all: Promise<unknown> = Promise.resolve()
    return {
      async store(items) {
        all = Promise.all(
          items.map((item) => {
            const transaction = executor.createOfflineTransaction({ mutationFnName: 'handle', autoCommit: false })
            transaction.mutate(() => void collection.insert(item))
            return transaction.commit()
          }),
        )
        while ((await executor.peekOutbox()).length < items.length)
          await new Promise((resolve) => setTimeout(resolve, 20))
      },
      async drain(handle) {
        handled = handle
        network.notifyOnline()
        await all
        executor.dispose()
      },
    }
  },
}
