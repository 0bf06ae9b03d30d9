import { type Fields, findFields } from '../import/fields.js'
import { button, el } from './dom.js'

const asked = [
  { field: 'email', label: 'Which column holds the email?' },
  { field: 'age', label: 'Which column holds the age?' },
] as const

/** Asks where email and age are, for a file whose headers don't say. Undefined: it was called off. */
export function askForMapping(file: string, columns: readonly string[]): Promise<Fields | undefined> {
  const selects = asked.map(({ field, label }) => {
    const select = el(
      'select',
      { attrs: { name: field } },
      el('option', { attrs: { value: '-1' } }, 'none'),
      ...columns.map((column, index) =>
        el('option', { attrs: { value: String(index) } }, column.trim() || `column ${index + 1}`),
      ),
    )
    return { field, select, row: el('label', {}, label, select) }
  })
  const { promise, resolve } = deferred<Fields | undefined>()
  const use = button('Use these columns', () => end(picked()), 'primary')
  const dialog = el(
    'dialog',
    { attrs: { 'aria-label': 'Columns' } },
    el(
      'form',
      { attrs: { method: 'dialog' } },
      el('h2', {}, 'Neither an email nor an age column was found'),
      el('p', { class: 'lead' }, `Say which columns of ${file} to look at.`),
      ...selects.map(({ row }) => row),
      el(
        'div',
        { class: 'actions' },
        use,
        button('Cancel', () => end(undefined)),
      ),
    ),
  )
  const picked = (): Fields => {
    const fields: Fields = { ...findFields(columns) }
    for (const { field, select } of selects) {
      const column = columns[Number(select.value)]
      if (column !== undefined) fields[field] = column
    }
    return fields
  }
  const check = () => {
    use.disabled = selects.every(({ select }) => select.value === '-1')
  }
  const end = (fields: Fields | undefined) => {
    dialog.close()
    dialog.remove()
    resolve(fields)
  }
  for (const { select } of selects) select.addEventListener('change', check)
  dialog.addEventListener('close', () => end(undefined))
  check()
  document.body.append(dialog)
  dialog.showModal()
  return promise
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
