import { type Fields, findFields, needsMapping } from '../import/fields.js'
import { inspect } from '../import/inspect.js'
import { isUsersJob, takeFile, type UsersJob } from '../runs/users-job.js'
import { byId, chosen, chosenDelay, setText, showProblem } from './dom.js'
import { startDrop } from './drop.js'
import { jobTab } from './job-tab.js'
import { askForMapping } from './mapping.js'
import { newId } from './saved.js'
import { followUsers } from './users-job.js'

const GENERATED = 10_000

/** A file that was looked at and can be read. */
interface Ready {
  file: File
  format: Awaited<ReturnType<typeof inspect>>
  fields: Fields
}

export function startUsersTab(): void {
  const form = byId('users-form', HTMLFormElement)
  const input = byId('users-file', HTMLInputElement)
  const start = byId('users-start', HTMLButtonElement)
  const tab = jobTab('users', isUsersJob, followUsers)
  let ready: Ready | undefined

  const choose = async (file: File | undefined) => {
    if (!file) return
    check('file')
    ready = undefined
    showProblem('users-problem', undefined)
    setText(byId('users-file-name', HTMLElement), file.name)
    try {
      ready = await look(file)
      if (ready) start.focus()
      else setText(byId('users-file-name', HTMLElement), 'Choose a file')
    } catch (error) {
      showProblem('users-problem', error)
    }
  }
  const check = (value: string) => {
    const radio = form.querySelector(`input[name="source"][value="${value}"]`)
    if (radio instanceof HTMLInputElement) radio.checked = true
  }
  input.addEventListener('change', () => {
    choose(input.files?.[0])
    input.value = '' // the same file may be chosen again
  })
  startDrop((file) => {
    location.hash = '#users'
    choose(file)
  })
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    showProblem('users-problem', undefined)
    try {
      const job = await jobOf(chosen(form, 'source'), ready)
      if (job) tab.begin(job)
      else input.click()
    } catch (error) {
      showProblem('users-problem', error)
    }
  })
}

/** Undefined: a file is asked for and none is chosen. */
async function jobOf(source: string, ready: Ready | undefined): Promise<UsersJob | undefined> {
  const job = { id: newId('users'), delay: chosenDelay(), startedAt: Date.now() }
  if (source === 'sample') return { ...job, source }
  if (source === 'generated') return { ...job, source, count: GENERATED }
  if (!ready) return undefined
  const { file, format, fields } = ready
  return takeFile(file, { ...job, format, fields })
}

/** Undefined: it has neither column, and nobody said where they are. */
async function look(file: File): Promise<Ready | undefined> {
  const format = await inspect(file, file.name)
  const fields = findFields(format.columns)
  if (!needsMapping(fields)) return { file, format, fields }
  const mapped = await askForMapping(file.name, format.columns)
  return mapped && { file, format, fields: mapped }
}
