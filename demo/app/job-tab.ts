import { byId, showProblem } from './dom.js'
import { saved } from './saved.js'
import { setBusy, type Tab } from './tabs.js'

export interface JobTab<Job> {
  /** Starts a job: one at a time in each tab of the page. */
  begin(job: Job): void
}

/**
 * What the three kinds of jobs have in common: the job is kept under its id, shown until it ends, and found again after a
 * reload or when another tab starts it. `follow` shows it until it ends; `fresh`: it was started here and now.
 */
export function jobTab<Job extends { id: string }>(
  name: Tab,
  isJob: (value: unknown) => value is Job,
  follow: (job: Job, fresh: boolean) => Promise<void>,
): JobTab<Job> {
  const start = byId(`${name}-start`, HTMLButtonElement)
  let shown: string | undefined
  const show = async (job: Job, fresh: boolean) => {
    shown = job.id
    start.disabled = true
    setBusy(name, true)
    showProblem(`${name}-problem`, undefined)
    try {
      await follow(job, fresh)
    } catch (error) {
      showProblem(`${name}-problem`, error)
    } finally {
      start.disabled = false
      setBusy(name, false)
    }
  }
  const showSaved = () => {
    const job = saved.read(name)
    if (isJob(job) && job.id !== shown && !start.disabled) show(job, false)
  }
  saved.onChange(name, showSaved)
  showSaved()
  return {
    begin(job) {
      saved.write(name, job)
      show(job, true)
    },
  }
}
