import { ended, startLarge } from '../runs/large.js'
import { queue } from '../runs/queue.js'
import { Chart } from './chart.js'
import { button, byId, el, fill, setText } from './dom.js'
import { count, duration } from './format.js'
import { newId, saved } from './saved.js'
import { PagedTable } from './table.js'

/** Tasks stored in one transaction. */
const sizes = [1, 10, 50, 100, 1000] as const
const counts = [1_000, 2_000, 5_000, 10_000] as const
const KEY = 'experiment'

interface Measured {
  size: number
  tasks: number
  /** Until all were stored, and until all had ended, in ms. */
  stored: number
  whole: number
}

function isMeasured(value: unknown): value is Measured {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['size', 'tasks', 'stored', 'whole'].every((key) => typeof Reflect.get(value, key) === 'number')
  )
}

/** How much the size of a chunk matters: the same tasks, stored in chunks of 1 to 1,000, and run to their end. */
export function startExperiment(): void {
  const says = el('p', { class: 'empty', attrs: { role: 'status' } })
  const select = el(
    'select',
    { attrs: { id: 'experiment-count' } },
    ...counts.map((value) => el('option', { attrs: { value: String(value) } }, `${count(value)} tasks each`)),
  )
  select.value = '2000'
  const run = button('Run the experiment', () => measureAll(), 'primary')
  const chart = new Chart('Tasks per second for each chunk size', {
    lines: [{ label: 'tasks/s', token: 'completed', kind: 'bars' }],
    items: true,
    splits: () => sizes.map((_, index) => index),
    xText: (at) => at.map((index) => count(sizes[index] ?? 0)),
    yText: (values) => values.map(count),
  })
  const table = new PagedTable('Chunk sizes measured', [
    { title: 'Tasks a chunk', kind: 'number', cell: ({ size }: Measured) => count(size) },
    { title: 'Stored', kind: 'number', cell: ({ stored }) => duration(stored) },
    { title: 'All ended', kind: 'number', cell: ({ whole }) => duration(whole) },
    { title: 'Tasks/s', kind: 'number', cell: ({ tasks, whole }) => count(tasks / (whole / 1000)) },
  ])
  const show = (all: readonly Measured[]) => {
    table.clear()
    table.add(...all)
    table.root.hidden = all.length === 0
    const rates = sizes.map((size) => {
      const of = all.find((each) => each.size === size)
      return of ? of.tasks / (of.whole / 1000) : null
    })
    chart.show([sizes.map((_, index) => index), rates])
  }
  const measureAll = async () => {
    run.disabled = true
    const all: Measured[] = []
    try {
      for (const size of sizes) {
        setText(says, `Chunks of ${count(size)} …`)
        all.push(await measure(size, Number(select.value)))
        saved.write(KEY, all)
        show(all)
      }
      setText(says, 'Done. A transaction costs about the same for one task as for hundreds.')
    } catch (error) {
      setText(says, error instanceof Error ? error.message : String(error))
    } finally {
      run.disabled = false
    }
  }
  fill(
    byId('experiment', HTMLElement),
    el('h2', {}, 'How large should a chunk be?'),
    el('p', { class: 'lead' }, 'The same tasks, stored in chunks of different sizes, until the last one has ended.'),
    el(
      'div',
      { class: 'controls' },
      el('div', {}, el('label', { class: 'caption', attrs: { for: 'experiment-count' } }, 'Tasks '), select),
      el('div', { class: 'actions' }, run),
    ),
    says,
    chart.root,
    el('p', { class: 'source' }, 'Tasks per second by tasks in a chunk. The default of the library is 4,096.'),
    table.root,
  )
  const known = saved.read(KEY)
  const before = Array.isArray(known) ? known.filter(isMeasured) : []
  show(before)
  setText(says, before.length === sizes.length ? 'Measured in this browser before.' : 'Not measured yet.')
}

async function measure(size: number, tasks: number): Promise<Measured> {
  const began = performance.now()
  const batch = await startLarge(queue, { id: newId(`chunks-of-${size}`), count: tasks, delay: 0, chunkSize: size })
  const stored = performance.now() - began
  await ended(batch)
  return { size, tasks, stored, whole: performance.now() - began }
}
