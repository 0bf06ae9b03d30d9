import { taskStates } from 'sitq'
import { estimate, persist, persisted } from 'sitq/indexeddb'
import { backend, queue, worker } from '../runs/queue.js'
import { destroyAll } from './destroy.js'
import { button, byId, el, fill, setText, watch } from './dom.js'
import { bytes, clock, count } from './format.js'
import { durability, startNotices } from './notices.js'
import { saved } from './saved.js'

const LOOK = 250
const LOOK_AT_STORAGE = 2_000
/** The order of the strip: what is behind on the left, what is to come on the right. */
const strip = ['completed', 'failed', 'cancelled', 'running', 'available', 'scheduled', 'blocked'] as const
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
  startNotices(log)
  fill(
    byId('status', HTMLElement),
    roleView(log),
    section('Tasks', ...countsView(always)),
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
  let shown: string = 'stopped' // how it begins: nothing to tell
  worker.subscribe(() => {
    const { role } = worker
    if (role === shown) return
    shown = role
    pill.dataset.role = role
    setText(pill, role)
    setText(says, roles[role])
    log(roles[role])
  })
  return says
}

function countsView(signal: AbortSignal): Node[] {
  const states = taskStates.map((state) => ({ state, dd: el('dd', {}, '0'), bar: el('i', { data: { state } }) }))
  watch(LOOK, signal, async () => {
    const counts = await queue.counts()
    for (const { state, dd, bar } of states) {
      setText(dd, count(counts[state]))
      bar.style.flex = String(counts[state])
      bar.hidden = counts[state] === 0 // the gaps beside those that are empty would be seen
    }
  })
  return [
    el(
      'div',
      { class: 'strip', attrs: { 'aria-hidden': 'true' } },
      ...strip.map((state) => states.find((each) => each.state === state)?.bar),
    ),
    el(
      'dl',
      { class: 'counts' },
      ...states.map(({ state, dd }) => el('div', { data: { state } }, el('dt', {}, state), dd)),
    ),
  ]
}

function workersView(): Node {
  const list = el('ul', { class: 'workers' })
  const show = () => {
    const lines = worker.workers().map(({ worker: id, state, running, ended }) => {
      const [task] = running
      const says = state === 'busy' && task ? task.name : state
      return el('li', { data: { state } }, el('span', {}, `${id} · ${says}`), el('span', {}, `${count(ended)} done`))
    })
    fill(list, ...(lines.length > 0 ? lines : [el('li', {}, el('span', {}, 'none in this tab'))]))
  }
  worker.subscribe(show)
  show()
  return list
}

/** All of the demo's tasks are in this queue. Whether it is paused is in its storage, but can't be asked: the page remembers. */
const QUEUE = 'default'
const PAUSED = 'paused'

function pauseButton(act: Act): HTMLButtonElement {
  const isPaused = () => saved.read(PAUSED) === true
  const show = () => {
    setText(pause, isPaused() ? 'Resume' : 'Pause')
    pause.classList.toggle('primary', isPaused())
  }
  const toggle = async () => {
    const paused = isPaused()
    if (paused) await queue.resume(QUEUE)
    else await queue.pause(QUEUE)
    saved.write(PAUSED, !paused)
    show()
  }
  const says = () => (isPaused() ? 'Resumed.' : 'Paused: what runs goes on, nothing new starts.')
  const pause = button('Pause', () => act(says(), toggle), 'quiet')
  saved.onChange(PAUSED, show)
  show()
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
  const keep = button('Keep it', () => act('Asked the browser to keep what is stored.', persist), 'quiet')
  keep.title = 'Ask the browser not to delete it'
  watch(LOOK_AT_STORAGE, signal, async () => {
    const [space, kept] = await Promise.all([estimate(), persisted()])
    const used = space
      ? `${bytes(space.usage)} of ${bytes(space.quota)} used`
      : 'The browser does not tell how much is used'
    setText(says, `${used}; ${durability(kept)}.`)
    keep.disabled = kept || !backend.durable
  })
  return [says, el('div', { class: 'actions' }, keep, button('Delete everything', destroyAll, 'quiet danger'))]
}
