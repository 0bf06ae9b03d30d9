import { PerformanceMonitor } from 'sitq'
import { saved } from './saved.js'

/** One job that has ended, as the performance report counts it. */
export interface JobRecord {
  id: string
  title: string
  tasks: number
  ms: number
  errors: number
}

const KEY = 'records'
const KEPT = 200
const listeners = new Set<() => void>()

function isRecord(value: unknown): value is JobRecord {
  const keys = { id: 'string', title: 'string', tasks: 'number', ms: 'number', errors: 'number' }
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.entries(keys).every(([key, type]) => typeof Reflect.get(value, key) === type)
  )
}

/** Jobs that ended, kept through reloads; each counts once. */
export const records = {
  all(): JobRecord[] {
    const list = saved.read(KEY)
    return Array.isArray(list) ? list.filter(isRecord) : []
  },
  /** A job that ends now. */
  add({ job, title, tasks, errors }: { job: { id: string; startedAt: number } } & Omit<JobRecord, 'id' | 'ms'>): void {
    const list = records.all()
    if (list.some(({ id }) => id === job.id)) return // another tab saw it too
    const record = { id: job.id, title, tasks, ms: Math.max(0, Date.now() - job.startedAt), errors }
    saved.write(KEY, [...list, record].slice(-KEPT))
    for (const changed of listeners) changed()
  },
  clear(): void {
    saved.remove(KEY)
    for (const changed of listeners) changed()
  },
  onChange(changed: () => void): void {
    listeners.add(changed)
    saved.onChange(KEY, changed)
  },
  monitor(): PerformanceMonitor {
    const monitor = new PerformanceMonitor()
    for (const { tasks, ms, errors } of records.all()) monitor.record({ tasks, ms, errors: Math.min(errors, tasks) })
    return monitor
  },
}
