import { type Channel, type Hint, localChannel } from '../channel.js'

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
 */
export function broadcastChannel(name: string): TabChannel {
  const local = localChannel()
  let others: BroadcastChannel | undefined
  let closed = false
  let alone = false

  const open = () => {
    if (others || closed || alone || typeof BroadcastChannel === 'undefined') return
    others = new BroadcastChannel(`sitq:${name}`)
    // In Node a channel keeps the process alive; nothing should live on for hints.
    if ('unref' in others && typeof others.unref === 'function') others.unref()
    others.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (isHint(data)) local.post(data)
    }
  }

  const postHere = (hint: Hint) => {
    if (!closed) local.post(hint)
  }
  const postThere = (hint: Hint) => {
    open()
    if (!closed) others?.postMessage(hint)
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
      alone = true
      others?.close()
      others = undefined
    },
    close() {
      closed = true
      others?.close()
      local.close()
    },
  }
}

/** A record, so that a type that is missing here does not compile. */
const types: Record<Hint['type'], true> = {
  added: true,
  ended: true,
  changed: true,
  ping: true,
  pong: true,
  wanted: true,
  role: true,
  storage: true,
}

/** Anyone of this origin can post here, a newer version of the app too: what is not known is ignored. */
function isHint(data: unknown): data is Hint {
  if (typeof data !== 'object' || data === null || !('type' in data)) return false
  return typeof data.type === 'string' && Object.hasOwn(types, data.type)
}
