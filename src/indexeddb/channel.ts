import { type Channel, type Hint, localChannel } from '../channel.js'
import { onPageLeft } from '../page.js'
import { nextTurn } from '../turn.js'
import { Neighbours, type Presence } from './neighbours.js'

/**
 * Said to this page alone: it was away or stood still; or to the others: one was not known to be there. What was said may have been
 * lost, or left unsaid.
 */
const missed: Hint = { type: 'changed', change: 'missed' }

/** A channel that can be cut off from the other tabs: from then on it carries hints within this page alone. */
export interface TabChannel extends Channel {
  /** Tells this page alone. */
  postHere(hint: Hint): void
  /** Tells the other tabs alone. */
  postThere(hint: Hint): void
  isolate(): void
}

/**
 * Carries hints to all tabs and workers that use the database of this name. Where there is no BroadcastChannel: within this
 * one. Opened by the first use, so that a page rendered on a server may make one.
 *
 * Other tabs, where there are any, are told of new tasks at once, and of the rest in the next turn of the event loop: a post costs
 * 0.1 ms and more, and whoever waits for what was done should not wait for that too. A channel that is closed, or whose page is
 * left, says it at once.
 *
 * It is shut while the page is away: a message that reaches a page in the back/forward cache would drop it from there.
 */
export function broadcastChannel(name: string): TabChannel {
  const local = localChannel()
  let others: BroadcastChannel | undefined
  let stopListening: (() => void) | undefined
  let away = false
  let closed = false
  let alone = false
  let outbox: Hint[] = []

  const tell = (message: Hint | Presence) => {
    try {
      others?.postMessage(message)
    } catch {
      // A hint that is lost costs time. Deno (2.9) throws for a while where the last channel of all was just closed.
    }
  }
  const neighbours = new Neighbours({ say: tell, missed: () => tell(missed) })
  const connect = () => {
    const channel = new BroadcastChannel(`sitq:${name}`)
    // In Node a channel keeps the process alive; nothing should live on for hints.
    if ('unref' in channel && typeof channel.unref === 'function') channel.unref()
    return channel
  }
  const open = () => {
    if (closed || alone || typeof BroadcastChannel === 'undefined') return
    stopListening ??= onPage()
    if (others || away) return
    others = connect()
    others.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (isPresence(data)) neighbours.hear(data)
      else if (isHint(data)) local.post(data)
    }
    neighbours.come()
  }
  const disconnect = () => {
    send()
    neighbours.go()
    others?.close()
    others = undefined
  }
  const onPage = () => {
    const leave = () => {
      away = true
      disconnect()
    }
    const back = () => {
      if (!away) return
      away = false
      open()
      local.post(missed)
    }
    const thawed = () => local.post(missed)
    const stop = onPageLeft(leave, back)
    if (typeof document === 'undefined') return stop
    document.addEventListener('resume', thawed)
    return () => {
      stop()
      document.removeEventListener('resume', thawed)
    }
  }

  const postHere = (hint: Hint) => {
    if (!closed) local.post(hint)
  }
  const send = () => {
    const hints = outbox
    outbox = []
    if (hints.length === 0 || alone) return
    // Last words of a page that is left.
    const lent = others === undefined
    others ??= connect()
    for (const hint of hints) tell(hint)
    if (!lent) return
    others.close()
    others = undefined
  }
  const postThere = (hint: Hint) => {
    if (closed || alone) return
    open()
    if (!others && !away) return
    if (isFrequent(hint) && neighbours.leaveUnsaid()) return
    outbox.push(hint)
    // Whoever runs it waits for that.
    if (away || hint.type === 'added') send()
    else if (outbox.length === 1) void nextTurn().then(send)
  }

  return {
    postHere,
    postThere,
    post(hint) {
      // BroadcastChannel does not deliver to the object that posts.
      postHere(hint)
      postThere(hint)
    },
    listen(hear) {
      open()
      return local.listen(hear)
    },
    isolate() {
      outbox = []
      alone = true
      disconnect()
    },
    close() {
      closed = true
      stopListening?.()
      disconnect()
      local.close()
    },
  }
}

/** The others are said when there is somebody to hear them, or are questions who is there. */
const isFrequent = ({ type }: Hint): boolean => type === 'added' || type === 'ended'

/** A record, so that a type that is missing here does not compile. */
const types: Record<Hint['type'], true> = {
  added: true,
  ended: true,
  changed: true,
  ping: true,
  pong: true,
  wanted: true,
  role: true,
  left: true,
  storage: true,
}

function isPresence(data: unknown): data is Presence {
  if (typeof data !== 'object' || data === null || !('type' in data && 'from' in data)) return false
  return (data.type === 'here' || data.type === 'gone') && typeof data.from === 'string'
}

/** Anyone of this origin can post here, a newer version of the app too: what is not known is ignored. */
function isHint(data: unknown): data is Hint {
  if (typeof data !== 'object' || data === null || !('type' in data)) return false
  return typeof data.type === 'string' && Object.hasOwn(types, data.type)
}
