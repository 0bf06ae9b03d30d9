import { announce, button, el, fill, setText } from './dom.js'

export type JobState = 'running' | 'completed' | 'cancelled' | 'failed'

const words: Record<JobState, string> = {
  running: 'running',
  completed: 'done',
  cancelled: 'cancelled',
  failed: 'failed',
}

/** The head and frame of a job: what it is, how it stands, and the way to end it. */
export class JobCard {
  readonly #root: HTMLElement
  readonly #pill = el('span', { class: 'pill' })
  readonly #cancel: HTMLButtonElement
  readonly #title = el('h3')
  readonly #problem = el('p', { class: 'problem', attrs: { role: 'alert' } })
  #state: JobState | undefined
  #quarter = 0
  #end: () => void = () => {}

  constructor(root: HTMLElement, title: string, ...body: Node[]) {
    this.#root = root
    this.#cancel = button('Cancel', () => this.#end(), 'quiet danger')
    this.#cancel.disabled = true
    this.#problem.hidden = true
    setText(this.#title, title)
    fill(
      root,
      el('div', { class: 'job-head' }, this.#title, this.#pill, el('div', { class: 'actions' }, this.#cancel)),
      this.#problem,
      ...body,
    )
    this.state('running')
  }

  /** From now on there is something to cancel. */
  cancelWith(cancel: () => void): void {
    this.#end = () => {
      this.#cancel.disabled = true
      cancel()
    }
    this.#cancel.disabled = false
  }

  state(state: JobState, problem?: string): void {
    if (problem !== undefined) setText(this.#problem, problem)
    this.#problem.hidden = problem === undefined
    if (state === this.#state) return
    if (this.#state !== undefined) announce(`${this.#title.textContent}: ${words[state]}.`)
    this.#state = state
    this.#root.dataset.state = state
    this.#pill.dataset.state = state
    setText(this.#pill, words[state])
    this.#cancel.hidden = state !== 'running'
  }

  /** Says a quarter when it is reached. */
  share(share: number): void {
    const quarter = Math.floor(share * 4)
    if (quarter > this.#quarter && quarter < 4) announce(`${this.#title.textContent}: ${quarter * 25} %`)
    this.#quarter = quarter
  }
}
