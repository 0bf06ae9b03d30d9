import { button, byId, el, fill } from './dom.js'
import { count, duration, figure, perSecond } from './format.js'
import { records } from './records.js'
import { PagedTable } from './table.js'

/** The performance report of the jobs that ended in this browser. */
export function startReport(): void {
  const figures = el('dl', { class: 'figures by-three' })
  const table = new PagedTable('Jobs that ended', [
    { title: 'Job', cell: (job: ReturnType<typeof records.all>[number]) => job.title },
    { title: 'Tasks', kind: 'number', cell: ({ tasks }) => count(tasks) },
    { title: 'Time', kind: 'number', cell: ({ ms }) => duration(ms) },
    { title: 'Tasks/s', kind: 'number', cell: ({ tasks, ms }) => (ms > 0 ? count(tasks / (ms / 1000)) : '–') },
  ])
  const empty = el('p', { class: 'empty' }, 'No job has ended yet.')
  const show = () => {
    const report = records.monitor().report()
    const of = (title: string, value: string) => el('div', {}, el('dt', {}, title), el('dd', {}, value))
    fill(
      figures,
      of('Batches processed', count(report.batchesProcessed)),
      of('Total tasks', count(report.totalTasks)),
      of('Total time', `${figure(report.totalTimeSeconds)} s`),
      of('Speed', perSecond(report.tasksPerSecond)),
      of('Average batch', `${figure(report.averageBatchTimeSeconds)} s`),
      of('Error rate', `${figure(report.errorRatePercent)} %`),
    )
    table.clear()
    table.add(...records.all().reverse())
    empty.hidden = report.batchesProcessed > 0
    table.root.hidden = report.batchesProcessed === 0
  }
  fill(
    byId('report', HTMLElement),
    el(
      'div',
      { class: 'job-head' },
      el('h2', {}, 'Performance report'),
      el('div', { class: 'actions' }, button('Start over', records.clear, 'quiet')),
    ),
    el('p', { class: 'lead' }, 'All jobs that ended in this browser, from their start to the end of their last task.'),
    figures,
    empty,
    table.root,
  )
  records.onChange(show)
  show()
}
