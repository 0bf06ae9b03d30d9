const names = ['users', 'metrics', 'large'] as const
export type Tab = (typeof names)[number]

/** Tabs as the ARIA practices describe them: arrow keys move, the address keeps the choice through a reload. */
export function startTabs(): void {
  const tabs = names.map((name) => {
    const tab = document.getElementById(`tab-${name}`)
    const panel = document.getElementById(name)
    if (!tab || !panel) throw new Error(`index.html lacks the tab ${name}`)
    return { name, tab, panel }
  })
  const show = (chosen: Tab, focus = false) => {
    for (const { name, tab, panel } of tabs) {
      const on = name === chosen
      tab.setAttribute('aria-selected', String(on))
      tab.tabIndex = on ? 0 : -1
      panel.hidden = !on
      if (on && focus) tab.focus()
    }
  }
  const choose = (name: Tab, focus = false) => {
    history.replaceState(null, '', `#${name}`)
    show(name, focus)
  }
  for (const [index, { name, tab }] of tabs.entries()) {
    tab.addEventListener('click', () => choose(name))
    tab.addEventListener('keydown', ({ key }) => {
      const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 }[key]
      const next = to === undefined ? undefined : tabs.at(to % tabs.length)
      if (next) choose(next.name, true)
    })
  }
  const fromAddress = () => show(names.find((name) => location.hash === `#${name}`) ?? 'users')
  addEventListener('hashchange', fromAddress)
  fromAddress()
}

/** Marks a tab whose job runs. */
export function setBusy(name: Tab, busy: boolean): void {
  const tab = document.getElementById(`tab-${name}`)
  if (busy) tab?.setAttribute('data-busy', '')
  else tab?.removeAttribute('data-busy')
}
