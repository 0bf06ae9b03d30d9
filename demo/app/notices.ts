import { backend, queue } from '../runs/queue.js'
import { button, byId, fill } from './dom.js'

/** Events that a person has to know of, and whether a reload of this page is what helps. */
const grave = new Map<string, { reload: boolean }>([
  ['deleted', { reload: false }],
  ['memory', { reload: false }],
  ['quota', { reload: false }],
  ['damaged', { reload: false }],
  ['blocked', { reload: false }],
  ['closed-by-upgrade', { reload: true }],
  ['upgrade-blocked', { reload: true }],
])

/** Tells what befalls the storage: everything to `log`, and above the page what someone should act on. */
export function startNotices(log: (text: string) => void): void {
  queue.subscribe((event) => {
    if (event.type !== 'storage') return
    log(event.message)
    const how = grave.get(event.event)
    if (how) show(event.message, how.reload)
  })
}

function show(message: string, reload: boolean): void {
  const notice = byId('notice', HTMLElement)
  notice.hidden = false
  fill(notice, message, ' ', reload && button('Reload', () => location.reload()))
}

/** Whether what is stored survives this page, in words. */
export function durability(persisted: boolean): string {
  if (!backend.durable) return 'in memory only: it ends with this page'
  return persisted ? 'kept until you delete it' : 'the browser may delete it when space runs short'
}
