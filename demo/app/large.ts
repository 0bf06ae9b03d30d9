import type { Batch } from 'sitq'
import { ended, isLargeJob, type LargeJob, startLarge } from '../runs/large.js'
import { queue } from '../runs/queue.js'
import { Chart } from './chart.js'
import { byId, chosenDelay, el, setText, watch } from './dom.js'
import { count, perSecond } from './format.js'
import { JobCard } from './job-card.js'
import { jobTab } from './job-tab.js'
import { records } from './records.js'
import { newId } from './saved.js'
import { StageView } from './stage.js'

const steps = [100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000]
/** How often is looked, in ms, and how many looks the chart shows. */
const LOOK = 250
const SHOWN = 240

export function startLargeTab(): void {
  const slider = byId('large-count', HTMLInputElement)
  const chosenCount = () => steps[Number(slider.value)] ?? 100
  slider.max = String(steps.length - 1)
  const say = () => {
    setText(byId('large-count-text', HTMLElement), count(chosenCount()))
    slider.setAttribute('aria-valuetext', `${count(chosenCount())} tasks`)
  }
  slider.addEventListener('input', say)
  say()
  const tab = jobTab('large', isLargeJob, follow)
  byId('large-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault()
    tab.begin({ id: newId('large'), count: chosenCount(), delay: chosenDelay(), startedAt: Date.now() })
  })
}

async function follow(job: LargeJob, fresh: boolean): Promise<void> {
  const stage = new StageView('Tasks', 'large-stage')
  const speed = new Speed()
  const title = `${count(job.count)} tasks`
  let batch: Batch | undefined
  const card = new JobCard(byId('large-job', HTMLElement), title, stage.root, speed.root)
  const over = new AbortController()
  const look = async () => {
    const known = batch ?? (await queue.batch(job.id)) // while its tasks are still being stored, too
    if (!known) return
    if (!batch) card.cancelWith(() => known.cancel({ reason: 'Cancelled on the page.' }))
    batch = known
    const progress = await known.progress()
    stage.show({ ...progress, open: false, total: progress.open ? job.count : progress.total })
    card.share(progress.done / job.count)
    if (!over.signal.aborted) speed.add(progress.done)
  }
  const looking = watch(LOOK, over.signal, look)
  try {
    const all = await startLarge(queue, job)
    const moves = await ended(all)
    const { done, failed, cancelled } = await all.progress()
    const seen = (fresh || moves > 0) && cancelled === 0
    if (seen) speed.end(done, Date.now() - job.startedAt)
    if (seen) records.add({ job, title, tasks: done, errors: failed })
    card.state(cancelled > 0 ? 'cancelled' : failed > 0 ? 'failed' : 'completed')
  } finally {
    over.abort()
    await looking
    await look()
  }
}

/** Tasks ended per second, as they end. */
class Speed {
  readonly root: HTMLElement
  readonly #says = el('span')
  readonly #chart = new Chart('Tasks per second, over the last minute', {
    lines: [{ label: 'tasks/s', token: 'completed', kind: 'area' }],
    xText: (values) => values.map((value) => `${value} s`),
    yText: (values) => values.map(count),
  })
  readonly #at: number[] = []
  readonly #rates: number[] = []
  readonly #began = performance.now()
  #last: { done: number; at: number } | undefined

  constructor() {
    this.root = el(
      'div',
      {},
      el('div', { class: 'stage-line' }, el('strong', {}, 'Throughput'), this.#says),
      this.#chart.root,
    )
    this.#chart.show([[], []])
  }

  add(done: number): void {
    const at = performance.now()
    if (this.#last && at > this.#last.at) {
      const rate = Math.max(0, ((done - this.#last.done) * 1000) / (at - this.#last.at))
      this.#at.push(Math.round((at - this.#began) / 100) / 10)
      this.#rates.push(rate)
      if (this.#at.length > SHOWN) {
        this.#at.shift()
        this.#rates.shift()
      }
      setText(this.#says, `${perSecond(rate)} now · ${perSecond(Math.max(...this.#rates))} at most`)
      this.#chart.show([this.#at, this.#rates])
    }
    this.#last = { done, at }
  }

  end(done: number, ms: number): void {
    setText(this.#says, `${perSecond(done / (ms / 1000))} from the first to the last`)
  }
}
