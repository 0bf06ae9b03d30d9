import { el, setText } from './dom.js'
import { count, duration, percent, perSecond } from './format.js'

/** How far a stage of a job is. */
export interface StageProgress {
  total: number
  done: number
  completed: number
  failed?: number
  cancelled?: number
  /** Completed, but judged not to go on. */
  dropped?: number
  /** More may come: the total is not final. */
  open: boolean
  /** Per second. */
  rate?: number
  etaMs?: number
}

const kinds = ['completed', 'dropped', 'failed', 'cancelled'] as const

/** One stage of a job: a bar, and what there is to say about it. */
export class StageView {
  readonly root: HTMLElement
  readonly #says = el('span')
  readonly #track: HTMLElement
  readonly #bars = kinds.map((kind) => el('i', { data: { kind } }))

  constructor(title: string, id: string) {
    this.#track = el('div', { class: 'track', attrs: { role: 'progressbar', 'aria-labelledby': id } }, ...this.#bars)
    this.root = el(
      'div',
      { class: 'stage', data: { stage: id } },
      el('div', { class: 'stage-line' }, el('strong', { attrs: { id } }, title), this.#says),
      this.#track,
    )
  }

  show(progress: StageProgress, unit: (value: number) => string = count): void {
    const { total, done } = progress
    const parts = { dropped: 0, failed: 0, cancelled: 0, ...progress }
    kinds.forEach((kind, index) => {
      const bar = this.#bars[index]
      if (bar) bar.style.width = total === 0 ? '0' : `${(parts[kind] / total) * 100}%`
    })
    this.#track.setAttribute('aria-valuenow', String(total === 0 ? 0 : Math.floor((done / total) * 100)))
    const says = [`${unit(done)} of ${unit(total)}${progress.open ? ' so far' : ''}`]
    if (parts.dropped > 0) says.push(`${unit(parts.dropped)} left out`)
    if (parts.failed > 0) says.push(`${unit(parts.failed)} failed`)
    if (parts.cancelled > 0) says.push(`${unit(parts.cancelled)} cancelled`)
    if (done < total && total > 0) {
      says.push(percent(done / total))
      if (progress.rate) says.push(perSecond(progress.rate))
      if (progress.etaMs !== undefined && Number.isFinite(progress.etaMs)) says.push(`${duration(progress.etaMs)} left`)
    }
    setText(this.#says, says.join(' · '))
    this.#track.setAttribute('aria-valuetext', says.join(', '))
  }
}
