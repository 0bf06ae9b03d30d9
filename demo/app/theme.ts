import { byId, setText } from './dom.js'

const KEY = 'sitq-demo-theme'
const dark = matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()

/** Calls back when the colours change: charts are painted and don't follow by themselves. */
export function onTheme(changed: () => void): void {
  listeners.add(changed)
}

const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? 'dark' : 'light')) === 'dark'

/** The system decides until the button is used; then this browser remembers. */
export function startTheme(): void {
  const toggle = byId('theme', HTMLButtonElement)
  const show = () => {
    setText(toggle, isDark() ? 'Light' : 'Dark')
    toggle.setAttribute('aria-label', isDark() ? 'Switch to light colours' : 'Switch to dark colours')
    for (const changed of listeners) changed()
  }
  const saved = localStorage.getItem(KEY)
  if (saved === 'dark' || saved === 'light') document.documentElement.dataset.theme = saved
  dark.addEventListener('change', show)
  toggle.addEventListener('click', () => {
    const theme = isDark() ? 'light' : 'dark'
    document.documentElement.dataset.theme = theme
    localStorage.setItem(KEY, theme)
    show()
  })
  show()
}

/** A colour of tokens.css as the browser computes it now; a custom property alone would be unresolved text. */
export function colour(token: string): string {
  const probe = document.createElement('i')
  probe.style.color = `var(--${token})`
  document.body.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
