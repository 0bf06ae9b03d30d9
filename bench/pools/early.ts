/** What poolifier-web-worker 0.5 needs to start in a browser's module worker; imported before it. */

// It takes what has no `window` for no browser.
Object.assign(globalThis, { window: globalThis })

/** Messages that came before the importing script had run: during a top-level await browsers drop them where nobody listens. */
const early: MessageEvent[] = []
const keep = (event: MessageEvent) => early.push(event)
self.addEventListener('message', keep)

/** Delivers them again, to those who listen by now. */
export function redeliver(): void {
  self.removeEventListener('message', keep)
  for (const { data } of early) self.dispatchEvent(new MessageEvent('message', { data }))
}
