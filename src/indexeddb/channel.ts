import { type Channel, type Hint, localChannel } from '../channel.js'

/**
 * Carries hints to all tabs and workers that use the database of this name. Where there is no BroadcastChannel: within this
 * one. Opened by the first use, so that a page rendered on a server may make one.
 */
export function broadcastChannel(name: string): Channel {
  const local = localChannel()
  let others: BroadcastChannel | undefined
  let closed = false

  const open = () => {
    if (others || closed || typeof BroadcastChannel === 'undefined') return
    others = new BroadcastChannel(`sitq:${name}`)
    // In Node a channel keeps the process alive; nothing should live on for hints.
    if ('unref' in others && typeof others.unref === 'function') others.unref()
    others.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (isHint(data)) local.post(data)
    }
  }

  return {
    post(hint) {
      if (closed) return
      open()
      // BroadcastChannel does not deliver to the object that posts.
      local.post(hint)
      others?.postMessage(hint)
    },
    listen(hear) {
      open()
      return local.listen(hear)
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
