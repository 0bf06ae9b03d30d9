import type { CDPSession, Page } from 'playwright'

/** What a page has opened and not closed. */
export interface Live {
  /** On the window, the document, and whatever else lives as long as the page. */
  listeners: number
  workers: number
  ports: number
  channels: number
  databases: number
  timers: number
}

declare global {
  var live: Live
}

/** Counts, from before the page's own scripts on. Runs in the page. */
export function countLive(): void {
  const live: Live = { listeners: 0, workers: 0, ports: 0, channels: 0, databases: 0, timers: 0 }
  globalThis.live = live

  const lasting = new Set<EventTarget>([window, document])
  const heard = new Set<string>()
  const ids = new WeakMap<object, number>()
  let last = 0
  const keyOf = (target: EventTarget, type: string, listener: object) => {
    const id = ids.get(listener) ?? ++last
    ids.set(listener, id)
    return `${target === window ? 'window' : 'document'} ${type} ${id}`
  }
  const { addEventListener, removeEventListener } = EventTarget.prototype
  EventTarget.prototype.addEventListener = function (type, listener, options) {
    const target = this ?? window
    if (listener && lasting.has(target)) heard.add(keyOf(target, type, listener))
    live.listeners = heard.size
    addEventListener.call(target, type, listener, options)
  }
  EventTarget.prototype.removeEventListener = function (type, listener, options) {
    const target = this ?? window
    if (listener && lasting.has(target)) heard.delete(keyOf(target, type, listener))
    live.listeners = heard.size
    removeEventListener.call(target, type, listener, options)
  }

  /** An object counts from when it is made until it is ended, once. */
  function track<Name extends keyof Live>(kind: Name, prototype: object, end: string) {
    const open = new WeakSet<object>()
    const own = Object.getOwnPropertyDescriptor(prototype, end)?.value
    Object.defineProperty(prototype, end, {
      configurable: true,
      writable: true,
      value(this: object, ...args: unknown[]) {
        if (open.delete(this)) live[kind]--
        return Reflect.apply(own, this, args)
      },
    })
    return <T extends object>(made: T): T => {
      open.add(made)
      live[kind]++
      return made
    }
  }

  const worker = track('workers', Worker.prototype, 'terminate')
  globalThis.Worker = new Proxy(Worker, { construct: (Target, [url, options]) => worker(new Target(url, options)) })
  const channel = track('channels', BroadcastChannel.prototype, 'close')
  globalThis.BroadcastChannel = new Proxy(BroadcastChannel, {
    construct: (Target, [name]) => channel(new Target(name)),
  })
  // Of a pair, closing one end closes both; the other is mostly handed to a Web Worker.
  const port = track('ports', MessagePort.prototype, 'close')
  globalThis.MessageChannel = new Proxy(MessageChannel, {
    construct(Target) {
      const made = new Target()
      port(made.port1)
      return made
    },
  })
  const database = track('databases', IDBDatabase.prototype, 'close')
  const { open } = IDBFactory.prototype
  IDBFactory.prototype.open = function (...args) {
    const request = open.apply(this, args)
    addEventListener.call(request, 'success', () => database(request.result))
    return request
  }

  const pending = new Set<number>()
  const { setTimeout, clearTimeout } = window
  const timed = (handler: () => void, ms?: number) => {
    const handle = setTimeout(() => {
      pending.delete(handle)
      live.timers = pending.size
      handler()
    }, ms)
    pending.add(handle)
    live.timers = pending.size
    return handle
  }
  Object.assign(window, {
    setTimeout: timed,
    clearTimeout(handle: number) {
      pending.delete(handle)
      live.timers = pending.size
      clearTimeout(handle)
    },
  })
}

export interface Sample extends Live {
  /** All listeners of all objects that are still reachable. */
  allListeners: number
  /** MB in use after a garbage collection. */
  heap: number
  /** Web Locks of the whole origin, held and asked for. */
  locks: number
  /** Web Workers that run. */
  threads: number
}

export async function sample(page: Page, cdp: CDPSession): Promise<Sample> {
  // Twice: what the first one finalizes is collected by the second.
  for (let i = 0; i < 2; i++) await cdp.send('HeapProfiler.collectGarbage')
  const { metrics } = await cdp.send('Performance.getMetrics')
  const metric = (name: string) => metrics.find((one) => one.name === name)?.value ?? Number.NaN
  const seen = await page.evaluate(async () => {
    const { held = [], pending = [] } = await navigator.locks.query()
    return { ...live, locks: held.length + pending.length }
  })
  const heap = Math.round(metric('JSHeapUsedSize') / 1e3) / 1e3
  return { ...seen, allListeners: metric('JSEventListeners'), heap, threads: page.workers().length }
}
