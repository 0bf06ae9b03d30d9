import { files } from '../import/files.js'
import { backend, queue, worker } from '../runs/queue.js'
import { button, el } from './dom.js'
import { saved } from './saved.js'

/** Deletes the queue's database, the stored files and what the page remembers, once someone has confirmed it. */
export async function destroyAll(): Promise<void> {
  if (!(await confirmed('Delete every task, every result and every stored file of this demo?', 'Delete everything')))
    return
  await worker.stop({ grace: 0 })
  await queue.close()
  await backend.destroy()
  await files.clear()
  saved.clear()
  location.reload()
}

function confirmed(question: string, yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (answer: boolean) => {
      dialog.remove()
      resolve(answer)
    }
    const dialog = el(
      'dialog',
      { attrs: { 'aria-label': yes } },
      el(
        'form',
        { attrs: { method: 'dialog' } },
        el('h2', {}, question),
        el('p', { class: 'lead' }, 'Other tabs with this page lose it too.'),
        el(
          'div',
          { class: 'actions' },
          button(yes, () => end(true), 'danger'),
          button('Cancel', () => end(false)),
        ),
      ),
    )
    dialog.addEventListener('close', () => end(false))
    document.body.append(dialog)
    dialog.showModal()
  })
}
