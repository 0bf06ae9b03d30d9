/** For pools that leave the messages to their users: answers each. */
import type { Item } from '../rows/items.js'

self.addEventListener('message', ({ data }: MessageEvent<Item>) => self.postMessage(data.id))
