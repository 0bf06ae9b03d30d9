import { type Batch, type Percentiles, PerformanceMonitor, type PerformanceReport } from 'sitq'
import { ended, isLargeJob, type LargeJob, startLarge } from '../runs/large.js'
import { queue } from '../runs/queue.js'
import { Chart } from './chart.js'
import { byId, chosenDelay, el, setText, watch } from './dom.js'
import { count, milliseconds, perSecond } from './format.js'
import { JobCard } from './job-card.js'
import { jobTab } from './job-tab.js'
import { records } from './records.js'
import { newId } from './saved.js'
import { StageView } from './stage.js'

const steps = [100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000]
/** How often is looked, in ms, and how many looks the chart shows. */
const LOOK = 250
const SHOWN = 240
/** So many results are read for the percentiles. */
const OBSERVED = 100_000

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
    if ((fresh || moves > 0) && cancelled === 0) {
      speed.end(done, Date.now() - job.startedAt)
      records.add({ job, title, tasks: done, errors: failed })
    }
    speed.spread(await spreadOf(all))
    card.state(cancelled > 0 ? 'cancelled' : failed > 0 ? 'failed' : 'completed')
  } finally {
    over.abort()
    await looking
    await look()
  }
}

/** How long its tasks waited and ran. */
async function spreadOf(batch: Batch): Promise<PerformanceReport> {
  const monitor = new PerformanceMonitor()
  let left = OBSERVED
  for await (const result of batch.results()) {
    monitor.observe(result)
    if (--left === 0) break
  }
  return monitor.report()
}

/** Tasks ended per second, as they end. */
class Speed {
  readonly root: HTMLElement
  readonly #says = el('span')
  readonly #spread = el('p', { class: 'source' }, 'Waiting and running times follow when it has ended.')
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
      this.#spread,
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

  spread({ waiting, running }: PerformanceReport): void {
    const of = (key: keyof Percentiles) =>
      `waited up to ${milliseconds(waiting[key])} and ran ${milliseconds(running[key])}`
    setText(this.#spread, `Half of the tasks ${of('p50')}; 95 % ${of('p95')}.`)
  }
}
