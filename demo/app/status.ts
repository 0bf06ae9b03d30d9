import { taskStates } from 'sitq'
import { estimate, persist } from 'sitq/indexeddb'
import { queue, worker } from '../runs/queue.js'
import { destroyAll } from './destroy.js'
import { button, byId, el, fill, setText, watch } from './dom.js'
import { bytes, clock, count } from './format.js'

const LOOK = 250
const LOOK_AT_STORAGE = 2_000
const roles = {
  host: 'This tab is the host: its Web Workers run the tasks.',
  standby: 'This tab stands by: another tab runs the tasks. Close that one and this one takes over.',
  stopped: 'This tab runs nothing.',
}

/** What is going on: who runs, what runs, what is stored; and the ways to disturb it. */
export function startStatus(): void {
  const always = new AbortController().signal
  const events = el('ol', { class: 'events', attrs: { tabindex: '0', 'aria-label': 'What happened' } })
  const log = (text: string) => {
    events.prepend(el('li', {}, el('time', {}, clock(Date.now())), text))
    while (events.children.length > 50) events.lastElementChild?.remove()
  }
  const act = (text: string, what: () => Promise<unknown>) => {
    what().then(
      () => log(text),
      (error: unknown) => log(error instanceof Error ? error.message : String(error)),
    )
  }
  fill(
    byId('status', HTMLElement),
    roleView(log),
    section('Tasks', countsView(always)),
    section('Web Workers', workersView()),
    section('Disturb it', el('div', { class: 'actions' }, pauseButton(act), killButton(log), reloadButton())),
    section('What happened', events),
    section('Storage', ...storageView(always, act)),
  )
}

const section = (title: string, ...body: Node[]) => el('section', {}, el('h3', {}, title), ...body)
type Act = (text: string, what: () => Promise<unknown>) => void

function roleView(log: (text: string) => void): Node {
  const says = el('p', {}, 'Starting …')
  const pill = byId('role', HTMLElement)
  let shown = ''
  const show = () => {
    const { role } = worker
    if (role === shown) return
    shown = role
    pill.dataset.role = role
    setText(pill, role)
    setText(says, roles[role])
    log(roles[role])
  }
  worker.subscribe(show)
  return says
}

function countsView(signal: AbortSignal): Node {
  const numbers = taskStates.map((state) => ({ state, dd: el('dd', {}, '0') }))
  watch(LOOK, signal, async () => {
    const counts = await queue.counts()
    for (const { state, dd } of numbers) setText(dd, count(counts[state]))
  })
  return el(
    'dl',
    { class: 'counts' },
    ...numbers.map(({ state, dd }) => el('div', { data: { state } }, el('dt', {}, state), dd)),
  )
}

function workersView(): Node {
  const list = el('ul', { class: 'workers' })
  const show = () => {
    const views = worker.workers()
    const lines = views.map(({ worker: id, state, running, ended }) => {
      const names = [...new Set(running.map(({ name }) => name))].join(', ')
      const says = state === 'busy' && names ? `${names} · ${count(ended)} done` : `${state} · ${count(ended)} done`
      return el('li', { data: { state } }, el('span', {}, `${id}  ${says}`))
    })
    fill(
      list,
      ...(lines.length > 0 ? lines : [el('li', { data: { state: 'none' } }, el('span', {}, 'none in this tab'))]),
    )
  }
  worker.subscribe(show)
  show()
  return list
}

function pauseButton(act: Act): HTMLButtonElement {
  let paused = false
  const toggle = async () => {
    if (paused) await queue.resume()
    else await queue.pause()
    paused = !paused
    setText(pause, paused ? 'Resume' : 'Pause')
  }
  const pause = button('Pause', () => act(paused ? 'Resumed.' : 'Paused: nothing new starts.', toggle), 'quiet')
  return pause
}

/** One in the middle of a task, if there is one. */
function killButton(log: (text: string) => void): HTMLButtonElement {
  return button(
    'Kill a Web Worker',
    () => {
      const views = worker.workers()
      const victim = views.find(({ running }) => running.length > 0) ?? views[0]
      if (!victim) return log('There is no Web Worker in this tab to kill.')
      worker.kill(victim.worker)
      const [task] = victim.running
      log(`Killed Web Worker ${victim.worker}${task ? `, which ran ${task.name}: the task runs again` : ''}.`)
    },
    'quiet danger',
  )
}

const reloadButton = () => button('Reload now', () => location.reload(), 'quiet')

function storageView(signal: AbortSignal, act: Act): Node[] {
  const says = el('p', {}, '…')
  const keep = button('Ask to keep it', () => act('Asked the browser to keep what is stored.', persist), 'quiet')
  watch(LOOK_AT_STORAGE, signal, async () => {
    const [space, persisted] = await Promise.all([estimate(), navigator.storage.persisted()])
    const used = space
      ? `${bytes(space.usage)} of ${bytes(space.quota)} used`
      : 'The browser does not tell how much is used'
    setText(
      says,
      `${used}; ${persisted ? 'kept until you delete it' : 'the browser may delete it when space runs short'}.`,
    )
    keep.disabled = persisted
  })
  return [says, el('div', { class: 'actions' }, keep, button('Delete everything', destroyAll, 'quiet danger'))]
}
